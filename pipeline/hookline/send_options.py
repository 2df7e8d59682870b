"""From what a caller writes to a request: the parameters of ``send`` and ``stream``."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from os import PathLike
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypedDict

from attrs import frozen

from hookline.errors import InputError
from hookline.turn import BoundTool, TurnOptions
from hookline.values.blocks import Block, CacheControl
from hookline.values.frozen import EMPTY
from hookline.values.messages import Message, Request
from hookline.values.prefill import PrefillMode
from hookline.values.principal import Principal
from hookline.values.tool_definitions import Tool, ToolChoice, ToolSpec

if TYPE_CHECKING:
    from hookline.config import Settings
    from hookline.models import ModelTable
    from hookline.values.attachments import Document, Image

__all__ = [
    "Asked",
    "Input",
    "SendOptions",
    "as_message",
    "asked",
    "bound",
    "check_names",
    "checked_timeout",
]

Part: TypeAlias = "str | Block | Mapping[str, Any]"
Input: TypeAlias = "str | Message | Block | Sequence[Part] | None"
"""A new message: text, a block, an image, or a list of these; None with ``messages=``."""


class SendOptions(TypedDict, total=False):
    """Everything that ``send``, ``stream`` and a conversation take besides the message.

    Beside these, ``extra`` takes request fields that this version does not know by name.
    """

    model: str
    max_tokens: int
    messages: Sequence[Message | Mapping[str, Any]]
    system: str | Sequence[Part] | None
    prefill: str | None
    prefill_mode: PrefillMode
    images: Sequence["Image | Document | str | bytes | PathLike[str] | Any"]
    output: Any
    tools: Sequence["Callable[..., Any] | ToolSpec | Mapping[str, Any]"]
    tool_choice: ToolChoice | Mapping[str, Any] | None
    timeout: float | None
    context: Mapping[str, Any]
    principal: Principal
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


@frozen
class Asked:
    """A caller's wish, taken apart.

    Attributes:
        request: begins with the new message.
        options: what is not a field of the request.
        timeout: seconds for the turn, or None for the pipeline's default.
        context: the caller's own facts of this call.
        principal: on whose behalf, if the call says so.

    """

    request: Request
    options: TurnOptions
    timeout: float | None
    context: Mapping[str, Any]
    principal: Principal | None = None


_OURS: Final = frozenset(
    {
        "messages",
        "prefill",
        "prefill_mode",
        "images",
        "output",
        "tools",
        "timeout",
        "context",
        "principal",
    }
)
_READ_BY_WIRE: Final = ("system", "tool_choice", "cache_control")
_NOTHING_ELSE: Final = TurnOptions()


def asked(
    settings: "Settings",
    models: "ModelTable",
    blank: Request,
    message: Input,
    given: Mapping[str, Any],
) -> Asked:
    """Check what a caller wrote and make the request it describes.

    Args:
        settings: the pipeline's defaults.
        models: known models.
        blank: a request with the pipeline's defaults, and nothing else. It is evolved, since that
            converts and checks only what a call says, and a call says little.
        message: the new message.
        given: ``SendOptions``.

    Raises:
        InputError: an unknown parameter, an empty message, a bad prefill, an unknown model.

    """
    check_names(given)
    model = given.get("model")
    _check_model(settings, models, blank.model if model is None else model)
    if not given:
        new = _new_message(message, (), optional=False)
        return Asked(blank.evolve(messages=(new,)), _NOTHING_ELSE, None, EMPTY)
    history = tuple(given.get("messages") or ())
    if not set(map(type, history)) <= {Message}:  # a long history is made of them, as a rule
        history = tuple(as_message(item, index) for index, item in enumerate(history))
    new = _new_message(message, given.get("images") or (), optional=bool(history))
    definitions, functions = _tools(given.get("tools") or ())
    fields: dict[str, Any] = {
        name: _field(name, value)
        for name, value in given.items()
        if name not in _OURS and value is not None
    }
    fields["messages"] = (new,) if new else ()
    if definitions:
        fields["tools"] = definitions
    context = given.get("context")
    return Asked(
        blank.evolve(**fields),
        TurnOptions(
            history=history,
            prefill=_prefill(given.get("prefill")),
            prefill_mode=_prefill_mode(given.get("prefill_mode", "auto")),
            tools=functions,
            output=given.get("output"),
        ),
        checked_timeout(given.get("timeout")),
        MappingProxyType(dict(context)) if context else EMPTY,
        _principal(given.get("principal")),
    )


def _principal(value: Any) -> Principal | None:
    if value is None or isinstance(value, Principal):
        return value
    raise InputError(f'principal= takes a Principal: Principal(user="…"), not {value!r}')


def check_names(given: Mapping[str, Any]) -> None:
    """Raise ``InputError`` for a parameter that ``SendOptions`` does not have."""
    for name in given:
        if name not in SendOptions.__annotations__:
            near = get_close_matches(name, SendOptions.__annotations__, 1)
            hint = f"did you mean {near[0]!r}?" if near else "new API fields go into extra={…}"
            raise InputError(f"there is no parameter {name!r}; {hint}")


def _new_message(message: Input, images: Sequence[Any], *, optional: bool) -> Message | None:
    pictures = _pictures(images) if images else []
    if message is None and not pictures:
        if optional:
            return None
        raise InputError("there is nothing to send: give a message, or messages=[…]")
    if isinstance(message, Message):
        return _illustrated(message, pictures)
    if isinstance(message, str) and not pictures:
        if not message.strip():
            raise InputError("the message is empty; the API refuses a message without text")
        return Message("user", message)
    parts = message if isinstance(message, list | tuple) else [message]
    content = [*pictures, *(_part(part) for part in parts if part is not None)]
    if not content:
        raise InputError("the message is empty; give it text or an image")
    for block in content:
        if isinstance(block, str) and not block.strip():
            raise InputError("the message holds an empty text; the API refuses that")
    return Message("user", tuple(content))


def _pictures(images: Sequence[Any]) -> list[Block]:
    from hookline.values.attachments import Image  # noqa: PLC0415 -- only where there are images

    if not isinstance(images, list | tuple):
        raise InputError("images= takes a list: images=[…]")
    return [item if isinstance(item, Block) else Image(item) for item in images]


def _illustrated(message: Message, pictures: list[Block]) -> Message:
    return message.evolve(content=(*pictures, *message.blocks)) if pictures else message


def _part(part: Any) -> Any:
    if isinstance(part, Mapping):
        from hookline.wire.codec import structure_message  # noqa: PLC0415 -- loads cattrs

        return structure_message({"role": "user", "content": [part]}).blocks[0]
    if isinstance(part, str | Block):
        return part
    raise InputError(
        f"a message is made of text, Image, Document and blocks, not {type(part).__name__}; "
        "wrap a picture in Image(…)"
    )


def as_message(item: Any, index: int, *, person: bool = False) -> Message:
    """Return one message of a history, given as a ``Message`` or a dict.

    Args:
        item: the message.
        index: its position, for messages of errors.
        person: its content was written as for ``send``, not as the API's JSON.

    Raises:
        InputError: it is neither.

    """
    if isinstance(item, Message):
        return item
    if not isinstance(item, Mapping):
        raise InputError(
            f"messages[{index}] must be a Message or a dict with role and content, "
            f"not {type(item).__name__}"
        )
    if person:
        new = _new_message(item["content"], (), optional=False)
        return Message(item["role"], new.content if new else "")
    from hookline.wire.codec import structure_message  # noqa: PLC0415 -- loads cattrs

    return structure_message(dict(item))


def _field(name: str, value: Any) -> Any:
    """Read a field that was written as plain JSON; everything else goes to the model as it is."""
    if name == "stop_sequences" and isinstance(value, str):
        raise InputError('stop_sequences takes a list: stop_sequences=["…"]')
    plain = isinstance(value, Mapping) or (isinstance(value, list | tuple) and name == "system")
    if name not in _READ_BY_WIRE or not plain:
        return value
    from hookline.wire.codec import structure_request  # noqa: PLC0415 -- loads cattrs

    if name == "system":
        value = [
            {"type": "text", "text": part} if isinstance(part, str) else part for part in value
        ]
        if any(isinstance(part, Block) for part in value):
            return tuple(_part(part) for part in value)
    return getattr(
        structure_request({"model": "", "max_tokens": 0, "messages": [], name: value}), name
    )


def _tools(tools: Sequence[Any]) -> tuple[tuple[ToolSpec, ...], tuple[BoundTool, ...]]:
    """Part definitions, which go into the request, from functions, which a plugin describes."""
    definitions: list[ToolSpec] = []
    functions: list[BoundTool] = []
    for index, tool in enumerate(tools):
        if isinstance(tool, ToolSpec):
            definitions.append(tool)
        elif isinstance(tool, Mapping):
            from hookline.wire.codec import structure_request  # noqa: PLC0415 -- loads cattrs

            read = structure_request(
                {"model": "", "max_tokens": 0, "messages": [], "tools": [tool]}
            )
            definitions.extend(read.tools or ())
        elif callable(tool):
            functions.append(bound(tool))
        else:
            raise InputError(
                f"tools[{index}] must be a function, a Tool or a dict, not {type(tool).__name__}"
            )
    return tuple(definitions), tuple(functions)


def bound(tool: Any, function: Callable[..., Any] | None = None) -> BoundTool:
    """Bind a function to its definition.

    Args:
        tool: the function itself, or a definition (a ``Tool`` or a dict) of ``function``.
        function: what runs it, if ``tool`` is a definition.

    Raises:
        InputError: no function, or a definition of another shape.

    """
    from hookline.schema.describe import describe_tool  # noqa: PLC0415 -- only calls with tools need it

    if callable(tool) and function is None:
        definition = describe_tool(tool)
        return BoundTool(name=definition.name, definition=definition, function=tool)
    ((found,), _) = _tools([tool])
    if not isinstance(found, Tool) or not callable(function):
        raise InputError(
            "a tool is a function, or a definition with name and input_schema, and a function"
        )
    return BoundTool(name=found.name, definition=found, function=function)


def _prefill(value: Any) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise InputError(f"prefill must be a string, not {type(value).__name__}")
    if value != value.rstrip():
        raise InputError(
            "the prefill ends in whitespace, which the API refuses; end it with the last word: "
            f"{value.rstrip()[-30:]!r}"
        )
    return value


def _prefill_mode(value: Any) -> PrefillMode:
    if value not in ("auto", "native", "instructed"):
        raise InputError(f"prefill_mode must be 'auto', 'native' or 'instructed', not {value!r}")
    mode: PrefillMode = value
    return mode


def checked_timeout(value: Any) -> float | None:
    """Return a time limit in seconds, or None where there is none; raise ``InputError`` for others."""
    if value is None:
        return None
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 < value < float("inf")
    ):
        raise InputError(f"timeout must be a number of seconds above 0, not {value!r}")
    return float(value)


def _check_model(settings: "Settings", models: "ModelTable", model: Any) -> None:
    """Refuse a name that cannot be right; other servers have models of their own."""
    if not isinstance(model, str) or not model:
        raise InputError(f"model must be the id of a model, not {model!r}")
    if settings.unknown_models == "allow" or models.get(model) is not None:
        return
    base_url: Any = settings.base_url  # or a simulator, which has the API's models
    anthropic = (
        not isinstance(base_url, str) or base_url.startswith("sim:") or ".anthropic.com" in base_url
    )
    if not anthropic and not model.startswith("claude-"):
        return
    names = [name for facts in models for name in (*facts.aliases, facts.id)]
    near = get_close_matches(model, names, 1, cutoff=0.7)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise InputError(
        f"unknown model {model!r}; {hint}`hookline models` lists those that Hookline knows. For a "
        'newer one set unknown_models = "allow", or add its facts with register_models'
    )
