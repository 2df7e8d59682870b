"""The answer to ``compaction``: one block that stands for the whole conversation (facts 12.3, 16.1)."""

from hookline.simulator.answers.cut import Draft
from hookline.simulator.answers.signatures import sign_summary
from hookline.simulator.measures.tokens import count
from hookline.simulator.rules.request import Checked


def compacted(checked: Checked, said: str) -> Draft:
    """Summarise a conversation, as far as one can without reading it.

    Args:
        checked: A request with ``compaction``.
        said: The last user turn, shortened.

    Returns:
        The reply: the block alone, stop reason ``compaction``.

    """
    instructions = (checked.body["compaction"].get("instructions") or "").strip()
    summary = (
        f"The Hookline simulator's summary of {len(checked.body['messages'])} messages. "
        f"The last user turn was: {said}"
    )
    if instructions:
        summary = f"{summary}\nThe instructions were: {instructions}"
    block = sign_summary(summary, checked)
    return Draft((block,), "compaction", None, count(summary), 0)
