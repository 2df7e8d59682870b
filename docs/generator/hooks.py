"""The pages about hooks: signature and words from the contract, order and failures from the tables below."""

import ast
from collections.abc import Mapping
from typing import Final

from generator import signatures
from generator.prose import cell, fence, markdown, summary, table
from generator.source import definition, parsed
from hookline._journey.plugin_set import HOOKS

__all__ = ["FAILURES", "listed", "page"]

_CONTRACT: Final = "hookline.hookspecs"

_OFTEN: Final[Mapping[str, str]] = {
    "build_history": "once a turn, before everything else that can change the request",
    "inject_prefill": "once a turn, when the history stands",
    "resolve_images": "before every step of a turn, since a tool's result may hold an image",
    "send": "once a step",
    "check_request": "before every attempt, and before an answer is used that no attempt made",
    "filter_stream": "once a step, when the first of the answer has come",
    "post_process": "once a step, when the answer is whole",
    "call_tool": "once for every tool call that is answered here",
    "check_tool": "just before a tool runs, inside all `call_tool` layers",
    "check_reply": "once a step, after all filters and `post_process`",
    "conclude": "once a turn, whatever happened, before the caller has the end",
    "on_turn_start": "once a turn, before everything else",
    "on_attempt": "after every attempt, once its answer has really ended",
    "on_tool": "after every tool call that was answered here",
    "on_event": "for every event of a stream, as the caller gets it",
    "on_turn_end": "once a turn, after `conclude`",
    "register_commands": "once, when the command line looks for commands",
    "open": "once, when the pipeline is entered or first used",
    "close": "once, when the pipeline is closed",
}
_AT_CONSTRUCTION: Final = "once, when the pipeline is built"

_AS_REGISTERED: Final = "as registered, moved only by its own `first`, `last`, `before` and `after`; enforcers come after all others"
_ORDER: Final[Mapping[str, str]] = {
    "send": (
        "by `layer`, from the outside in; within a layer as registered, the first being the outermost. Without a "
        "layer it stands just outside `RETRY`"
    ),
    "call_tool": f"{_AS_REGISTERED}. The first is the outermost",
    "filter_stream": f"{_AS_REGISTERED}. Plugins with `mirrored = True` in reverse order among themselves",
    "post_process": f"{_AS_REGISTERED}. Plugins with `mirrored = True` in reverse order among themselves",
    "close": "the reverse of `open`: the last opened is closed first",
}

_FAILS: Final = "the turn fails with `PluginError`"
_REFUSED: Final = "the turn is refused with `PolicyViolation`"
_LOGGED: Final = "logged and noted in the trace; the turn goes on"
_NOT_ALLOWED: Final = "may not implement it: `ConfigError`"
_BUILD: Final = "the pipeline is not built: `PluginError`"
_ROLES: Final = ("transformer", "observer", "enforcer")
_BY_KIND: Final[Mapping[str, tuple[str, str, str]]] = {
    "transform": (_FAILS, _LOGGED, _REFUSED),
    "onion": (_FAILS, _NOT_ALLOWED, _REFUSED),
    "check": (_FAILS, _NOT_ALLOWED, _REFUSED),
    "stream": (_FAILS, _LOGGED, _REFUSED),
    "conclude": (_FAILS, _NOT_ALLOWED, _REFUSED),
    "observe": (_LOGGED, _LOGGED, _LOGGED),
    "register": (_BUILD, _BUILD, _BUILD),
}
_BY_HOOK: Final[Mapping[str, tuple[str, ...]]] = {
    "register_commands": ("a remark on stderr; the other commands are there",) * 3,
    "open": (
        "the pipeline cannot be used: `PluginError`",
        "the pipeline cannot be used: `PluginError`",
        "the pipeline cannot be used: `PolicyViolation`",
    ),
    "close": ("logged; the others are closed all the same",) * 3,
}

FAILURES: Final[Mapping[str, Mapping[str, str]]] = {
    hook: dict(zip(_ROLES, _BY_HOOK.get(hook) or _BY_KIND[kind], strict=True))
    for hook, kind in HOOKS.items()
}
"""What becomes of an exception, by hook and by the role of the plugin."""


def listed() -> str:
    """Return the list of hooks in the order of a turn, and what the contract says of all of them."""
    rows = [
        (f"[`{name}`](hooks/{name}.md)", kind, cell(summary(definition(_CONTRACT, name).doc)))
        for name, kind in HOOKS.items()
    ]
    contract = ast.get_docstring(parsed(_CONTRACT)) or ""
    kinds = "## Kinds\n\n" + markdown(contract.partition("\n\n")[2])
    return "\n\n".join([table("hook", "kind", "for", rows=rows), kinds])


def page(name: str) -> str:
    """Return what the contract says of one hook: signature, words, order, failures."""
    defined = definition(_CONTRACT, name)
    assert isinstance(defined.node, ast.FunctionDef | ast.AsyncFunctionDef)
    facts = [
        ("kind", HOOKS[name]),
        ("runs", _OFTEN.get(name, _AT_CONSTRUCTION)),
        ("order", _ORDER.get(name, _AS_REGISTERED)),
        ("may be", "`def`" if HOOKS[name] in {"stream", "register"} else "`def` or `async def`"),
    ]
    failures = [(f"`{role}`", text) for role, text in FAILURES[name].items()]
    return "\n\n".join([
        fence(signatures.of_function(defined.node, _CONTRACT)),
        markdown(defined.doc),
        "## When and in which order",
        table("", "", rows=facts),
        "## If it fails",
        table("role of the plugin", "an exception means", rows=failures),
    ])  # fmt: skip
