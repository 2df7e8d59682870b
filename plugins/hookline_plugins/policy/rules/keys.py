"""What a rule may hold: one class for each key that has a table, and the rule itself."""

from typing import Final, Literal, TypeAlias

from attrs import field, frozen

from hookline.plugin import option

__all__ = [
    "PARTS",
    "Attachments",
    "Choice",
    "Context",
    "Forbid",
    "Hours",
    "Models",
    "Most",
    "Names",
    "Part",
    "Rule",
    "Scope",
    "SystemText",
    "ToolInput",
]

Part: TypeAlias = Literal[
    "system", "messages", "prefill", "tools", "tool_inputs", "tool_results",
    "documents", "metadata", "urls", "headers", "names", "reply",
]  # fmt: skip

PARTS: Final[dict[Part, str]] = {
    "system": "the system prompt, system messages among it",
    "messages": "the text of every turn, thinking and quotes included",
    "prefill": "the words put in the model's mouth",
    "tools": "definitions of tools: names, descriptions, schemas, examples",
    "tool_inputs": "what tools are called with, keys included",
    "tool_results": "what tools returned, those that run at the API included",
    "documents": "text, titles and contexts of documents, search results, text files",
    "metadata": "metadata, stop sequences, output schemas, and every other field",
    "urls": "addresses of images, documents, MCP servers and hits",
    "headers": "beta names, and the pipeline's own headers",
    "names": "names of files and documents, custom_ids of batch items",
    "reply": "text, thinking, tool inputs, citations, server results and stop details of the reply",
}


@frozen(kw_only=True)
class Names:
    """Which names are allowed.

    Attributes:
        allow: patterns (``*``, ``?``); where given, nothing else is allowed.
        deny: patterns of what is not, whatever ``allow`` says.

    """

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()


@frozen(kw_only=True)
class Models(Names):
    """Which models are allowed, in ``fallbacks`` and in definitions of tools too.

    Attributes:
        allow: patterns of ids. A model goes by its id, its aliases, and the name that was asked for:
            ``us.anthropic.claude-opus-4-5-20251101-v1:0`` is ``claude-opus-4-5`` too, and
            ``eu.anthropic.*`` allows one region only. A name that is not surely a model's allows nothing.
        deny: patterns of ids, by whatever spelling one of these may be meant: ``x/Claude-Opus-4.5`` too.
        pin: whether a model must be named with its day, by its full id or as a cloud spells that: an alias
            may mean another one tomorrow.

    """

    pin: bool = False


@frozen(kw_only=True)
class Most:
    """The largest number allowed.

    Attributes:
        max: it.

    """

    max: int = field(metadata=option(least=0))


@frozen(kw_only=True)
class Choice:
    """Which values are allowed.

    Attributes:
        allow: they.

    """

    allow: tuple[str, ...]


@frozen(kw_only=True)
class Context:
    """How long a conversation may be.

    Attributes:
        max_tokens: of the input, estimated at four bytes a token.
        max_messages: of the request.

    """

    max_tokens: int | None = field(default=None, metadata=option(least=0))
    max_messages: int | None = field(default=None, metadata=option(least=0))


@frozen(kw_only=True)
class Attachments:
    """What images and documents are allowed, wherever they lie.

    Attributes:
        max_count: how many.
        max_bytes: of each. One that the API would fetch by URL has no known size and is refused.
        kinds: patterns of ``image``, ``document``, or media types (``image/*``, ``application/pdf``).

    """

    max_count: int | None = field(default=None, metadata=option(least=0))
    max_bytes: int | None = field(default=None, metadata=option(least=0))
    kinds: tuple[str, ...] | None = None


@frozen(kw_only=True)
class SystemText:
    """What the system prompt must say.

    Attributes:
        require: a text; it is added behind what is there, and its cache breakpoints, where it is missing.

    """

    require: str


@frozen(kw_only=True)
class Forbid:
    """What must not be said.

    Attributes:
        pattern: in RE2's syntax; ``^`` and ``$`` are the ends of a line.
        words: whole words and phrases, in any case of letters, whatever but letters and digits stands
            between the words of a phrase.
        in_: the parts that are looked at; all where none is named.

    """

    pattern: str | None = None
    words: tuple[str, ...] = ()
    in_: tuple[str, ...] | None = None


@frozen(kw_only=True)
class ToolInput:
    """What a tool must not be called with.

    Attributes:
        tool: a pattern of its name.
        pattern: in RE2's syntax, looked for in every text of the input, keys included.

    """

    tool: str = "*"
    pattern: str


@frozen(kw_only=True)
class Hours:
    """When turns are allowed.

    Attributes:
        from_: time of day, ``08:00``.
        to: time of day, not included; before ``from``, the window goes past midnight.
        days: ``mon`` to ``sun``; all where none is named. After midnight it is the day before that counts.
        zone: of the times, ``Europe/Berlin``.

    """

    from_: str = "00:00"
    to: str = "24:00"
    days: tuple[str, ...] = ()
    zone: str = "UTC"


@frozen(kw_only=True)
class Scope:
    """Whom and what a rule is for: all that is named must fit, of each one pattern.

    Attributes:
        users: patterns of the principal's user.
        teams: patterns of the principal's team.
        tags: ``name``, or ``name=value``, both patterns.
        models: patterns of the model asked.
        surfaces: ``send``, ``stream``, ``count_tokens``, ``batch``, ``upload``, ``explain``.
        environments: patterns of the environment (``production``), which the policy names:
            ``lock = {"plugins.rules.environment" = "production"}``. Where it names none, the rule holds.

    """

    users: tuple[str, ...] | None = None
    teams: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    surfaces: tuple[str, ...] | None = None
    environments: tuple[str, ...] | None = None


@frozen(kw_only=True)
class Rule:
    """One rule of the organisation.

    Attributes:
        id: a short stable name; verdicts carry it.
        reason: what the user reads, and what to do instead; by default what was broken.
        shadow: judge and record, stop nothing.
        sample: share of the users, 0 to 1, that the rule is for; where nobody is named, of the turns.
        for_: whom and what it is for; everybody and everything by default.
        when: a CEL expression over ``principal``, ``request``, ``context``, ``now`` and ``surface``; the
            rule is for what it says true of. What it cannot decide is refused.
        models: that may be asked.
        max_tokens: that may be asked for.
        effort: levels allowed; a request that names none counts as what its model then takes.
        thinking: types allowed: ``adaptive``, ``enabled``, ``disabled`` …
        context: how long the conversation may be.
        attachments: which images and documents are allowed.
        image_hosts: that images and documents may come from.
        system: what the system prompt must say.
        forbid: what must not be said.
        tools: of the caller that may be offered and run.
        server_tools: of the API that may be offered, by type or name.
        mcp_servers: that may be used, by host; a name is whatever the caller likes.
        betas: that may be asked for.
        destinations: that requests may go to, by host or by address.
        inference_geo: where the model may run; a request that does not say counts as ``default``.
        tool_input: what tools must not be called with.
        user_id: ``hash`` sends a digest in place of ``metadata.user_id``; ``require`` and ``forbid`` it.
        hours: when turns are allowed.

    """

    id: str
    reason: str = ""
    shadow: bool = False
    sample: float = field(default=1.0, metadata=option(least=0, most=1))
    for_: Scope | None = None
    when: str = ""
    models: Models | None = None
    max_tokens: Most | None = None
    effort: Choice | None = None
    thinking: Choice | None = None
    context: Context | None = None
    attachments: Attachments | None = None
    image_hosts: Names | None = None
    system: SystemText | None = None
    forbid: Forbid | None = None
    tools: Names | None = None
    server_tools: Names | None = None
    mcp_servers: Names | None = None
    betas: Names | None = None
    destinations: Names | None = None
    inference_geo: Names | None = None
    tool_input: ToolInput | None = None
    user_id: Literal["hash", "require", "forbid"] | None = None
    hours: Hours | None = None
