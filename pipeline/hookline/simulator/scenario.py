"""Scripted replies: what the simulator says or breaks, and when.

In Python::

    Scenario.of(Rule(when="weather", tool_use={"name": "get_weather", "input": {"city": "Oslo"}}),
                Rule(status=529, times=2))

or in a TOML file, with the same keys::

    [[rule]]
    when = "weather"
    tool_use = { name = "get_weather", input = { city = "Oslo" } }

The first rule that matches and has not been used up applies. Requests are checked as strictly as
ever: a rule decides only what a valid request gets.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from hookline.errors import ConfigError
from hookline.errors.nearest import nearest
from hookline.simulator.errors import DEFAULT_MESSAGE

Json = Mapping[str, Any]


def _pattern(value: str | re.Pattern[str] | None) -> re.Pattern[str] | None:
    return re.compile(value) if isinstance(value, str) else value


def _reply(value: str | Sequence[Json] | None) -> str | tuple[Json, ...] | None:
    return value if value is None or isinstance(value, str) else tuple(value)


def _tool_uses(value: Json | Sequence[Json] | None) -> tuple[Json, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, Mapping) else tuple(value)


def _error(value: str | Json | None) -> Json | None:
    if value is None:
        return None
    given = {"type": value} if isinstance(value, str) else value
    kind = given.get("type", "overloaded_error")
    return {"type": kind, "message": DEFAULT_MESSAGE.get(kind, "Simulated error"), **given}


@frozen(kw_only=True)
class Rule:
    """One scripted reply or fault. Everything is optional; no condition means always.

    Args:
        when: A text that the last user turn holds (its tool results included).
        when_regex: A regular expression searched for in it.
        model: The id that the request names.
        call: The number of the call to ``/v1/messages``, from 1.
        stream: Only streamed, or only plain, requests.
        times: How often the rule applies; None for ever.
        reply: The text, or content blocks as the API writes them.
        thinking: A thinking block's text before the reply.
        tool_use: One ``{name, input}`` or several; ``input`` left out is made from the schema.
        call_tool_under_auto: Whether the reply is a call of the first tool where the request leaves
            the choice, with an input made from its schema; a turn that brings results gets a text.
        stop_reason: Instead of the one that follows from the reply.
        stop_details: For refusals.
        echo_prefill: Whether the reply repeats the prefill, as some local servers do; the repeat
            counts for no ``max_tokens``.
        usage: Fields that replace those of the computed usage.
        status: Answer with this HTTP status instead.
        error_type: Its error type, when not the usual one of the status.
        message: Its text.
        details: Its ``error.details``.
        headers: Headers to add to the answer, for example ``{"retry-after": "2"}``.
        raw: A body sent as it is, for example the HTML page of a proxy.
        delay: Seconds before the answer begins.
        drip: Seconds between the events of a stream, or the halves of a plain body.
        cut_after: Break the connection after so many events; a plain body breaks half-way.
        error_event: An ``error`` event in the stream, by its type (``"overloaded_error"``) or with
            ``{type, message}``; a plain call gets it as its answer.
        error_after: After how many events it comes.
        unknown_event: An event of an unknown type to put in after the ping.
        chunk: Characters in each text delta.

    """

    when: str | None = None
    when_regex: re.Pattern[str] | None = field(default=None, converter=_pattern)
    model: str | None = None
    call: int | None = None
    stream: bool | None = None
    times: int | None = None
    reply: str | tuple[Json, ...] | None = field(default=None, converter=_reply)
    thinking: str | None = None
    tool_use: tuple[Json, ...] = field(default=(), converter=_tool_uses)
    call_tool_under_auto: bool = False
    stop_reason: str | None = None
    stop_details: Json | None = None
    echo_prefill: bool = False
    usage: Json | None = None
    status: int | None = None
    error_type: str | None = None
    message: str | None = None
    details: Json | None = None
    headers: Mapping[str, str] = field(factory=dict)
    raw: str | None = None
    delay: float = 0.0
    drip: float = 0.0
    cut_after: int | None = None
    error_event: Json | None = field(default=None, converter=_error)
    error_after: int = 3
    unknown_event: Json | None = None
    chunk: int | None = None

    def matches(self, *, text: str, model: str, call: int, stream: bool) -> bool:
        """Tell whether the rule's conditions hold.

        Args:
            text: The text of the last user turn.
            model: The id that the request names.
            call: The number of the call.
            stream: Whether the request asks for a stream.

        Returns:
            True when all the given conditions hold.

        """
        return (
            (self.when is None or self.when in text)
            and (self.when_regex is None or self.when_regex.search(text) is not None)
            and self.model in (None, model)
            and self.call in (None, call)
            and self.stream in (None, stream)
        )


@frozen
class Scenario:
    """Rules in order, and files that stand behind URLs.

    Args:
        rules: The first that matches applies.
        urls: URL to the local file that the simulator shows for it.
        batch_seconds: How long a batch takes; more than a day lets it expire.

    """

    rules: tuple[Rule, ...] = ()
    urls: Mapping[str, Path] = field(factory=dict)
    batch_seconds: float = 0.0

    @classmethod
    def of(
        cls,
        *rules: Rule,
        urls: Mapping[str, str | Path] | None = None,
        batch_seconds: float = 0.0,
    ) -> "Scenario":
        """Make a scenario in Python.

        Args:
            rules: In order.
            urls: URL to local file.
            batch_seconds: How long a batch takes.

        Returns:
            The scenario.

        """
        return cls(rules, {url: Path(path) for url, path in (urls or {}).items()}, batch_seconds)

    @classmethod
    def from_toml(cls, path: str | Path) -> "Scenario":
        """Read a scenario file: ``[[rule]]`` tables, a ``[urls]`` table and ``batch_seconds``, all optional.

        Args:
            path: The file; paths in ``[urls]`` are relative to it.

        Returns:
            The scenario.

        Raises:
            ConfigError: The file is missing or wrong; names file, key and remedy.

        """
        import tomllib  # noqa: PLC0415 - only when a file is read

        path = Path(path)
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise ConfigError(
                f"The scenario file {path} cannot be read: {error.strerror}. Check the path."
            ) from error
        except ValueError as error:  # of TOML, of UTF-8, of a name that none can be
            raise ConfigError(f"The scenario file {path} is not TOML: {error}") from error
        _refuse_unknown(data, ("rule", "urls", "batch_seconds"), f"{path}")
        tables, urls = data.get("rule", []), data.get("urls", {})
        if not isinstance(tables, list):
            raise ConfigError(f"{path}: write rules as [[rule]], with two brackets.")
        if not isinstance(urls, dict):
            raise ConfigError(f"{path}: [urls] must be a table of URL = file.")
        seconds = data.get("batch_seconds", 0.0)
        _check_kind("number", "batch_seconds", seconds, f"{path}")
        return cls(
            tuple(_rule(table, f"{path}: rule {n}") for n, table in enumerate(tables, start=1)),
            {url: _file(path, url, target) for url, target in urls.items()},
            seconds,
        )


_KINDS: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "text": ("a string", lambda value: isinstance(value, str)),
    "flag": ("true or false", lambda value: isinstance(value, bool)),
    "whole": (
        "a whole number of 0 or more",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
    ),
    "number": (
        "a number of 0 or more",
        lambda value: isinstance(value, int | float) and not isinstance(value, bool) and value >= 0,
    ),
    "table": ("a table", lambda value: isinstance(value, dict)),
    "tables": (
        "a table or an array of tables",
        lambda value: (
            isinstance(value, dict)
            or (isinstance(value, list) and all(isinstance(item, dict) for item in value))
        ),
    ),
    "content": (
        "a string or an array of tables",
        lambda value: (
            isinstance(value, str)
            or (isinstance(value, list) and all(isinstance(item, dict) for item in value))
        ),
    ),
    "error": (
        "the name of an error type or a table",
        lambda value: isinstance(value, str | dict),
    ),
    "strings": (
        "a table of strings",
        lambda value: (
            isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
        ),
    ),
}

_KEYS: Final[Mapping[str, str]] = {
    "when": "text",
    "when_regex": "text",
    "model": "text",
    "call": "whole",
    "stream": "flag",
    "times": "whole",
    "reply": "content",
    "thinking": "text",
    "tool_use": "tables",
    "call_tool_under_auto": "flag",
    "stop_reason": "text",
    "stop_details": "table",
    "echo_prefill": "flag",
    "usage": "table",
    "status": "whole",
    "error_type": "text",
    "message": "text",
    "details": "table",
    "headers": "strings",
    "raw": "text",
    "delay": "number",
    "drip": "number",
    "cut_after": "whole",
    "error_event": "error",
    "error_after": "whole",
    "unknown_event": "table",
    "chunk": "whole",
}


def _rule(table: Any, where: str) -> Rule:
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: must be a table.")
    _refuse_unknown(table, _KEYS, where)
    for key, value in table.items():
        _check_kind(_KEYS[key], key, value, where)
    if table.get("chunk") == 0:
        raise ConfigError(f"{where}: 'chunk' must be 1 or more.")
    try:
        return Rule(**table)
    except re.error as error:
        raise ConfigError(
            f"{where}: 'when_regex' is no regular expression: {error}. Quote it in single quotes, "
            "so that TOML leaves backslashes alone."
        ) from error


def _check_kind(kind: str, key: str, value: Any, where: str) -> None:
    said, fits = _KINDS[kind]
    if not fits(value):
        raise ConfigError(f"{where}: {key!r} must be {said}, not {value!r}.")


def _refuse_unknown(table: Mapping[str, Any], known: Any, where: str) -> None:
    for key in table:
        if key not in known:
            hint = nearest(key, known, "known keys are")
            raise ConfigError(f"{where}: unknown key {key!r}; {hint}")


def _file(scenario: Path, url: str, target: Any) -> Path:
    if not isinstance(target, str):
        raise ConfigError(f"{scenario}: [urls] {url!r} must name a file, not {target!r}.")
    file = scenario.parent / target
    if not file.is_file():
        raise ConfigError(f"{scenario}: [urls] {url!r}: there is no file {file}.")
    return file
