"""The checks: for each key of a rule what it refuses, and how that is said."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from hashlib import blake2b
from operator import attrgetter
from typing import Any, Final
from zoneinfo import ZoneInfo

from attrs import frozen

from hookline.models import ModelNames
from hookline.values import EMPTY
from hookline_plugins.policy.rules.keys import (
    Attachments,
    Choice,
    Context,
    Hours,
    Models,
    Most,
    Names,
    SystemText,
)
from hookline_plugins.policy.rules.outgoing import Medium, Outgoing, host_of
from hookline_plugins.policy.rules.reading import DAYS, minutes

__all__ = ["CHECKS", "Broken", "Key", "allowed", "hashed_user", "matches"]

_HASHED: Final = re.compile(r"h_[0-9a-f]{40}")
_SERVERS_CHOICE: Final = "default"  # of ``fallbacks``: models that nobody here knows


@frozen
class Broken:
    """What a request broke.

    Attributes:
        what: in words for the user, if the rule gives no reason of its own.
        evidence: where, without what stands there.

    """

    what: str
    evidence: str = ""


@frozen
class Key:
    """How a key of a rule judges.

    Attributes:
        check: gets what the rule says, and the fact; returns what is broken.
        fact: what is judged, of all that is known of a request.
        uploads: whether an upload, which asks no model, is judged as well.
        kept: whether equal facts are judged alike, so that a judgement may be kept.

    """

    check: Callable[[Any, Any], Broken | None]
    fact: Callable[[Outgoing], Any]
    uploads: bool = False
    kept: bool = True


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Say whether one of the patterns fits a name."""
    return any(pattern == name or fnmatchcase(name, pattern) for pattern in patterns)


def allowed(names: Names, *known_as: str, perhaps: Iterable[str] = ()) -> bool:
    """Say whether what goes by some names is allowed: one of them is, and none is denied.

    Args:
        names: that are allowed, and that are not.
        known_as: its own.
        perhaps: further ones that it may go by; they are denied like its own, and allow nothing.

    """
    if any(matches(name, names.deny) for name in (*known_as, *perhaps)):
        return False
    return names.allow is None or any(matches(name, names.allow) for name in known_as)


def hashed_user(user_id: str) -> str:
    """Return the digest that is sent in place of a user id; a digest stays as it is."""
    if _HASHED.fullmatch(user_id):
        return user_id
    return "h_" + blake2b(user_id.encode(), digest_size=20, person=b"hookline user").hexdigest()


def _models(names: Models, models: tuple[ModelNames, ...]) -> Broken | None:
    for known in models:
        model = known.asked
        unknown = model == _SERVERS_CHOICE and not matches(model, names.allow or ())
        if unknown or not allowed(names, *known.sure, perhaps=known.perhaps):
            return Broken(f"the model {model} is not allowed{_instead(names)}", f"model {model}")
        if names.pin and not known.in_full:
            return Broken(
                f"name the model by its full id, {known.id}, not {model}", f"model {model}"
            )
    return None


def _instead(names: Names) -> str:
    return f"; use {', '.join(names.allow)}" if names.allow else ""


def _max_tokens(most: Most, asked: int) -> Broken | None:
    if asked <= most.max:
        return None
    return Broken(f"max_tokens may be {most.max} at most, not {asked}", f"max_tokens {asked}")


def _effort(choice: Choice, efforts: tuple[str, ...]) -> Broken | None:
    for effort in efforts:
        if effort not in choice.allow:
            return Broken(f"the effort may be {' or '.join(choice.allow)}, not {effort}")
    return None


def _thinking(choice: Choice, kind: str | None) -> Broken | None:
    if kind is None or kind in choice.allow:
        return None
    return Broken(f"thinking may be {' or '.join(choice.allow)}, not {kind}")


def _context(bounds: Context, out: Outgoing) -> Broken | None:
    count = len(out.request.messages)
    if bounds.max_messages is not None and count > bounds.max_messages:
        return Broken(f"a conversation may have {bounds.max_messages} messages, not {count}")
    if bounds.max_tokens is not None:
        tokens = out.tokens
        if tokens > bounds.max_tokens:
            return Broken(f"the input may have about {bounds.max_tokens} tokens, not {tokens:.0f}")
    return None


def _attachments(bounds: Attachments, media: tuple[Medium, ...]) -> Broken | None:
    if bounds.max_count is not None and len(media) > bounds.max_count:
        return Broken(f"{bounds.max_count} images and documents at most, not {len(media)}")
    for medium in media:
        names = tuple(filter(None, (medium.kind, medium.media_type)))
        if bounds.kinds is not None and not any(matches(name, bounds.kinds) for name in names):
            return Broken(f"{' '.join(names)} is not allowed; only {', '.join(bounds.kinds)}")
        if bounds.max_bytes is None:
            continue
        if medium.size is None:
            return Broken(f"the size of a {medium.kind} by URL is not known, and limited here")
        if medium.size > bounds.max_bytes:
            return Broken(
                f"a {medium.kind} may have {bounds.max_bytes} bytes, not {medium.size:.0f}"
            )
    return None


def _image_hosts(names: Names, hosts: tuple[str, ...]) -> Broken | None:
    for host in hosts:
        if not allowed(names, host):
            return Broken(f"images and documents may not come from {host}", f"host {host}")
    return None


def _system(wanted: SystemText, texts: Sequence[str]) -> Broken | None:
    if wanted.require in "\n".join(texts):
        return None
    return Broken("the system prompt lacks a text that is required")


def _tools(names: Names, tools: tuple[str, ...]) -> Broken | None:
    for tool in tools:
        if not allowed(names, tool):
            return Broken(f"the tool {tool} is not allowed", f"tool {tool}")
    return None


def _server_tools(names: Names, tools: tuple[tuple[str, ...], ...]) -> Broken | None:
    for known_as in tools:
        if not allowed(names, *known_as):
            return Broken(
                f"the tool {known_as[-1]} of the API is not allowed", f"tool {known_as[-1]}"
            )
    return None


def _mcp_servers(names: Names, hosts: tuple[str, ...]) -> Broken | None:
    for host in hosts:
        if not allowed(names, host):
            return Broken(f"the MCP server {host or '?'} is not allowed", f"host {host}")
    return None


def _betas(names: Names, betas: tuple[str, ...]) -> Broken | None:
    for beta in betas:
        if not allowed(names, beta):
            return Broken(f"the beta {beta} is not allowed", f"beta {beta}")
    return None


def _destinations(names: Names, address: str) -> Broken | None:
    if allowed(names, address, *filter(None, (host_of(address),))):
        return None
    return Broken(f"requests may not go to {host_of(address) or address}")


def _inference_geo(names: Names, geo: str) -> Broken | None:
    if allowed(names, geo):
        return None
    told = f"; say inference_geo={' or '.join(names.allow)}" if names.allow else ""
    return Broken(f"the model may not run in {geo!r}{told}")


def _user_id(wanted: str, user_id: Any) -> Broken | None:
    if wanted == "forbid" and user_id is not None:
        return Broken("metadata.user_id is not sent")
    if wanted == "require" and not user_id:
        return Broken("metadata.user_id is required")
    if wanted == "hash" and user_id is not None and not _HASHED.fullmatch(str(user_id)):
        return Broken("metadata.user_id is sent as a digest only")
    return None


def _hours(window: Hours, now: datetime) -> Broken | None:
    here = now.astimezone(ZoneInfo(window.zone))
    at, begin, end = here.hour * 60 + here.minute, minutes(window.from_), minutes(window.to)
    within = begin <= at < end if begin < end else at >= begin or at < end
    day = here - timedelta(days=1) if begin > end and at < end else here
    if within and (not window.days or DAYS[day.weekday()] in window.days):
        return None
    days = f" on {', '.join(window.days)}" if window.days else ""
    return Broken(f"only from {window.from_} to {window.to} ({window.zone}){days}")


def _user_id_of(out: Outgoing) -> Any:
    return (out.request.metadata or EMPTY).get("user_id")


CHECKS: Final[Mapping[str, Key]] = {
    "models": Key(_models, attrgetter("model_names")),
    "max_tokens": Key(_max_tokens, attrgetter("request.max_tokens")),
    "effort": Key(_effort, attrgetter("efforts")),
    "thinking": Key(_thinking, lambda out: (out.request.thinking or EMPTY).get("type")),
    "context": Key(_context, lambda out: out, kept=False),
    "attachments": Key(_attachments, attrgetter("media"), uploads=True),
    "image_hosts": Key(_image_hosts, attrgetter("image_hosts"), uploads=True),
    "system": Key(_system, lambda out: out.texts["system"], kept=False),
    "tools": Key(_tools, attrgetter("tools")),
    "server_tools": Key(_server_tools, attrgetter("server_tools")),
    "mcp_servers": Key(_mcp_servers, attrgetter("mcp_hosts")),
    "betas": Key(_betas, attrgetter("betas"), uploads=True),
    "destinations": Key(_destinations, attrgetter("turn.destination.base_url"), uploads=True),
    "inference_geo": Key(_inference_geo, lambda out: out.request.inference_geo or "default"),
    "user_id": Key(_user_id, _user_id_of),
    "hours": Key(_hours, lambda _: datetime.now(UTC), uploads=True, kept=False),
}
"""What judges each key."""
