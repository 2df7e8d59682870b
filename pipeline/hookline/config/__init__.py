"""Settings and their layers, the weakest first: a file found, the user's, a file named, environment, code.

Above all of them stands the organisation's policy (``hookline.policy``), which fixes and bounds them.

``hookline.toml``::

    model = "claude-haiku-4-5"
    max_tokens = 1024

    [plugins]
    disable = ["logging"]

    [plugins.images]
    strategy = "base64"
    allow_hosts = ["images.example.com"]

    [models."ants-7b"]
    context = 8192

The same in the environment: ``HOOKLINE_MODEL``, ``HOOKLINE_DISABLE=logging`` and, for a plugin's
option, ``HOOKLINE_IMAGES__STRATEGY=base64`` (two underscores). Credentials and the address come from
the variables that every client of the API knows: ``ANTHROPIC_API_KEY``, ``ANTHROPIC_AUTH_TOKEN``,
``ANTHROPIC_BASE_URL``.

Read ``settings`` first, which says what there is; ``options`` says what each field says of itself,
``files`` and ``layers`` where values come from, ``references`` how a file speaks of a secret without
holding it, ``told_models`` what it may tell of models; ``loading`` puts all of it together.
"""

from hookline.config.bounds import Bound
from hookline.config.files import FILE_NAME, Key, TomlFile, find_file, read_file, user_file
from hookline.config.layers import LISTS, Layer, Origin, dotted, located
from hookline.config.loading import SETTINGS, handed_over, load_settings, settings_of
from hookline.config.options import Facts, checked, facts_of, option, read_text
from hookline.config.settings import MOST_CONNECTIONS, Library, Settings
from hookline.errors.nearest import nearest

__all__ = [
    "FILE_NAME",
    "LISTS",
    "MOST_CONNECTIONS",
    "SETTINGS",
    "Bound",
    "Facts",
    "Key",
    "Layer",
    "Library",
    "Origin",
    "Settings",
    "TomlFile",
    "checked",
    "dotted",
    "facts_of",
    "find_file",
    "handed_over",
    "load_settings",
    "located",
    "nearest",
    "option",
    "read_file",
    "read_text",
    "settings_of",
    "user_file",
]
