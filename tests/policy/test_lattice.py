"""The policy is a lattice: whatever is added below it, nothing passes that was refused before."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookline import HooklineError, Pipeline, hookimpl
from hookline.policy import reading
from hookline.simulator import Answer, Call, Scenario, Simulator

MODELS = ("claude-haiku-4-5", "claude-opus-4-5", "claude-sonnet-4-5")


class Counting(Simulator):
    """Keeps what came."""

    def __init__(self) -> None:
        super().__init__(Scenario.of())
        self.bodies: list[Any] = []

    def handle(self, call: Call) -> Answer:
        self.bodies.append(json.loads(call.body))
        return super().handle(call)


class Changes:
    """A plugin of somebody's: it sets what it likes, where it likes."""

    def __init__(self, name: str, fields: dict[str, Any], *, late: bool) -> None:
        self.name, self.fields, self.late = name, fields, late

    @hookimpl
    def build_history(self, request: Any) -> Any:
        return None if self.late else request.evolve(**self.fields)

    @hookimpl
    async def send(self, request: Any, call_next: Any) -> Any:
        return await call_next(request.evolve(**self.fields) if self.late else request)


TABLE = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(MODELS),
        "max_tokens": st.integers(1, 300),
        "timeout": st.integers(1, 300),
        "plugins": st.sampled_from(
            [{"disable": ["rules"]}, {"enable": ["echo"]}, {"disable": ["preflight", "retry"]}]
        ),
    },
)
POLICY = st.fixed_dictionaries(
    {
        "allow": st.sets(st.sampled_from(MODELS), min_size=1),
        "word": st.sampled_from(["alpha", "beta"]),
    },
    optional={
        "max": st.integers(1, 200),
        "bound": st.integers(1, 200),
        "lock": st.sampled_from(MODELS),
    },
)
LAYER = st.tuples(
    st.sampled_from(["found", "user", "named", "env", "dict", "plugin", "policy"]), TABLE
)


def stacked(layers: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """Keep one layer of each place that holds one: a second would replace it, and not add to it."""
    places: set[str] = set()
    kept = []
    for kind, table in layers:
        # Where a file is named, or settings are given as a dict, none is looked for.
        place = "file" if kind in ("found", "named", "dict") else kind
        if kind in ("plugin", "policy") or place not in places:
            kept.append((kind, table))
        places.add(place)
    return kept


CALL = st.fixed_dictionaries(
    {
        "model": st.sampled_from(MODELS),
        "max_tokens": st.integers(1, 300),
        "system": st.sampled_from(["alpha", "beta", "gamma"]),
    }
)


def policy_text(policy: dict[str, Any]) -> str:
    lines = []
    if "lock" in policy:
        lines.append(f"[lock]\nmodel = '{policy['lock']}'")
    if "bound" in policy:
        lines.append(f"[bounds]\nmax_tokens = {{max = {policy['bound']}}}")
    lines.append(f"[[rule]]\nid = 'm'\nmodels = {{allow = {sorted(policy['allow'])}}}")
    lines.append(f"[[rule]]\nid = 'w'\nforbid = {{words = ['{policy['word']}']}}")
    if "max" in policy:
        lines.append(f"[[rule]]\nid = 'n'\nmax_tokens = {{max = {policy['max']}}}")
    return "\n".join(lines)


def toml(table: dict[str, Any]) -> str:
    head = [f"{name} = {json.dumps(value)}" for name, value in table.items() if name != "plugins"]
    inner = [f"{name} = {json.dumps(value)}" for name, value in table.get("plugins", {}).items()]
    return "\n".join([*head, *(["[plugins]", *inner] if inner else [])])


def breaks(policy: dict[str, Any], body: dict[str, Any]) -> bool:
    """Say whether what left breaks a policy; written without any code of the policy's."""
    return (
        body["model"] not in policy["allow"]
        or body["model"] != policy.get("lock", body["model"])
        or body["max_tokens"] > min(policy.get("bound", 999), policy.get("max", 999))
        or policy["word"] in str(body.get("system"))
    )


@contextmanager
def admitted(  # noqa: C901, PLR0912 -- one branch for each kind of layer
    policy: dict[str, Any], layers: list[tuple[str, dict[str, Any]]], call: dict[str, Any]
) -> Iterator[list[Any]]:
    """Send a call through a stack of layers; give what left."""
    environ: dict[str, str] = {}
    options: dict[str, Any] = {"plugins": []}
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        home = Path(folder)
        monkeypatch.chdir(home)
        for name in ("XDG_CONFIG_HOME", "HOME", "APPDATA"):
            monkeypatch.setenv(name, folder)
        system = home / "system.toml"
        system.write_text(policy_text(policy))
        for number, (kind, table) in enumerate(layers):
            if kind == "found":
                Path("hookline.toml").write_text(toml(table))
            elif kind == "user":
                (home / "hookline").mkdir(exist_ok=True)
                (home / "hookline" / "config.toml").write_text(toml(table))
            elif kind == "named":
                Path("named.toml").write_text(toml(table))
                options.setdefault("config", "named.toml")
            elif kind == "env":
                plugins = table.get("plugins", {})
                for name, value in {**table, **plugins}.items():
                    if name != "plugins":
                        environ[f"HOOKLINE_{name.upper()}"] = (
                            ",".join(value) if isinstance(value, list) else str(value)
                        )
            elif kind == "dict":
                options["config"] = table
            elif kind == "plugin":
                fields: dict[str, Any] = {
                    key: value for key, value in table.items() if key in ("model", "max_tokens")
                }
                late = "plugins" in table
                options["plugins"].append(Changes(f"p{number}", fields, late=late))
            else:
                more = home / f"more{number}.toml"
                limit = table.get("max_tokens", 100)
                more.write_text(f"[[rule]]\nid = 'x{number}'\nmax_tokens = {{max = {limit}}}\n")
                options.setdefault("policy", []).append(str(more))
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        server = Counting()
        with patch.object(reading, "system_path", lambda _: system):
            try:
                with Pipeline(base_url=server, **options) as line:
                    line.send("Hello", **call)
            except HooklineError:
                assert server.bodies == []
        yield server.bodies


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    policy=POLICY, layers=st.lists(LAYER, max_size=5).map(stacked), call=CALL, cut=st.integers(0, 5)
)
def test_adding_a_layer_below_never_admits_what_was_refused(
    policy: dict[str, Any],
    layers: list[tuple[str, dict[str, Any]]],
    call: dict[str, Any],
    cut: int,
) -> None:
    with admitted(policy, layers, call) as left:
        assert not any(breaks(policy, body) for body in left)
    with admitted(policy, layers[:cut], call) as before:
        pass
    # A plugin changes the request itself; every other layer leaves the call what it is.
    if left and not any(kind == "plugin" for kind, _ in layers):
        assert before, "a request passes that was refused with fewer layers"


def test_the_property_can_fail() -> None:
    policy = {"allow": {MODELS[0]}, "word": "alpha"}
    with admitted(policy, [], {"model": MODELS[0], "max_tokens": 9, "system": "beta"}) as left:
        assert [breaks(policy, body) for body in left] == [False]
    assert breaks(policy, {"model": MODELS[1], "max_tokens": 9})
