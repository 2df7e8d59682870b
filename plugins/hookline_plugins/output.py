"""The plugin ``output``: the reply as a value of a type, not as text.

``line.send("…", output=Ant)`` sends the JSON schema of ``Ant`` along, and the API lets the model
write nothing else; the reply's JSON becomes an ``Ant`` in ``reply.output``.

Models that are not Claude run on servers that take no schema, or ignore it without a word (llama.cpp,
facts 16.3). They are told in the prompt, and what they write is looked for, parsed and checked.
"""

import itertools
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen
from attrs.validators import in_

from hookline import (
    DecodeError,
    InputError,
    OutputError,
    Reply,
    Request,
    TextBlock,
    Turn,
    hookimpl,
)
from hookline.plugin import TurnState
from hookline.values import PrefillMode, thaw
from hookline_plugins.prefill.decision import with_instruction

if TYPE_CHECKING:
    from hookline.schema import Output as Wanted

__all__ = ["Output"]

# After these the turn goes on, here or at the caller's; the answer is still to come.
_UNFINISHED: Final = ("tool_use", "pause_turn", "compaction")
_SHOWN: Final = 80
_MOST_STARTS: Final = 50  # each may be read to the end of the text in vain

_INSTRUCTION: Final = (
    "Reply with one JSON object and nothing else: no introduction, no explanation, no Markdown. It "
    "must fit this JSON schema:\n{schema}"
)


@frozen(eq=False)
class Output:
    """Asks for structured output and reads it.

    ``output=`` takes an attrs class or any other type of scalars, ``list``, ``dict[str, …]``,
    ``Literal``, enums, unions, ``datetime`` and the like, nested as you please but not recursive;
    or a JSON schema, and then ``reply.output`` is plain JSON. A reply that ends in a tool call for
    the caller has no output yet: None.

    Attributes:
        mode: ``"native"`` sends the schema as ``output_config``, ``"instructed"`` writes it into the
            last user message; ``"auto"`` takes native for Claude, instructed for other models.

    """

    last = True  # what other plugins make of the text is what is read
    rewrites_text = False
    asked = TurnState[Any](lambda: None)

    mode: PrefillMode = field(default="auto", validator=in_(("auto", "native", "instructed")))

    @hookimpl
    def build_history(self, turn: Turn, request: Request) -> Request | None:
        """Put the schema into the request, beside what else ``output_config`` holds.

        Raises:
            InputError: the API has no schema for the type, or something else is in the way.

        """
        if turn.options.output is None:
            return None
        config = dict(request.output_config or {})
        if config.get("format") is not None:
            raise InputError("give either output= or output_config={'format': …}, not both")
        from hookline.schema import Output as Wanted  # noqa: PLC0415 -- few turns have an output

        wanted = self.asked[turn] = Wanted.of(turn.options.output)
        if self.mode == "instructed" or (self.mode == "auto" and not _takes_schema(turn, request)):
            schema = json.dumps(thaw(wanted.schema), ensure_ascii=False)
            return with_instruction(request, _INSTRUCTION.format(schema=schema))
        config["format"] = {"type": "json_schema", "schema": wanted.schema}
        return request.evolve(output_config=config)

    @hookimpl
    def post_process(self, turn: Turn, reply: Reply) -> Reply | None:
        """Read the final answer.

        Raises:
            OutputError: it was refused or cut off, or is not what was asked for.

        """
        wanted: Wanted | None = self.asked[turn]
        if wanted is None or reply.stop_reason in _UNFINISHED:
            return None
        _require_whole(reply)
        text = next((text for text in _texts(reply) if text), "")
        if (
            reply.prefill is not None and not reply.earlier
        ):  # the opening of the JSON, which the model need not repeat
            text = reply.prefill.text + text
        try:
            return reply.evolve(
                output=wanted.read(text if _asked_natively(reply) else _json_in(text))
            )
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


def _takes_schema(turn: Turn, request: Request) -> bool:
    if not turn.profile.output_config:
        return False  # whatever the model is called there
    return turn.models.is_claude(request.model)


def _asked_natively(reply: Reply) -> bool:
    return bool((reply.request.output_config or {}).get("format"))


def _json_in(text: str) -> str:
    """Return the JSON object in the words of a model that was only asked to write nothing else.

    It may stand in a fence, after a thought, before an explanation. The first that is whole counts.
    """
    decoder = json.JSONDecoder()
    starts = (match.start() for match in re.finditer(r"\{", text))
    for start in itertools.islice(starts, _MOST_STARTS):
        with suppress(ValueError, RecursionError):
            _, end = decoder.raw_decode(text, start)
            return text[start:end]
    return text


def _texts(reply: Reply) -> list[str]:
    return [block.text for block in reply.response.content if isinstance(block, TextBlock)]


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
