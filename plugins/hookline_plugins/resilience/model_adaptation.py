"""A request made for one model, adapted so that another one accepts it.

The rules are those of the plugin ``modernize`` (``for_model``); what is given up is told, one line a change.
"""

from hookline import Request
from hookline.models import ModelFacts
from hookline_plugins.modernize.for_model import FOR_MODEL, WISHES
from hookline_plugins.modernize.rules import Case, applied

__all__ = ["adapted", "obstacle"]


def obstacle(request: Request, facts: ModelFacts) -> str | None:
    """Return why no adaptation would make the model take the request, or None."""
    blocks = [block for message in request.messages for block in message.blocks]
    if facts.vision is None and any(block.type == "image" for block in blocks):
        return "it cannot see images"
    if not facts.system_role and any(message.role == "system" for message in request.messages):
        return "it takes no system messages within a conversation"
    return None


def adapted(request: Request, facts: ModelFacts, version: str = "") -> tuple[Request, list[str]]:
    """Return the request as another model accepts it.

    Args:
        request: made for some model.
        facts: of the model that gets it.
        version: the ``anthropic-version`` that it goes out with; empty where it is not known.

    Returns:
        The request, and what was changed besides the model.

    """
    case = Case(facts=facts, moved=True, version=version)
    request, changes = applied((*FOR_MODEL, *WISHES), request.evolve(model=facts.id), case)
    return request, [change.what for change in changes]
