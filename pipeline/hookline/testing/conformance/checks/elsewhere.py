"""A check of what differs from process to process: hashes of texts, and so the order of sets."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final

from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.samples import TEXTS, sentence
from hookline.testing.conformance.surfaces import Call
from hookline.testing.conformance.trying import Trying
from hookline.values.principal import Principal

__all__ = ["elsewhere", "outcomes"]

_SEEDS: Final = ("1", "2", "3")  # of two names, one order of two comes up by chance
_SECONDS: Final = 60
_USERS: Final = 8


def outcomes(trying: Trying) -> list[Any]:
    """Return what some calls send and bring, as JSON values: what must be the same everywhere."""
    calls = [
        *(
            Call(options={"principal": Principal(user=f"user-{number}")})
            for number in range(_USERS)
        ),
        *(Call(message=sentence(each)) for each in (*trying.subject.own_samples, *TEXTS[:-1])),
        Call(surface="stream", message=sentence("; ".join(TEXTS[:-1]))),
    ]
    taken = [trying.take(each) for each in calls]
    return [[list(each.bodies), each.text, each.error] for each in taken]


def elsewhere(trying: Trying) -> Iterator[Finding]:
    """Check that another process, whose hashes are others, sends the same."""
    subject = trying.subject
    if not subject.deterministic:
        trying.nothing("declared: deterministic = False")
        return
    if not subject.reference:
        trying.nothing("what a test makes cannot be made elsewhere; hookline check-plugin tries it")
        return
    processes = [_begun(subject.reference, subject.name, subject.config, seed) for seed in _SEEDS]
    said = [_said(each) for each in processes]
    if None in said:
        return  # what goes wrong there goes wrong here as well, and is found
    trying.calls += len(said[0])
    for other in said[1:]:
        if other != said[0]:
            one, two = next(pair for pair in zip(said[0], other, strict=True) if pair[0] != pair[1])
            yield Finding(
                f"two processes sent different requests: {_differing(str(one), str(two))}",
                "sets have an order, and hash() a value, that each process makes up anew: sort them, and "
                "take hashlib",
            )
            return


def _begun(reference: str, name: str, config: str | None, seed: str) -> "subprocess.Popen[bytes]":
    """Begin a process with these hashes, which says what some calls come to."""
    command = [sys.executable, "-m", "hookline.testing.conformance", "--outcomes", name, reference]
    return subprocess.Popen(  # noqa: S603 -- our own interpreter, and what the user named
        [*command, *([config] if config else [])],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )


def _said(process: "subprocess.Popen[bytes]") -> Any:
    """Return what a process says in its time, or None."""
    with process:
        try:
            said, _ = process.communicate(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return None
    try:
        return json.loads(said) if process.returncode == 0 else None
    except ValueError:
        return None


def _differing(one: str, two: str, around: int = 30) -> str:
    place = next((i for i, pair in enumerate(zip(one, two, strict=False)) if pair[0] != pair[1]), 0)
    return " and ".join(repr(each[max(0, place - around) : place + around]) for each in (one, two))
