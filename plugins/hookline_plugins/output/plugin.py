"""The plugin itself: what is asked for goes into the request, and what comes back is read.

``line.send("…", output=Ant)`` sends the JSON schema of ``Ant`` along, and the API lets the model
write nothing else; the reply's JSON becomes an ``Ant`` in ``reply.output``.

Models that are not Claude run on servers that take no schema, or ignore it without a word (llama.cpp,
facts 16.3). How they are told is decided in ``send``, for each destination; so what is remembered,
cached and judged is the same everywhere.
"""

import itertools
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from attrs import define, field, frozen
from attrs.validators import in_

from hookline import (
    APIError,
    CallNext,
    DecodeError,
    InputError,
    OutputError,
    Reply,
    Request,
    Response,
    TextBlock,
    Turn,
    hookimpl,
)
from hookline.plugin import TurnState, checks_options

if TYPE_CHECKING:
    from hookline.schema import Output as Wanted
    from hookline_plugins.output.ways import Way

__all__ = ["Output"]

Mode: TypeAlias = Literal["auto", "native", "tool", "instructed"]

# After these the turn goes on, here or at the caller's; the answer is still to come.
_UNFINISHED: Final = ("tool_use", "pause_turn", "compaction")
_SHOWN: Final = 80
_MOST_STARTS: Final = 50  # each may be read to the end of the text in vain


@define
class _Asked:
    """What a turn asks for, and in which way it was last told; None before."""

    wanted: "Wanted"
    way: "Way | None" = None


@checks_options
@frozen(eq=False)
class Output:
    """Asks for structured output and reads it.

    ``output=`` takes an attrs class or any other type of scalars, ``list``, ``dict[str, …]``,
    ``Literal``, enums, unions, ``datetime`` and the like, nested as you please but not recursive;
    or a JSON schema, and then ``reply.output`` is plain JSON. A reply that ends in a tool call for
    the caller has no output yet: None. The trace says in which way a model was asked.

    Attributes:
        mode: ``"native"`` sends the schema as ``output_config``, ``"tool"`` as the input of a tool,
            ``"instructed"`` writes it into the last user message; ``"auto"`` takes native for Claude,
            for other models the tool, and instructed where a server takes no tools.

    """

    last = True  # what other plugins make of the text is what is read
    rewrites_text = False
    asked = TurnState["_Asked | None"](lambda: None)

    mode: Mode = field(default="auto", validator=in_(("auto", "native", "tool", "instructed")))

    @hookimpl
    def build_history(self, turn: Turn, request: Request) -> Request | None:
        """Put the schema into the request, beside what else ``output_config`` holds.

        Raises:
            InputError: the API has no schema for the type, or something else is in the way.

        """
        asked = self._asked(turn)
        if asked is None:
            return None
        if (request.output_config or {}).get("format") is not None:
            raise InputError("give either output= or output_config={'format': …}, not both")
        return _with_format(request, asked.wanted)

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Tell the server at hand in the way that it understands."""
        asked = self._asked(turn)
        if asked is None:
            return await call_next(request)
        from hookline_plugins.output import ways  # noqa: PLC0415 -- few turns have an output

        if self._way(turn, request) == "tool":
            try:
                return await self._by_tool(turn, request, asked, call_next)
            except APIError as error:
                if self.mode == "tool" or not ways.refuses_tools(error):
                    raise
                turn.learn("tools", False, model=request.model, how=f"HTTP {error.status}")  # noqa: FBT003 -- a value
        asked.way = self._way(turn, request)
        turn.trace.note("output", f"{asked.way} for {request.model}")
        if asked.way == "instructed":
            return await call_next(ways.in_words(request, asked.wanted))
        return await call_next(_with_format(request, asked.wanted))

    def _asked(self, turn: Turn) -> _Asked | None:
        """Return what a turn asks for; one that goes on in another process begins without it."""
        if turn.options.output is None:
            return None
        asked = self.asked[turn]
        if asked is None:
            from hookline.schema import Output as Wanted  # noqa: PLC0415 -- few turns have an output

            asked = self.asked[turn] = _Asked(Wanted.of(turn.options.output))
        return asked

    def _way(self, turn: Turn, request: Request) -> "Way":
        from hookline_plugins.output import ways  # noqa: PLC0415 -- as above

        if self.mode == "native" or (self.mode == "auto" and ways.takes_schema(turn, request)):
            return "native"
        if self.mode == "instructed" or turn.learned("tools", request.model) is False:
            return "instructed"
        return "tool" if ways.takes_tool(turn, request) else "instructed"

    async def _by_tool(
        self, turn: Turn, request: Request, asked: _Asked, call_next: CallNext
    ) -> Response:
        from hookline_plugins.output.answering_tool import answer_as_text  # noqa: PLC0415 -- as above
        from hookline_plugins.output.ways import by_tool  # noqa: PLC0415 -- as above

        told, name = by_tool(turn, request, asked.wanted)
        asked.way = "tool"
        turn.trace.note("output", f"tool for {request.model}")
        response = await call_next(told)
        return answer_as_text(response, name) if turn.asks_model else response

    @hookimpl
    def post_process(self, turn: Turn, reply: Reply) -> Reply | None:
        """Read the final answer.

        Raises:
            OutputError: it was refused or cut off, or is not what was asked for.

        """
        asked = self._asked(turn)
        if asked is None or reply.stop_reason in _UNFINISHED:
            return None
        _require_whole(reply)
        text = _answer(reply, asked.way)
        try:
            return reply.evolve(output=asked.wanted.read(text))
        except DecodeError as error:
            raise OutputError(
                f"the reply is JSON of another shape: {error}", reason="mismatch", reply=reply
            ) from error
        except (ValueError, RecursionError) as error:
            shown = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
            raise OutputError(
                f"the reply is not JSON ({error}): {shown!r}. Does {reply.model} support "
                "structured output?",
                reason="not_json",
                reply=reply,
            ) from error


def _with_format(request: Request, wanted: "Wanted") -> Request:
    """Return a request whose reply is bound to the schema."""
    bound = {"type": "json_schema", "schema": wanted.schema}
    config = {**(request.output_config or {}), "format": bound}
    return request if config == request.output_config else request.evolve(output_config=config)


def _answer(reply: Reply, way: "Way | None") -> str:
    """Return the JSON of a reply: its first text; elsewhere the first in which there is an object.

    What was said to a tool comes after the words that led to it.
    """
    texts = [b.text for b in reply.response.content if isinstance(b, TextBlock) and b.text]
    if reply.prefill is not None and not reply.earlier:
        # The opening of the JSON, which the model need not repeat.
        texts[:1] = [reply.prefill.text + "".join(texts[:1])]
    looked = reversed(texts) if way == "tool" else texts
    found = None if way == "native" else next(filter(None, map(_json_in, looked)), None)
    return found or next(iter(texts), "")


def _json_in(text: str) -> str | None:
    """Return the JSON object in the words of a model that was only asked to write nothing else.

    It may stand in a fence, after a thought, before an explanation. The first that is whole counts.
    """
    decoder = json.JSONDecoder()
    starts = (match.start() for match in re.finditer(r"\{", text))
    for start in itertools.islice(starts, _MOST_STARTS):
        with suppress(ValueError, RecursionError):
            _, end = decoder.raw_decode(text, start)
            return text[start:end]
    return None


def _require_whole(reply: Reply) -> None:
    """Raise if the reply was refused or cut off; its text may then be anything."""
    refusal = reply.refusal
    if refusal is not None:
        why = ", ".join(filter(None, (refusal.category, refusal.explanation)))
        raise OutputError(
            f"the request was refused{f' ({why})' if why else ''}, so there is no output",
            reason="refusal",
            reply=reply,
        )
    if reply.truncated:
        remedy = (
            f"pass a larger max_tokens= than {reply.request.max_tokens}"
            if reply.stop_reason == "max_tokens"
            else "send less before it"
        )
        raise OutputError(
            f"the reply was cut off ({reply.stop_reason}), so its JSON is not whole; {remedy}",
            reason="truncated",
            reply=reply,
        )
