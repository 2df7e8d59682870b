"""The checks: for each key of a rule what it refuses, and how that is said."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from attrs import frozen

from hookline.plugin import estimate
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
from hookline_plugins.policy.rules.outgoing import Outgoing, host_of
from hookline_plugins.policy.rules.reading import DAYS, minutes

__all__ = ["CHECKS", "Broken", "Check", "allowed", "checks_of", "hashed_user", "matches"]

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


Check: TypeAlias = Callable[[Any, Outgoing, datetime], Broken | None]


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Say whether one of the patterns fits a name."""
    return any(pattern == name or fnmatchcase(name, pattern) for pattern in patterns)


def allowed(names: Names, *known_as: str) -> bool:
    """Say whether what goes by some names is allowed: one of them is, and none is denied."""
    if any(matches(name, names.deny) for name in known_as):
        return False
    return names.allow is None or any(matches(name, names.allow) for name in known_as)


def hashed_user(user_id: str) -> str:
    """Return the digest that is sent in place of a user id; a digest stays as it is."""
    if _HASHED.fullmatch(user_id):
        return user_id
    return "h_" + blake2b(user_id.encode(), digest_size=20, person=b"hookline user").hexdigest()


def _models(names: Models, out: Outgoing, _now: datetime) -> Broken | None:
    for model in out.models:
        facts = out.turn.models.get(model)
        known_as = (model,) if facts is None else (model, facts.id, *facts.aliases)
        unknown = model == _SERVERS_CHOICE and not matches(model, names.allow or ())
        if unknown or not allowed(names, *known_as):
            return Broken(f"the model {model} is not allowed{_instead(names)}", f"model {model}")
        if names.pin and facts is not None and model in facts.aliases:
            return Broken(
                f"name the model by its full id, {facts.id}, not {model}", f"model {model}"
            )
    return None


def _instead(names: Names) -> str:
    return f"; use {', '.join(names.allow)}" if names.allow else ""


def _max_tokens(most: Most, out: Outgoing, _now: datetime) -> Broken | None:
    asked = out.request.max_tokens
    if asked <= most.max:
        return None
    return Broken(f"max_tokens may be {most.max} at most, not {asked}", f"max_tokens {asked}")


def _effort(choice: Choice, out: Outgoing, _now: datetime) -> Broken | None:
    efforts = [out.effort]
    efforts += [  # of messages that change it in mid-conversation
        str(message.output_config["effort"])
        for message in out.request.messages
        if message.output_config is not None and "effort" in message.output_config
    ]
    for effort in filter(None, efforts):
        if effort not in choice.allow:
            return Broken(f"the effort may be {' or '.join(choice.allow)}, not {effort}")
    return None


def _thinking(choice: Choice, out: Outgoing, _now: datetime) -> Broken | None:
    kind = (out.request.thinking or {}).get("type")
    if kind is None or kind in choice.allow:
        return None
    return Broken(f"thinking may be {' or '.join(choice.allow)}, not {kind}")


def _context(bounds: Context, out: Outgoing, _now: datetime) -> Broken | None:
    count = len(out.request.messages)
    if bounds.max_messages is not None and count > bounds.max_messages:
        return Broken(f"a conversation may have {bounds.max_messages} messages, not {count}")
    if bounds.max_tokens is not None:
        tokens = estimate(out.request)
        if tokens > bounds.max_tokens:
            return Broken(f"the input may have about {bounds.max_tokens} tokens, not {tokens:.0f}")
    return None


def _attachments(bounds: Attachments, out: Outgoing, _now: datetime) -> Broken | None:
    media = out.media
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


def _image_hosts(names: Names, out: Outgoing, _now: datetime) -> Broken | None:
    for host in out.image_hosts:
        if not allowed(names, host):
            return Broken(f"images and documents may not come from {host}", f"host {host}")
    return None


def _system(wanted: SystemText, out: Outgoing, _now: datetime) -> Broken | None:
    if wanted.require in "\n".join(out.texts["system"]):
        return None
    return Broken("the system prompt lacks a text that is required")


def _tools(names: Names, out: Outgoing, _now: datetime) -> Broken | None:
    for tool in out.tools:
        if not allowed(names, tool):
            return Broken(f"the tool {tool} is not allowed", f"tool {tool}")
    return None


def _server_tools(names: Names, out: Outgoing, _now: datetime) -> Broken | None:
    for known_as in out.server_tools:
        if not allowed(names, *known_as):
            return Broken(
                f"the tool {known_as[-1]} of the API is not allowed", f"tool {known_as[-1]}"
            )
    return None


def _mcp_servers(names: Names, out: Outgoing, _now: datetime) -> Broken | None:
    for host in out.mcp_hosts:
        if not allowed(names, host):
            return Broken(f"the MCP server {host or '?'} is not allowed", f"host {host}")
    return None


def _betas(names: Names, out: Outgoing, _now: datetime) -> Broken | None:
    for beta in out.betas:
        if not allowed(names, beta):
            return Broken(f"the beta {beta} is not allowed", f"beta {beta}")
    return None


def _destinations(names: Names, out: Outgoing, _now: datetime) -> Broken | None:
    address = out.turn.destination.base_url
    if allowed(names, address, *filter(None, (host_of(address),))):
        return None
    return Broken(f"requests may not go to {host_of(address) or address}")


def _inference_geo(names: Names, out: Outgoing, _now: datetime) -> Broken | None:
    geo = out.request.inference_geo or "default"
    if allowed(names, geo):
        return None
    told = f"; say inference_geo={' or '.join(names.allow)}" if names.allow else ""
    return Broken(f"the model may not run in {geo!r}{told}")


def _user_id(wanted: str, out: Outgoing, _now: datetime) -> Broken | None:
    user_id = (out.request.metadata or {}).get("user_id")
    if wanted == "forbid" and user_id is not None:
        return Broken("metadata.user_id is not sent")
    if wanted == "require" and not user_id:
        return Broken("metadata.user_id is required")
    if wanted == "hash" and user_id is not None and not _HASHED.fullmatch(str(user_id)):
        return Broken("metadata.user_id is sent as a digest only")
    return None


def _hours(window: Hours, _out: Outgoing, now: datetime) -> Broken | None:
    here = now.astimezone(ZoneInfo(window.zone))
    at, begin, end = here.hour * 60 + here.minute, minutes(window.from_), minutes(window.to)
    within = begin <= at < end if begin < end else at >= begin or at < end
    day = here - timedelta(days=1) if begin > end and at < end else here
    if within and (not window.days or DAYS[day.weekday()] in window.days):
        return None
    days = f" on {', '.join(window.days)}" if window.days else ""
    return Broken(f"only from {window.from_} to {window.to} ({window.zone}){days}")


CHECKS: Final[Mapping[str, tuple[Check, bool]]] = {
    "models": (_models, False),
    "max_tokens": (_max_tokens, False),
    "effort": (_effort, False),
    "thinking": (_thinking, False),
    "context": (_context, False),
    "attachments": (_attachments, True),
    "image_hosts": (_image_hosts, True),
    "system": (_system, False),
    "tools": (_tools, False),
    "server_tools": (_server_tools, False),
    "mcp_servers": (_mcp_servers, False),
    "betas": (_betas, True),
    "destinations": (_destinations, True),
    "inference_geo": (_inference_geo, False),
    "user_id": (_user_id, False),
    "hours": (_hours, True),
}
"""By key: what judges it, and whether an upload, which asks no model, is judged by it too."""


def checks_of(rule: Any) -> Iterator[tuple[Check, Any, bool]]:
    """Yield each check that a rule asks for, with what it is to be judged by."""
    for name, (check, uploads) in CHECKS.items():
        wanted = getattr(rule, name)
        if wanted is not None:
            yield check, wanted, uploads
