"""The plugin ``cost``: what a turn cost, where the model's prices are known."""

from attrs import frozen

from hookline import Reply, Turn, hookimpl
from hookline.plugin import checks_options

__all__ = ["Cost"]


@checks_options
@frozen
class Cost:
    """Puts a price on each reply."""

    first = True  # so that those who come later know it
    rewrites_text = False

    @hookimpl
    def post_process(self, turn: Turn, reply: Reply) -> Reply | None:
        """Put a price on the turn so far, where the model's prices are known."""
        total = turn.models.price(
            (response.model, response.usage)
            for response in (*reply.earlier, reply.response)
            if response.headers.get("hookline-cache") != "hit"  # nobody was asked, nothing is paid
        )
        if total is None:
            return None
        searches = (reply.usage.server_tool_use or {}).get("web_search_requests")
        if searches:
            turn.trace.note(
                "cost", f"without the fee for {searches} web searches, which is not known"
            )
        return reply.evolve(cost=total)
