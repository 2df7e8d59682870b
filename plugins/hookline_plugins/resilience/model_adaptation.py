"""A request made for one model, adapted so that another one accepts it.

Each rule looks at what the other model's facts allow (facts 4, 9.2, 9.3) and changes as little as
it can; the plugin ``fallback`` applies them in order. What is given up is told, one line a rule.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from hookline import Message, Request
from hookline.models import ModelFacts
from hookline.values import Block, RedactedThinkingBlock, ThinkingBlock

__all__ = ["adapted", "obstacle"]

Change: TypeAlias = tuple[Request, str]
Rule: TypeAlias = Callable[[Request, ModelFacts], Change | None]

_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
_LEAST_BUDGET: Final = 1024
_SAMPLING: Final = ("temperature", "top_p", "top_k")
_ON: Final = ("enabled", "adaptive")
_OFF: Final = ("disabled", "between_tools")


def obstacle(request: Request, facts: ModelFacts) -> str | None:
    """Return why no adaptation would make the model take the request, or None."""
    blocks = [block for message in request.messages for block in message.blocks]
    if facts.vision is None and any(block.type == "image" for block in blocks):
        return "it cannot see images"
    if not facts.system_role and any(message.role == "system" for message in request.messages):
        return "it takes no system messages within a conversation"
    return None


def adapted(request: Request, facts: ModelFacts) -> tuple[Request, list[str]]:
    """Return the request as another model accepts it.

    Args:
        request: made for some model.
        facts: of the model that gets it.

    Returns:
        The request, and what was changed besides the model.

    """
    request = request.evolve(model=facts.id)
    changes: list[str] = []
    for rule in _RULES:
        change = rule(request, facts)
        if change is not None:
            request, told = change
            changes.append(told)
    return request, changes


def _kind(request: Request) -> str | None:
    kind = (request.thinking or {}).get("type")
    return kind if isinstance(kind, str) else None


def _max_tokens(request: Request, facts: ModelFacts) -> Change | None:
    if request.max_tokens <= facts.max_output:
        return None
    return request.evolve(max_tokens=facts.max_output), f"max_tokens {facts.max_output}"


def _foreign_thoughts(request: Request, _facts: ModelFacts) -> Change | None:
    """Drop thinking blocks: their signatures are another model's."""
    messages = tuple(_without_thoughts(request.messages))
    if messages == request.messages:
        return None
    return request.evolve(messages=messages), "thinking blocks of another model dropped"


def _without_thoughts(messages: tuple[Message, ...]) -> Iterator[Message]:
    for message in messages:
        if message.role != "assistant" or isinstance(message.content, str):
            yield message
            continue
        kept = tuple(block for block in message.content if not _is_thought(block))
        if len(kept) == len(message.content):
            yield message
        elif kept:  # an empty message would be refused
            yield message.evolve(content=kept)


def _is_thought(block: Block) -> bool:
    return isinstance(block, ThinkingBlock | RedactedThinkingBlock)


def _thinking(request: Request, facts: ModelFacts) -> Change | None:
    kind = _kind(request)
    if kind is None or kind in facts.thinking:
        return _thinking_within(request, kind)
    if kind in _ON:
        if "adaptive" in facts.thinking:
            return request.evolve(thinking={"type": "adaptive", **_display(request)}), (
                "thinking adaptive"
            )
        budget = request.max_tokens // 2
        if "enabled" in facts.thinking and budget >= _LEAST_BUDGET:
            wanted = {"type": "enabled", "budget_tokens": budget}
            changed = request.evolve(thinking=wanted)
            within = _thinking_within(changed, "enabled")
            return within or (changed, f"thinking budget {budget}")
    other = next((each for each in _OFF if kind in _OFF and each in facts.thinking), None)
    if other is not None:
        return request.evolve(thinking={"type": other}), f"thinking {other}"
    return request.evolve(thinking=None), f"thinking {kind} left out"


def _display(request: Request) -> dict[str, Any]:
    display = (request.thinking or {}).get("display")
    return {"display": display} if display in ("summarized", "omitted") else {}


def _thinking_within(request: Request, kind: str | None) -> Change | None:
    """Keep a fixed budget below max_tokens, and off in a tool loop that another model began."""
    if kind != "enabled" or request.thinking is None:
        return None
    if _in_tool_loop(request):
        return request.evolve(thinking=None), "thinking off until the tools are done"
    if request.thinking.get("budget_tokens", 0) < request.max_tokens:
        return None
    budget = request.max_tokens // 2
    if budget < _LEAST_BUDGET:
        return request.evolve(thinking=None), "thinking off: max_tokens leaves no budget"
    return (
        request.evolve(thinking={**request.thinking, "budget_tokens": budget}),
        f"thinking budget {budget}",
    )


def _in_tool_loop(request: Request) -> bool:
    """Say whether the last message brings tool results: then thoughts should stand before them."""
    last = request.messages[-1] if request.messages else None
    return last is not None and any(block.type == "tool_result" for block in last.blocks)


def _effort(request: Request, facts: ModelFacts) -> Change | None:
    config = dict(request.output_config or {})
    effort = config.get("effort")
    if effort not in _EFFORTS:
        return None
    allowed = [level for level in _EFFORTS if level in facts.effort]
    if _kind(request) in _OFF and facts.quiet_effort in allowed:
        allowed = allowed[: allowed.index(facts.quiet_effort or "") + 1]
    if effort in allowed:
        return None
    lower = [level for level in allowed if _EFFORTS.index(level) < _EFFORTS.index(effort)]
    wanted = lower[-1] if lower else next(iter(allowed), None)
    if wanted is None:
        del config["effort"]
    else:
        config["effort"] = wanted
    return request.evolve(output_config=config or None), f"effort {wanted or 'left out'}"


def _sampling(request: Request, facts: ModelFacts) -> Change | None:
    given = {name for name in _SAMPLING if getattr(request, name) is not None}
    if facts.sampling == "rejected":
        dropped = given
    elif facts.thinks(_kind(request)):
        dropped = given & {"temperature", "top_k"}
    elif facts.sampling == "one_of" and {"temperature", "top_p"} <= given:
        dropped = {"top_p"}
    else:
        dropped = set()
    if not dropped:
        return None
    return (
        request.evolve(**dict.fromkeys(dropped)),
        f"{', '.join(sorted(dropped))} left out",
    )


def _forced_tool(request: Request, facts: ModelFacts) -> Change | None:
    choice = request.tool_choice
    if choice is None or choice.type not in ("any", "tool"):
        return None
    kind = _kind(request)
    if facts.forced_tool_choice and not facts.thinks(kind):
        return None
    if facts.forced_tool_choice and kind is None and "disabled" in facts.thinking:
        return request.evolve(thinking={"type": "disabled"}), "thinking off for a forced tool"
    return request.evolve(tool_choice=choice.evolve(type="auto", name=None)), "tool_choice auto"


def _speed(request: Request, facts: ModelFacts) -> Change | None:
    if request.speed != "fast" or facts.fast_mode in ("ga", "ignored"):
        return None
    return request.evolve(speed=None), "speed left out"


_RULES: Final[tuple[Rule, ...]] = (
    _max_tokens,
    _foreign_thoughts,
    _thinking,
    _effort,
    _forced_tool,  # may set thinking, so before what looks at it
    _sampling,
    _speed,
)
