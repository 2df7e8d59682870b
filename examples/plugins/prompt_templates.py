"""Fills in prompts that have a name: ``context={"prompt": "summary", "topic": "ants"}``."""

from collections.abc import Mapping
from string import Template
from typing import ClassVar

from attrs import field, frozen

from hookline import InputError, Request, Turn, hookimpl


@frozen
class PromptTemplates:
    """Adds a system prompt out of a table, its ``$names`` filled in from the call's context.

    What a person writes is never taken for a template.

    Attributes:
        prompts: templates by name.

    """

    contract = ">=1,<2"
    sample_options: ClassVar = {"prompts": {"summary": "Sum up what is known of $topic."}}
    sample_context: ClassVar = {"prompt": "summary", "topic": "ants"}
    prompts: Mapping[str, str] = field(factory=dict)

    @hookimpl
    def build_history(self, turn: Turn, request: Request) -> Request | None:
        """Add the prompt that the call names."""
        name = turn.context.get("prompt")
        if name is None:
            return None
        if name not in self.prompts:
            raise InputError(f"there is no prompt {name!r}; there are {', '.join(self.prompts)}")
        try:
            text = Template(self.prompts[name]).substitute(turn.context)
        except (KeyError, ValueError) as error:
            raise InputError(f"prompt {name!r} cannot be filled in: {error}") from error
        return request.with_system(text)
