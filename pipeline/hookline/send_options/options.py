"""``SendOptions``: what may be said beside the message, and of what kind each option must be."""

from collections.abc import Callable, Mapping, Sequence
from inspect import iscoroutinefunction
from os import PathLike
from sys import float_info
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypedDict

from hookline.errors import DecodeError, InputError
from hookline.values.blocks import Block, CacheControl
from hookline.values.brief import brief
from hookline.values.messages import Message
from hookline.values.prefill import PREFILL_MODES, PrefillMode
from hookline.values.principal import Principal
from hookline.values.tools.definitions import ToolChoice, ToolSpec
from hookline.values.wanted import T, Wanted

if TYPE_CHECKING:
    from hookline.turn.options import OnProgress
    from hookline.values.attachments import Document, Image

__all__ = [
    "Part",
    "SendOptions",
    "betas_of",
    "breakpoints_of",
    "check_names",
    "forget",
    "list_of",
    "on_progress_of",
    "prefill_mode_of",
    "prefill_of",
    "principal_of",
    "read_plain",
    "table_of",
    "timeout_of",
]

Part: TypeAlias = "str | Block | Mapping[str, Any]"


class SendOptions(TypedDict, Generic[T], total=False):
    """Everything that ``send``, ``stream`` and a conversation take besides the message.

    Beside these, ``extra`` takes request fields that this version does not know by name.
    """

    model: str
    max_tokens: int
    messages: Sequence[Message | Mapping[str, Any]]
    system: str | Sequence[Part] | None
    prefill: str | None
    prefill_mode: PrefillMode
    cache_breakpoints: Literal["given", "auto"]
    images: Sequence["Image | Document | str | bytes | PathLike[str] | Any"]
    output: "Wanted[T]"
    tools: Sequence["Callable[..., Any] | ToolSpec | Mapping[str, Any]"]
    tool_choice: ToolChoice | Mapping[str, Any] | None
    timeout: float | None
    context: Mapping[str, Any]
    principal: Principal
    on_progress: "OnProgress | None"
    stop_sequences: Sequence[str] | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    thinking: Mapping[str, Any] | None
    output_config: Mapping[str, Any] | None
    metadata: Mapping[str, Any] | None
    service_tier: str | None
    container: str | Mapping[str, Any] | None
    cache_control: CacheControl | Mapping[str, Any] | None
    speed: str | None
    inference_geo: str | None
    diagnostics: Mapping[str, Any] | None
    mcp_servers: Sequence[Mapping[str, Any]] | None
    context_management: Mapping[str, Any] | None
    compaction: Mapping[str, Any] | None
    thread: Mapping[str, Any] | None
    fallbacks: str | Sequence[Any] | None
    fallback_credit_token: str | None
    billing_policy: Any
    betas: Sequence[str]
    extra: Mapping[str, Any]


# What people write here although it has its place elsewhere, and where that is.
_ELSEWHERE: Final[Mapping[str, str]] = {
    "stream": "call line.stream(…) instead of line.send(…)",
    "max_steps": "it belongs to the pipeline: Pipeline(max_steps=…)",
    "api_key": "it belongs to the pipeline: Pipeline(api_key=…)",
    "auth_token": "it belongs to the pipeline: Pipeline(auth_token=…)",
    "base_url": "it belongs to the pipeline: Pipeline(base_url=…)",
    "headers": "they belong to the pipeline: Pipeline(headers={…})",
    "plugins": "they belong to the pipeline: Pipeline(plugins=[…])",
    "extra_headers": "they belong to the pipeline: Pipeline(headers={…})",
    "extra_body": "fields that Hookline does not know by name go into extra={…}",
    "max_retries": "retries are a plugin's: Pipeline(config={'plugins': {'retry': {'attempts': …}}})",
    "output_format": "give output= a type or a JSON schema",
}


def check_names(given: Mapping[str, Any]) -> None:
    """Raise ``InputError`` for a parameter that ``SendOptions`` does not have."""
    for name in given:
        if name not in SendOptions.__annotations__:
            from difflib import get_close_matches  # noqa: PLC0415 -- only for the text of an error

            near = get_close_matches(name, SendOptions.__annotations__, 1)
            guess = f"did you mean {near[0]!r}?" if near else "new API fields go into extra={…}"
            raise InputError(f"there is no parameter {name!r}; {_ELSEWHERE.get(name, guess)}")


def list_of(name: str, value: Any, what: str) -> tuple[Any, ...]:
    """Return a list that was given as an option; None is the empty one.

    Args:
        name: the option's.
        value: what was given.
        what: what belongs into it, for the error.

    Raises:
        InputError: it is no list; text and bytes are none.

    """
    if value is None:
        return ()
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview):
        return tuple(value)
    raise InputError(f"{name}= takes a list of {what}: {name}=[…], not {type(value).__name__}")


def table_of(name: str, value: Any) -> Mapping[str, Any] | None:
    """Return a mapping that was given as an option; None where there is none.

    Raises:
        InputError: it is something else, or a key of it is no string.

    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise InputError(f"{name}= takes a dict: {name}={{…}}, not {type(value).__name__}")
    for key in value:
        if not isinstance(key, str):
            raise InputError(f"{name}= has a key that is no string: {brief(key)}")
    return value


def read_plain(where: str, read: Callable[[Mapping[str, Any]], T], data: Mapping[str, Any]) -> T:
    """Read what was written as the API's plain JSON with a function of ``hookline.wire``.

    Args:
        where: the option, for the error.
        read: ``structure_message``, for example.
        data: the JSON.

    Raises:
        InputError: it has another shape.

    """
    try:
        return read(data)
    except DecodeError as error:
        raise InputError(f"{where}: {error}") from error


def prefill_of(value: Any) -> str:
    """Return the words that a reply must begin with; empty for none.

    Raises:
        InputError: no string, or nothing but white space.

    """
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise InputError(f"prefill must be a string, not {type(value).__name__}")
    if not value.strip():
        raise InputError("the prefill is nothing but whitespace; give it a word, or leave it out")
    return value


def prefill_mode_of(value: Any) -> PrefillMode:
    """Return a mode of prefilling, or raise ``InputError``."""
    if value not in PREFILL_MODES:
        raise InputError(
            f"prefill_mode must be one of {', '.join(PREFILL_MODES)}, not {brief(value)}"
        )
    mode: PrefillMode = value
    return mode


def breakpoints_of(value: Any) -> bool:
    """Say whether cache breakpoints are to be placed; raise ``InputError`` for what says neither."""
    if value not in ("given", "auto"):
        raise InputError(f"cache_breakpoints must be given or auto, not {brief(value)}")
    return bool(value == "auto")


def principal_of(value: Any) -> Principal | None:
    """Return on whose behalf a call is made, or None where it does not say; or raise ``InputError``."""
    if value is None or isinstance(value, Principal):
        return value
    raise InputError(f'principal= takes a Principal: Principal(user="…"), not {brief(value)}')


def on_progress_of(value: Any) -> "OnProgress | None":
    """Return what takes the progress of plugins, or raise ``InputError``."""
    if value is None:
        return None
    if not callable(value) or iscoroutinefunction(value):
        raise InputError(f"on_progress= takes a function that is no async def, not {brief(value)}")
    function: OnProgress = value
    return function


def betas_of(value: Any) -> tuple[str, ...]:
    """Return names that can stand in a header; raise ``InputError`` for others."""
    names = (value,) if isinstance(value, str) else list_of("betas", value, "names")
    for name in names:
        if not isinstance(name, str) or not name.isascii() or not name.isprintable():
            raise InputError(f"betas= takes names of printable ASCII characters, not {brief(name)}")
    return names


def timeout_of(value: Any) -> float | None:
    """Return a time limit in seconds, or None where there is none; raise ``InputError`` for others."""
    if value is None:
        return None
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 < value <= float_info.max  # an int may be larger than every float
    ):
        raise InputError(f"timeout must be a number of seconds above 0, not {brief(value)}")
    return float(value)


def forget(given: Any) -> None:
    """Empty a call's own options, once they have been read or refused.

    The frames of ``send`` and its like hold that dict, and whoever records a traceback with its local
    variables would record what is in it: tokens, signed addresses, what people have said. Credentials
    stand in the oddest options: ``extra``, ``messages``, one that there is not.
    """
    given.clear()
