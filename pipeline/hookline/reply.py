"""What the caller gets: the reply of a turn."""

import html
import json
import os
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Generic

from attrs import field, fields, frozen

from hookline._said import without_keys
from hookline.trace import AttemptRecord, ToolError, Trace
from hookline.values.blocks import Block, TextBlock, ToolResultBlock, ToolUseBlock
from hookline.values.editing.remembered import before_the_turn, remembered, without_prefill
from hookline.values.frozen import thaw
from hookline.values.messages import Message, Request, Response
from hookline.values.prefill import Prefill, PrefillWay
from hookline.values.rate_limits import RateLimits
from hookline.values.usage import StopDetails, Usage, total
from hookline.values.wanted import T_co

if TYPE_CHECKING:
    from hookline.models import ModelTable

__all__ = ["Outcome", "Reply"]

_SHOWN = 60  # characters of text in a repr


@frozen(kw_only=True, repr=False)
class Reply(Generic[T_co]):
    """The outcome of a turn.

    Attributes:
        response: what the API returned in the last step, loss-free; without the prefill, which the
            API never repeats, and after all stream filters.
        request: the request it answers, as the stages before ``send`` left it.
        prefill: the words put in the model's mouth, if any; in the first step of the turn.
        output: the value that ``output=`` asked for, of that type; None until the last tool has run.
        cost: US dollars for the reply, all steps of it; None if a price is not known. What the turn has
            asked besides is in ``total_cost``.
        earlier: the responses of earlier steps of the same turn (tool calls), oldest first.
        tool_results: results of tool calls of the response that have been run, where others wait for
            the caller; see ``pending``.
        pending_id: the name of ``pending``, by which what has run of it is found again.
        interrupted: True in the ``partial`` of a broken stream: more would have come.
        trace: who changed what on the way, and every attempt.

    """

    response: Response
    request: Request
    prefill: Prefill | None = None
    output: T_co = field(default=None)
    cost: Decimal | None = None
    earlier: tuple[Response, ...] = ()
    tool_results: tuple[ToolResultBlock, ...] = ()
    pending_id: str = field(factory=lambda: os.urandom(16).hex(), eq=False)
    interrupted: bool = False
    trace: Trace = field(factory=Trace, eq=False)

    @property
    def text(self) -> str:
        """The text of the turn, all steps joined, as a stream shows it; begins with the prefill once.

        ``response.text`` is that of the last step alone.
        """
        return self.prefill.text + self.completion if self.prefill else self.completion

    @property
    def completion(self) -> str:
        """The text without the prefill: what the model itself wrote, in all steps."""
        if not self.earlier:
            return self.response.text
        return "".join([step.text for step in (*self.earlier, self.response)])

    @property
    def _opening(self) -> Prefill | None:
        """The words that the response of this step continues: a prefill belongs to the first."""
        return None if self.earlier else self.prefill

    @property
    def prefill_mode(self) -> PrefillWay | None:
        """How it was done: ``"native"``, ``"instructed"``, ``"structured"``; None without one."""
        return self.prefill.mode if self.prefill else None

    @property
    def stop_reason(self) -> str | None:
        """Why the model stopped: ``"end_turn"``, ``"max_tokens"``, ``"refusal"`` and so on."""
        return self.response.stop_reason

    @property
    def refusal(self) -> StopDetails | None:
        """Why the safety classifiers stopped the reply, or None if they did not.

        What text there is broke off; ``category`` and ``explanation`` may be None even so.
        """
        if self.stop_reason != "refusal":
            return None
        return self.response.stop_details or StopDetails()

    @property
    def truncated(self) -> bool:
        """Whether the reply was cut off: by ``max_tokens`` or by the model's context window."""
        return self.stop_reason in ("max_tokens", "model_context_window_exceeded")

    @property
    def usage(self) -> Usage:
        """Tokens of the whole turn, all steps added up."""
        if not self.earlier:
            return self.response.usage
        return total([step.usage for step in (*self.earlier, self.response)])

    @property
    def total_cost(self) -> Decimal | None:
        """US dollars of everything that was asked in the turn, or None if a price is not known.

        That is the reply and what came beside it: a summary of an old conversation (``trim``), questions
        to a second model, attempts that were tried again or elsewhere, the slower one of a hedge.
        """
        return self.trace.cost

    @property
    def model(self) -> str:
        """The model that answered."""
        return self.response.model

    @property
    def request_id(self) -> str | None:
        """The API's id of the last exchange, for a support request."""
        return self.response.request_id

    @property
    def rate_limits(self) -> RateLimits:
        """What the headers of the last exchange say about rate limits."""
        return self.response.rate_limits

    @property
    def tool_uses(self) -> tuple[ToolUseBlock, ...]:
        """The tool calls in the response that nobody has answered yet."""
        answered = {result.tool_use_id for result in self.tool_results}
        return tuple(
            block
            for block in self.response.content
            if isinstance(block, ToolUseBlock) and block.id not in answered
        )

    @property
    def tool_errors(self) -> tuple[ToolError, ...]:
        """The tools of the turn that failed; the model was told, the developer should look."""
        return tuple(self.trace.tool_errors)

    @property
    def pending(self) -> dict[str, Any] | None:
        """What a turn that waits for somebody's decision is, as plain JSON; None if none does.

        ``calls`` lists the tool calls that are open. Keep the whole where you like, and go on with
        ``line.resume(pending, decisions)``, in another process if need be: what has run is not run
        again. It holds the conversation, so keep it as you would keep that.
        """
        calls = self.tool_uses
        if self.stop_reason != "tool_use" or self.interrupted or not (calls or self.tool_results):
            return None
        from hookline.wire.codec import unstructure  # noqa: PLC0415 -- loads cattrs

        return {
            "version": 1,
            "id": self.pending_id,
            "calls": [{"id": c.id, "name": c.name, "input": thaw(c.input)} for c in calls],
            "results": [unstructure(result) for result in self.tool_results],
            "response": unstructure(self.response),
            "request": unstructure(self.request),
            "betas": list(self.request.betas),
        }

    @property
    def message(self) -> Message:
        """The assistant's turn as a conversation stores it: the prefill joined on.

        Without what the API would refuse to take back (``hookline.values.editing.remembered``): blank text,
        and calls that were cut off or came with another stop reason than ``"tool_use"``.
        """
        content = remembered(
            self.response.content,
            stop_reason=self.response.stop_reason,
            prefill=self._opening,
            interrupted=self.interrupted,
        )
        return Message("assistant", content)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation so far, ready to be sent again with a new message appended.

        A refused turn must not be fed back, or the next one is refused too; so after a refusal this
        is the conversation before the turn, without the person's message and what came of it (tool
        calls and their results). ``request.messages`` still has them.
        """
        sent = self.request.messages
        if self.refusal is not None:
            return before_the_turn(sent)
        if self._opening:
            sent = without_prefill(sent, self._opening)  # it is the beginning of the reply now
        return (*sent, self.message) if self.message.blocks else sent

    def to_dict(self) -> dict[str, Any]:
        """Return the reply as JSON-ready values; without the changes of the trace, which may be long.

        ``cost`` and ``total_cost`` are a ``float`` here; for sums use those of the reply, which are exact.
        ``output`` is what it was read from where it is no JSON itself.
        """
        from hookline.wire.codec import unstructure  # noqa: PLC0415 -- building a reply must not load cattrs

        trace = self.trace.to_dict()
        del trace["changes"]
        return {
            "text": self.text,
            "completion": self.completion,
            "output": _as_json(self.output, self.text),
            "stop_reason": self.stop_reason,
            "model": self.model,
            "prefill_mode": self.prefill_mode,
            "usage": unstructure(self.usage),
            "cost": None if self.cost is None else float(self.cost),
            "total_cost": trace.pop("cost"),
            "request_id": self.request_id,
            "trace": trace,
            "response": unstructure(self.response),
        }

    def evolve(self, **changes: Any) -> "Reply[T_co]":
        """Return a copy with some attributes replaced."""
        # attrs.evolve() looks at every field anew; each turn comes by here.
        return Reply(**{name: getattr(self, name) for name in _FIELDS} | changes)

    def with_text(self, text: str) -> "Reply[T_co]":
        """Return a copy whose ``text`` is ``text``; blocks that are not text stay.

        Args:
            text: the whole text. If it no longer begins with the prefill, the copy has none; if it no
                longer begins with the text of earlier steps, theirs is taken out.

        """
        said = "".join([step.text for step in self.earlier])
        opening = self.prefill.text if self.prefill else ""
        if text.startswith(opening + said):
            return self._with_step(text[len(opening) + len(said) :], keeps_prefill=bool(opening))
        silent = [
            step.evolve(content=tuple(b for b in step.content if not isinstance(b, TextBlock)))
            for step in self.earlier
        ]
        keeps = bool(opening) and text.startswith(opening)
        rest = text[len(opening) :] if keeps else text
        return self._with_step(rest, keeps_prefill=keeps).evolve(earlier=tuple(silent))

    def _with_step(self, text: str, *, keeps_prefill: bool) -> "Reply[T_co]":
        """Return a copy in which this step says ``text``, without the prefill."""
        content: list[Block] = []
        placed = False
        for block in self.response.content:
            if not isinstance(block, TextBlock):
                content.append(block)
            elif not placed:
                content.append(TextBlock(text))  # citations point into the old text: dropped
                placed = True
        if not placed:
            content.append(TextBlock(text))
        kept = tuple(block for block in content if not isinstance(block, TextBlock) or block.text)
        return self._rewritten(kept, keeps_prefill=keeps_prefill)

    def _rewritten(self, content: tuple[Block, ...], *, keeps_prefill: bool) -> "Reply[T_co]":
        request = self.request
        if (
            self._opening and not keeps_prefill
        ):  # the words are no part of the conversation any more
            request = request.evolve(messages=without_prefill(request.messages, self._opening))
        return self.evolve(
            prefill=self.prefill if keeps_prefill else None,
            request=request,
            response=self.response.evolve(content=content),
        )

    def map_text(self, function: Callable[[str], str]) -> "Reply[T_co]":
        """Return a copy with ``function`` applied to each text of this step, its citations included.

        Unlike `rewrite` it keeps the blocks apart, and so the citations and the tool calls between them.
        The prefill counts as the beginning of the first text. Texts of earlier steps have been through
        ``post_process`` then, and stay.

        Args:
            function: gets a text and returns what stands for it.

        Returns:
            The new reply, or this one where nothing changed.

        Raises:
            InputError: the function returned no text.

        Example:
            >>> reply.map_text(lambda text: text.replace("Ada", "[name]"))

        """
        from hookline.values.editing.text import checked_function, mapped_block_text  # noqa: PLC0415 -- only who edits needs it

        say = checked_function(function)
        content = self.response.content
        first = next((block for block in content if isinstance(block, TextBlock)), None)
        if first is None:
            return self.rewrite(say)
        prefill = self._opening.text if self._opening else ""
        done: list[Block] = []
        for block in content:
            if not isinstance(block, TextBlock):
                done.append(block)
            elif block is first and prefill:
                whole = mapped_block_text(block.evolve(text=prefill + block.text), say)
                if not whole.text.startswith(prefill):
                    prefill = ""
                rest = whole.evolve(text=whole.text[len(prefill) :])
                done.append(block if rest == block else rest)
            else:
                done.append(mapped_block_text(block, say))
        if all(new is old for new, old in zip(done, content, strict=True)):
            return self
        return self._rewritten(tuple(done), keeps_prefill=bool(prefill or self.earlier))

    def rewrite(self, function: Callable[[str], str]) -> "Reply[T_co]":
        """Return a copy with ``function`` applied to the text of this step, or self if nothing changed.

        The prefill counts as its beginning. Texts of earlier steps have been through ``post_process``
        then, and stay.
        """
        opening = self._opening.text if self._opening else ""
        old = opening + self.response.text
        new = function(old)
        if new == old:
            return self
        if not new.startswith(opening):
            return self._with_step(new, keeps_prefill=False)
        return self._with_step(new[len(opening) :], keeps_prefill=self.prefill is not None)

    def __repr__(self) -> str:
        refusal = self.refusal
        if refusal is None:
            text = without_keys(self.text[: 2 * _SHOWN])
            first = repr(text if len(self.text) <= _SHOWN else text[: _SHOWN - 1] + "…")
        else:  # what text there is must not pass for an answer
            first = f"refused, category={refusal.category!r}"
        parts = [first, f"stop_reason={self.stop_reason!r}", f"model={without_keys(self.model)!r}"]
        if self.interrupted:
            parts.append("interrupted=True")
        return f"<Reply {', '.join(parts)}>"

    def _repr_html_(self) -> str:
        usage = self.usage
        facts = [self.model, f"{usage.input_tokens} → {usage.output_tokens} tokens"]
        if self.cost is not None:
            facts.append(f"${self.cost:.6f}")
        if self.total_cost and self.total_cost != self.cost:
            facts.append(f"${self.total_cost:.6f} in all")
        if self.stop_reason:
            facts.append(self.stop_reason)
        shown = f'<div style="white-space:pre-wrap">{html.escape(self.text)}</div>'
        if self.refusal is not None:
            why = ": ".join(filter(None, ("Refused", self.refusal.category)))
            explanation = html.escape(self.refusal.explanation or "")
            shown = f"<div><b>{html.escape(why)}</b> <i>{explanation}</i></div>"
        return (
            f'<div>{shown}<small style="opacity:.6">{html.escape(" · ".join(facts))}</small></div>'
        )


_FIELDS: Final = tuple(a.name for a in fields(Reply))


@frozen(kw_only=True)
class Outcome:
    """How a turn ended: what ``conclude`` gets.

    Attributes:
        reply: what the caller gets, or None.
        error: what the caller gets instead; ``GeneratorExit`` or a cancellation if the caller left.
        attempts: every HTTP exchange of the turn, those that were thrown away included.
        models: facts about models, by which the cost is worked out.

    """

    reply: Reply | None
    error: BaseException | None
    attempts: tuple[AttemptRecord, ...]
    models: "ModelTable" = field(repr=False)

    @property
    def usage(self) -> Usage:
        """Tokens of all attempts: what the provider counts, not only what the caller got."""
        return total([each.usage for each in self.attempts if each.usage is not None])

    @property
    def cost(self) -> Decimal | None:
        """US dollars of all attempts, or None if a price is not known."""
        return self.models.price((each.answered_by, each.usage) for each in self.attempts)


def _as_json(output: Any, text: str) -> Any:
    """Return a structured output as JSON values."""
    if output is None:
        return None
    try:
        json.dumps(output)
    except (TypeError, ValueError):
        return json.loads(text)
    return output
