"""What each kind of server can do that speaks the Messages API, and what servers have shown of themselves.

A destination names its profile (``server="llama.cpp"``), or the profile is guessed by its host; what
nobody knows is ``generic``. What a server then shows is learned, for one destination and as long as the
pipeline lives. Whatever depends on the kind of server asks here, as ``turn.profile``, and nowhere else.

Read ``table`` first; ``servers`` holds what is learned.
"""

from hookline.profiles.servers import Lesson, LessonName, LessonValue, Servers
from hookline.profiles.table import Profile, ProfileTable, load_profiles, profile_of

__all__ = [
    "Lesson",
    "LessonName",
    "LessonValue",
    "Profile",
    "ProfileTable",
    "Servers",
    "load_profiles",
    "profile_of",
]
