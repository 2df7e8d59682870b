"""What one model refuses that another one takes: limits, thinking, effort, sampling, forced tools (facts 9.2, 9.3).

Each rule looks at the facts of the model at hand and changes as little as it can. The plugins ``modernize`` and
``fallback`` go by the same rules.
"""

from typing import Final

from hookline import Message, Request
from hookline.models import EFFORTS, ModelFacts
from hookline.values import ToolChoice
from hookline_plugins.heal.blocks import is_thought, without_thoughts
from hookline_plugins.modernize.rules import Case, Found, Rule
from hookline_plugins.prefill.decision import with_instruction

__all__ = ["COOL", "FOR_MODEL", "QUIET", "WISHES", "kind_of"]

LEAST_BUDGET: Final = 1024
SAMPLING: Final = ("temperature", "top_p", "top_k")
_WITHOUT_SAMPLING: Final = "2026-10-21"
_ON: Final = ("enabled", "adaptive")
_OFF: Final = ("disabled", "between_tools")
_FORCED: Final = ("any", "tool")
# How much thinking a budget stands for: below so many tokens, this effort.
_EFFORT_OF_BUDGET: Final = ((2_048, "low"), (8_192, "medium"), (24_576, "high"))
_MOST_EFFORT: Final = "xhigh"
_COOL: Final = 0.3  # at most this temperature asks for the likeliest words, and no detours
_MUST_CALL: Final = "Answer this by calling {tool}; do not answer in words alone."


def kind_of(request: Request) -> str | None:
    """Return the ``thinking.type`` that a request asks for, or None."""
    kind = (request.thinking or {}).get("type")
    return kind if isinstance(kind, str) else None


def _with_effort(request: Request, facts: ModelFacts, effort: str) -> tuple[Request, str]:
    """Ask for an effort where nobody has asked for one and the model has levels; return which."""
    config = dict(request.output_config or {})
    if config.get("effort") is not None or not facts.effort:
        return request, ""
    wanted = _nearest(effort, facts.effort)
    return request.evolve(output_config={**config, "effort": wanted}), wanted


def _nearest(effort: str, allowed: tuple[str, ...]) -> str:
    """Return a level that is allowed: this one, or else the next lower one, or the lowest."""
    lower = [level for level in allowed if EFFORTS.index(level) <= EFFORTS.index(effort)]
    return lower[-1] if lower else allowed[0]


def _max_tokens(request: Request, case: Case) -> Found:
    facts = case.facts
    if facts is None or request.max_tokens <= facts.max_output:
        return None
    told = ("max_tokens", f"max_tokens {facts.max_output}")
    return request.evolve(max_tokens=facts.max_output), (told,)


def _foreign_thoughts(request: Request, case: Case) -> Found:
    """Drop thinking blocks: their signatures are another model's."""
    if not case.moved:
        return None
    messages = tuple(without_thoughts(request.messages))
    if len(messages) == len(request.messages) and all(map(_same, messages, request.messages)):
        return None
    told = ("messages", "thinking blocks of another model dropped")
    return request.evolve(messages=messages), (told,)


def _same(one: Message, other: Message) -> bool:
    return one is other


def _thinking(request: Request, case: Case) -> Found:
    facts, kind = case.facts, kind_of(request)
    if facts is None:
        return None
    if kind is None or kind in facts.thinking:
        return _thinking_within(request, kind)
    if kind in _ON:
        if "adaptive" in facts.thinking:
            return _adaptive(request, facts)
        budget = request.max_tokens // 2
        if "enabled" in facts.thinking and budget >= LEAST_BUDGET:
            wanted = {"type": "enabled", "budget_tokens": budget}
            changed = request.evolve(thinking=wanted)
            within = _thinking_within(changed, "enabled")
            return within or (changed, (("thinking", f"thinking budget {budget}"),))
    other = next((each for each in _OFF if kind in _OFF and each in facts.thinking), None)
    if other is not None:
        return request.evolve(thinking={"type": other}), (("thinking", f"thinking {other}"),)
    return request.evolve(thinking=None), (("thinking", f"thinking {kind} left out"),)


def _adaptive(request: Request, facts: ModelFacts) -> Found:
    """Let the model decide how much it thinks, and keep how much that was to be."""
    budget = (request.thinking or {}).get("budget_tokens")
    display = (request.thinking or {}).get("display")
    shown = {"display": display} if display in ("summarized", "omitted") else {}
    changed, effort = request.evolve(thinking={"type": "adaptive", **shown}), ""
    if isinstance(budget, int):
        meant = next((level for most, level in _EFFORT_OF_BUDGET if budget < most), _MOST_EFFORT)
        changed, effort = _with_effort(changed, facts, meant)
    of = f", effort {effort}: the budget was {budget} tokens" if effort else ""
    return changed, (("thinking", f"thinking adaptive{of}"),)


def _thinking_within(request: Request, kind: str | None) -> Found:
    """Keep a fixed budget below max_tokens, and off in a tool loop that another model began."""
    if kind != "enabled" or request.thinking is None:
        return None
    if _in_tool_loop(request):
        told = "thinking off until the tools are done"
        return request.evolve(thinking=None), (("thinking", told),)
    if request.thinking.get("budget_tokens", 0) < request.max_tokens:
        return None
    budget = request.max_tokens // 2
    if budget < LEAST_BUDGET:
        told = "thinking off: max_tokens leaves no budget"
        return request.evolve(thinking=None), (("thinking", told),)
    wanted = {**request.thinking, "budget_tokens": budget}
    return request.evolve(thinking=wanted), (("thinking", f"thinking budget {budget}"),)


def _in_tool_loop(request: Request) -> bool:
    """Say whether the tool results came without the thoughts that led to the calls."""
    last = request.messages[-1] if request.messages else None
    if last is None or not any(block.type == "tool_result" for block in last.blocks):
        return False
    before = next((each for each in reversed(request.messages) if each.role == "assistant"), None)
    return before is None or not is_thought(before.blocks[0])


def _quiet(request: Request, case: Case) -> Found:
    """Keep a request from thinking that did not think before: thoughts take of max_tokens."""
    facts, made_for = case.facts, case.made_for
    if facts is None or made_for is None or not case.moved or request.thinking is not None:
        return None
    if made_for.thinks(None) or not facts.thinks(None):
        return None
    kind = next((each for each in _OFF if each in facts.thinking), None)
    if kind is not None:
        return request.evolve(thinking={"type": kind}), (("thinking", f"thinking {kind}"),)
    changed, effort = _with_effort(request, facts, "low")
    told = ("output_config.effort", f"effort {effort}, since thinking cannot be off")
    return (changed, (told,)) if effort else None


def _effort(request: Request, case: Case) -> Found:
    facts, config = case.facts, dict(request.output_config or {})
    effort = config.get("effort")
    if facts is None or effort not in EFFORTS:
        return None
    allowed = [level for level in EFFORTS if level in facts.effort]
    if kind_of(request) in _OFF and facts.quiet_effort in allowed:
        allowed = allowed[: allowed.index(facts.quiet_effort or "") + 1]
    if effort in allowed:
        return None
    if allowed:
        config["effort"] = _nearest(effort, tuple(allowed))
    else:
        del config["effort"]
    told = ("output_config.effort", f"effort {config.get('effort', 'left out')}")
    return request.evolve(output_config=config or None), (told,)


def _refused_sampling(request: Request, case: Case) -> frozenset[str]:
    """Return the sampling parameters that the request has and the model, or the version, refuses."""
    facts = case.facts
    given = frozenset(name for name in SAMPLING if getattr(request, name) is not None)
    if case.version == _WITHOUT_SAMPLING or (facts is not None and facts.sampling == "rejected"):
        return given
    if facts is None:
        return frozenset()
    if facts.thinks(kind_of(request)):
        return given & {"temperature", "top_k"}
    if facts.sampling == "one_of" and {"temperature", "top_p"} <= given:
        return frozenset({"top_p"})
    return frozenset()


def _sampling(request: Request, case: Case) -> Found:
    dropped = _refused_sampling(request, case)
    if not dropped:
        return None
    told = tuple(
        (name, f"{name} {getattr(request, name)} left out") for name in SAMPLING if name in dropped
    )
    return request.evolve(**dict.fromkeys(dropped)), told


def _cool(request: Request, case: Case) -> Found:
    """Say with effort what a low temperature said, before it is dropped."""
    facts, temperature = case.facts, request.temperature
    if facts is None or temperature is None or temperature > _COOL:
        return None
    if "temperature" not in _refused_sampling(request, case):
        return None
    changed, effort = _with_effort(request, facts, "low")
    told = ("output_config.effort", f"effort {effort}, which temperature {temperature} asked for")
    return (changed, (told,)) if effort else None


def _off_for_a_forced_tool(request: Request, case: Case) -> Found:
    """Turn thinking off where that is all that stands in the way of a forced tool."""
    facts, choice = case.facts, request.tool_choice
    if facts is None or choice is None or choice.type not in _FORCED:
        return None
    if not facts.forced_tool_choice or kind_of(request) is not None or not facts.thinks(None):
        return None
    if "disabled" not in facts.thinking:
        return None
    changed = request.evolve(thinking={"type": "disabled"})
    return changed, (("thinking", "thinking off for a forced tool"),)


def _forced_tool(request: Request, case: Case) -> Found:
    """Ask in words for what the model cannot be forced to."""
    facts, choice = case.facts, request.tool_choice
    if facts is None or choice is None or choice.type not in _FORCED:
        return None
    if facts.forced_tool_choice and not facts.thinks(kind_of(request)):
        return None
    auto: ToolChoice = choice.evolve(type="auto", name=None)
    tool = f"the tool {choice.name}" if choice.name else "one of the tools"
    asked = with_instruction(request.evolve(tool_choice=auto), _MUST_CALL.format(tool=tool))
    return asked, (("tool_choice", f"tool_choice auto, and the words: call {tool}"),)


def _speed(request: Request, case: Case) -> Found:
    if request.speed != "fast" or case.facts is None or case.facts.fast_mode in ("ga", "ignored"):
        return None
    return request.evolve(speed=None), (("speed", "speed left out"),)


QUIET: Final = Rule("thinking-default", "it thinks unless it is told not to, facts 9.2", _quiet)
COOL: Final = Rule("sampling", "a temperature up to 0.3 stands for low effort, facts 9.2", _cool)

FOR_MODEL: Final[tuple[Rule, ...]] = (
    Rule("max-tokens", "its most output, facts 9.1", _max_tokens),
    Rule("foreign-thoughts", "they are signed for their model, facts 9.3", _foreign_thoughts),
    Rule("thinking", "the kinds of thinking it takes, facts 9.2", _thinking),
    Rule("effort", "the efforts it takes, facts 9.2", _effort),
    # may set thinking, so before what looks at it
    Rule("forced-tool", "who thinks cannot be forced, facts 9.3", _off_for_a_forced_tool),
    Rule("sampling", "sampling parameters are gone, facts 1.5, 9.2", _sampling),
    Rule("speed", "who has a fast mode, facts 12.6", _speed),
)
"""What the fields of a request must be for a model."""

WISHES: Final[tuple[Rule, ...]] = (
    Rule("forced-tool", "it cannot be forced to use a tool, facts 10.2", _forced_tool),
)
"""What is said in words instead; for the wire only, since a conversation shall not remember it."""
