"""Whatever people copy can be copied: every error and every value, pickled, copied, deep-copied."""

import copy
import inspect
import pickle
import sys
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import attrs
import pytest

from hookline import errors, values
from hookline._fetch.url_grammar import FetchRefused
from hookline.endpoints import batch_objects, batches, files, models, objects, token_counts
from hookline.reply import Reply
from hookline.trace import AttemptRecord, Change, Trace, Verdict
from hookline.values.frozen import Model
from hookline.values.pictures.header import Truncated
from hookline_plugins.preflight import PreflightError, Problem
from hookline_plugins.preflight.turns import END
from hookline_plugins.storage.cassettes import CassetteMismatch, DamagedCassette

COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),  # noqa: S301 -- our own bytes
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


# ---- values ------------------------------------------------------------------------------------


def sample(annotation: Any) -> Any:  # noqa: PLR0911 -- one line a kind of type
    """Return a value for a field of this type, never its default where there is another one."""
    if isinstance(annotation, TypeVar):
        return made(objects.Deleted)
    if annotation is Any:
        return {"any": [1, "x", None]}
    origin = get_origin(annotation) or annotation
    if isinstance(annotation, UnionType) or origin is Union:  # the latter of a Literal and None
        return sample(get_args(annotation)[0])
    if origin is Literal:
        return get_args(annotation)[-1]
    if origin is Mapping:
        return {"a": "b"} if get_args(annotation)[1] is str else {"a": [1.5]}
    if origin is tuple:
        return [sample(get_args(annotation)[0])]
    if origin is frozenset:
        return frozenset({"id"})
    known = {str: "text", int: 7, float: 0.5, bool: True}
    if origin in known:
        return known[origin]
    return SOME.get(origin) or made(origin)


SOME: dict[Any, Any] = {
    values.Block: values.TextBlock("x"),
    values.Source: values.URLSource("https://example.com/a"),
    values.Citation: values.CharLocation("q", 0, 0, 1),
    values.ToolSpec: values.Tool("t", {}),
    values.Delta: values.TextDelta("x"),
}


def made(cls: Any) -> Any:
    """Return an instance with something in each of its fields."""
    given = {
        a.alias: sample(a.type)
        for a in attrs.fields(cls)
        if a.init and a.name not in ("events", "absent")  # a live stream, and what a decoder books
    }
    if issubclass(cls, values.Attachment):
        given |= {"source": b"bytes", "file_id": None}
    return cls(**given)


def family(cls: type) -> list[type]:
    """Return all public classes of a kind in our own code."""
    children: list[type] = cls.__subclasses__()
    found = [each for child in children for each in (child, *family(child))]
    return [
        each
        for each in found
        # attrs makes each class twice; the first stays until it is collected
        if getattr(sys.modules[each.__module__], each.__name__, None) is each
        and each.__module__.startswith("hookline")
        and not each.__name__.startswith("_")
    ]


# That their classes are there.
MODULES = (batch_objects, batches, files, models, objects, token_counts)
MODELS = sorted(set(family(Model)), key=lambda cls: cls.__name__)


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("cls", MODELS, ids=lambda cls: cls.__name__)
def test_every_model_survives(cls: Any, how: str) -> None:
    value = made(cls)
    twin = COPIES[how](value)
    assert type(twin) is cls
    assert twin == value
    for a in attrs.fields(cls):
        assert getattr(twin, a.name) == getattr(value, a.name)
    with pytest.raises(errors.FrozenError):
        twin.extra = {}


def test_there_are_models_to_try() -> None:
    assert len(MODELS) > 80
    assert {"Request", "TextBlock", "Document", "Batch", "MessageStart"} <= {
        cls.__name__ for cls in MODELS
    }


def a_reply() -> Reply:
    request = values.Request("m", 1, [values.Message("user", "x")])
    trace = Trace()
    trace.changes.append(Change("build_history", "p", request, request, 1.0, 0))
    trace.attempts.append(AttemptRecord(1, 0, "m", 0.5, error="x"))
    trace.verdicts.append(Verdict("p", "check_request", "refused", "no"))
    trace.note("p", "said")
    return Reply(
        response=values.Response(content=["hello"], headers={"request-id": "req_1"}),
        request=request,
        prefill=values.Prefill(text="he", mode="native"),
        trace=trace,
    )


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize(
    "value",
    [
        a_reply(),
        values.Prefill(text="x", mode="native"),
        values.read_rate_limits({"anthropic-ratelimit-requests-limit": "5"}),
        values.Destination(base_url="https://example.com"),
        values.FrozenDict({"a": [{"b": 1}]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_values_survive(value: Any, how: str) -> None:
    twin = COPIES[how](value)
    assert twin == value
    if isinstance(value, Reply):
        assert twin.trace.to_dict() == value.trace.to_dict()


def test_a_secret_is_copied_and_never_pickled() -> None:
    there = values.Destination(base_url="https://example.com", api_key="sk-ant-1")
    assert copy.deepcopy(there) == copy.copy(there) == there
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(there)


# ---- errors ------------------------------------------------------------------------------------

OTHERS = (FetchRefused, Truncated, PreflightError, CassetteMismatch, DamagedCassette)
ERRORS = [
    *(cls for _, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == errors.__name__ and issubclass(cls, errors.HooklineError)),
    *OTHERS,
]  # fmt: skip

# What the parameters of their constructors get, by name.
GIVEN: dict[str, Any] = {
    "message": "what happened",
    "status": 429,
    "type": "rate_limit_error",
    "request_id": "req_1",
    "details": {"error_code": "x"},
    "headers": {"retry-after": "1"},
    "retryable": False,
    "retry_after": 1.5,
    "phase": "connect",
    "timeout": 2.0,
    "plugin": "redact",
    "hook": "send",
    "rule": "words",
    "path": "$.a",
    "partial": a_reply(),
    "following": a_reply().request,
    "evidence": "a card number",
    "admin": "install it",
    "reply": a_reply(),
    "reason": "refusal",
    "extra": "images",
    "package": "pillow",
    "needed_for": "shrinking",
    "host": "example.com",
    "problems": [Problem(END, "messages.1", "wrong", "mend it")],
}


def raised(cls: Any) -> Any:
    own = next(base for base in cls.__mro__ if "__init__" in vars(base))
    if own.__module__ == "builtins":
        error = cls("what happened")
    else:
        error = cls(**{name: GIVEN[name] for name in inspect.signature(cls).parameters})
    error.attempts = (AttemptRecord(1, 0, "m", 0.5),)
    error.add_note("a note")
    return error


def shown(state: dict[str, Any]) -> dict[str, str]:
    return {name: repr(value) for name, value in state.items()}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("cls", ERRORS, ids=lambda cls: cls.__name__)
def test_every_error_survives(cls: Any, how: str) -> None:
    error = raised(cls)
    twin = COPIES[how](error)
    assert type(twin) is cls
    assert (str(twin), twin.args, repr(twin)) == (str(error), error.args, repr(error))
    assert shown(vars(twin)) == shown(vars(error))
    assert twin.retryable == error.retryable


@pytest.mark.parametrize("how", COPIES)
def test_an_error_of_somebody_elses_class_survives(how: str) -> None:
    error = TheirOwn(5, why="because")
    twin = COPIES[how](error)
    assert (str(twin), twin.number, twin.why) == ("number 5: because", 5, "because")


class TheirOwn(errors.PolicyViolation):
    """A subclass whose constructor is like none of ours."""

    def __init__(self, number: int, *, why: str) -> None:
        super().__init__(f"number {number}: {why}", rule="r")
        self.number = number
        self.why = why
