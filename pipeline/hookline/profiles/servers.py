"""What servers have shown of themselves: learned for one destination, kept while the pipeline lives."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from attrs import frozen

from hookline.profiles.table import Profile, ProfileTable, load_profiles
from hookline.values.destination import Destination

__all__ = ["Lesson", "LessonName", "LessonValue", "Servers"]

LessonName: TypeAlias = Literal["name", "prefill", "repeats_whole", "repeats_streams", "tools"]
"""What can be learned: which profile a server names itself by; whether it takes a prefill; whether it repeats
one, in whole answers and in streams; whether it takes tools."""

LessonValue: TypeAlias = str | bool
"""The name of a profile, or whether it is so."""

_MOST: Final = 1000  # lessons that are kept; one server teaches few
_SAID: Final[Mapping[str, tuple[str, str]]] = {
    "prefill": ("continues a prefill", "does not take a prefill"),
    "repeats_whole": ("repeats a prefill in whole answers", "repeats none in whole answers"),
    "repeats_streams": ("repeats a prefill in streams", "repeats none in streams"),
    "tools": ("takes tools", "takes no tools"),
}


@frozen
class Lesson:
    """One thing that a server has shown of itself.

    Attributes:
        base_url: the server.
        account: stands for the credentials with which it was asked.
        model: the model that it is about; empty where it is about all.
        name: what was learned; see ``LessonName``.
        value: the name of a profile, or whether it is so.
        how: what has shown it.

    """

    base_url: str
    account: str
    model: str
    name: LessonName
    value: LessonValue
    how: str

    def __str__(self) -> str:
        about = f"{self.base_url}{f', {self.model}' if self.model else ''}"
        return f"{about}: {_said(self.name, self.value)} ({self.how})"


def _said(name: LessonName, value: LessonValue) -> str:
    return f"it is {value}" if name == "name" else _SAID[name][not value]


class Servers:
    """What is known of the servers that one pipeline talks to, and what they have shown of themselves.

    One object may be used from many threads and tasks; it keeps the newest thousand lessons.

    Args:
        table: profiles by name; those that ship with Hookline if none is given.

    Example:
        >>> with Pipeline(base_url="http://localhost:8080", model="ants-7b") as line:
        ...     line.send("Head", prefill="#")
        ...     for lesson in line.servers.lessons:
        ...         print(lesson)

    """

    def __init__(self, table: ProfileTable | None = None) -> None:
        self._table = table
        self._lessons: OrderedDict[tuple[str, str, str, str], Lesson] = OrderedDict()
        self._profiles: dict[tuple[str, str, str], Profile] = {}
        self._lock = threading.Lock()

    @property
    def table(self) -> ProfileTable:
        """The profiles by name and host."""
        if self._table is None:  # read when first asked for: making a pipeline must stay cheap
            self._table = load_profiles()
        return self._table

    @property
    def lessons(self) -> tuple[Lesson, ...]:
        """What has been learned, the oldest first."""
        with self._lock:
            return tuple(self._lessons.values())

    def profile(self, destination: Destination) -> Profile:
        """Return what the server at a destination can do: by its name, by its own word, by its host.

        Raises:
            ConfigError: the destination names a profile that there is not.

        """
        server, base_url = destination.server, destination.base_url
        called = ""
        if self._lessons and not server:
            called = str(self.learned(destination, "name") or "")
        profile = self._profiles.get((server, base_url, called))
        if profile is None:
            table = self.table
            profile = table.require(server) if server else table.guess(base_url, called)
            if len(self._profiles) >= _MOST:
                self._profiles.clear()  # all of it can be worked out again
            self._profiles[server, base_url, called] = profile
        return profile

    def learned(self, destination: Destination, name: LessonName, model: str = "") -> Any:
        """Return what a server has shown: a ``Lesson.value``; None while nobody knows."""
        if not self._lessons:
            return None
        lesson = self._lessons.get(_key(destination, name, model))
        return None if lesson is None else lesson.value

    def learn(
        self,
        destination: Destination,
        name: LessonName,
        value: LessonValue,
        *,
        model: str = "",
        how: str = "",
    ) -> Lesson | None:
        """Keep what a server has shown of itself.

        Args:
            destination: the server, and as whom it was asked.
            name: what is learned.
            value: the name of a profile, or whether it is so.
            model: the model that it is about, or empty.
            how: what has shown it, for people.

        Returns:
            The lesson if it is news, else None.

        """
        key = _key(destination, name, model)
        lesson = Lesson(destination.base_url, key[1], model, name, value, how)
        with self._lock:
            known = self._lessons.get(key)
            if known is not None and known.value == value:
                return None
            self._lessons[key] = lesson
            if len(self._lessons) > _MOST:
                self._lessons.popitem(last=False)
        return lesson

    def listen(self, destination: Destination, headers: Mapping[str, str]) -> Lesson | None:
        """Hear whether a server names itself in the headers of an answer; return what is news."""
        if destination.server:
            return None  # whoever named it knows better
        named = self.table.named_by(headers)
        if named is None:
            return None
        return self.learn(destination, "name", named.name, how="by the headers of its answers")


def _key(destination: Destination, name: str, model: str) -> tuple[str, str, str, str]:
    # What a server is, it is for everybody; what it does may hang on the account's own limits.
    account = "" if name == "name" else destination.account
    return destination.base_url, account, model, name
