r"""Prompts of the Text Completions API, which is gone: one text with ``Human:`` and ``Assistant:`` in it (facts 0).

``"\n\nHuman: Hi\n\nAssistant:"`` becomes a user message. What stands before the first ``Human:`` is the system
prompt; words behind the last ``Assistant:`` are a prefill, for the plugin of that name.
"""

import re
from typing import Final

from hookline import Message, Request
from hookline_plugins.modernize.rules import Case, Found, Rule

__all__ = ["PROMPTS", "spoken_in"]

_SPEAKER: Final = re.compile(r"(?:\A|\n\n)[ \t]*(Human|Assistant):[ \t]?")
_ROLES: Final = {"Human": "user", "Assistant": "assistant"}
_LONGEST: Final = 4_096  # output tokens where a prompt asked for none
_GONE: Final = ("prompt", "max_tokens_to_sample")
_HUMAN: Final = re.compile(r"\A\s*Human:.*\n\nAssistant:", re.DOTALL)


def spoken_in(prompt: str) -> tuple[str, tuple[Message, ...]]:
    r"""Return the system prompt and the messages of a text.

    Args:
        prompt: with or without the marks; without any, all of it is the user's.

    Example:
        >>> spoken_in("Be brief.\n\nHuman: Hi\n\nAssistant:")
        ('Be brief.', (Message(role='user', content='Hi'),))

    """
    found = list(_SPEAKER.finditer(prompt))
    if not found:
        return "", (Message("user", prompt),)
    ends = [*(match.start() for match in found[1:]), len(prompt)]
    messages: list[Message] = []
    for match, end in zip(found, ends, strict=True):
        role, text = _ROLES[match[1]], prompt[match.end() : end].strip()
        if not text:
            continue
        if messages and messages[-1].role == role:  # one speaker twice, as the API would join them
            text = f"{messages.pop().text}\n\n{text}"
        messages.append(Message(role, text))
    return prompt[: found[0].start()].strip(), tuple(messages)


def _prompt(request: Request, _case: Case) -> Found:
    prompt = request.extra.get("prompt")
    if not isinstance(prompt, str) or request.messages:
        return None
    system, messages = spoken_in(prompt)
    extra = {name: value for name, value in request.extra.items() if name not in _GONE}
    asked = request.extra.get("max_tokens_to_sample")
    changed = request.evolve(
        messages=messages,
        max_tokens=asked if isinstance(asked, int) and asked > 0 else _LONGEST,
        extra=extra,
    )
    told = [
        ("prompt", f"it is messages, {len(messages)} of them"),
        ("max_tokens_to_sample", "it is max_tokens"),
    ]
    if system:
        changed = changed.with_system(system)
    return changed, tuple(told if asked is not None else told[:1])


def _prompt_in_a_message(request: Request, _case: Case) -> Found:
    """Take a prompt apart that somebody sends as the one message of a user."""
    if len(request.messages) != 1 or request.messages[0].role != "user":
        return None
    content = request.messages[0].content
    if not isinstance(content, str) or not _HUMAN.match(content):
        return None
    system, messages = spoken_in(content)
    changed = request.evolve(messages=messages)
    if system:
        changed = changed.with_system(system)
    return changed, (("messages.0", f"a prompt with speakers in it, {len(messages)} in turn"),)


PROMPTS: Final[tuple[Rule, ...]] = (
    Rule("completion", "Text Completions are gone, facts 0", _prompt),
    Rule("completion", "Text Completions are gone, facts 0", _prompt_in_a_message),
)
"""What was one text."""
