"""The process in which ``hookline check-plugin`` runs a plugin: writes each result as a line of JSON.

Usage: ``python -m hookline.testing.conformance [--sample TEXT]… REFERENCE [CONFIG]``. With ``--outcomes NAME`` it
writes what some calls of one plugin come to, for another process to compare with. What the plugin prints goes to stderr, so
that stdout holds results and nothing else.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hookline._journey.discovery import offered
from hookline._journey.made import made
from hookline._journey.plugin_files import is_file_reference, plugins_in
from hookline.config import load_settings, nearest
from hookline.errors import ConfigError, HooklineError
from hookline.testing.conformance.checks.elsewhere import outcomes
from hookline.testing.conformance.subject import Subject
from hookline.testing.conformance.suite import CHECKS, results
from hookline.testing.conformance.trying import Trying


def main(
    reference: str, config: str | None = None, *, samples: tuple[str, ...] = (), only: str = ""
) -> int:
    """Check the plugins that a reference names; return 0, or 2 if there is none that can be made."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever writes to stdout, a subprocess too

    def say(line: Any) -> None:
        stream.write(json.dumps(line) + "\n")
        stream.flush()

    try:
        for name, make in _named(reference, config):
            subject = Subject(name, make, samples, reference, config)
            if only:
                if name == only:
                    say(outcomes(Trying(subject)))
                continue
            say({"plugin": name, "checks": [check.name for check in CHECKS]})
            for result in results(subject):
                say({"result": result.to_dict()})
    except HooklineError as error:
        say({"unreadable": str(error)})
        return 2
    if not only:
        say({"done": True})
    return 0


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sample", action="append", default=[])
    parser.add_argument("--outcomes", default="")
    parser.add_argument("reference")
    parser.add_argument("config", nargs="?")
    return parser.parse_args(words)


def _named(reference: str, config: str | None) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the plugins, each with what makes a new instance of it."""
    settings = load_settings(config)
    if is_file_reference(reference):
        found: list[Any] = list(plugins_in(reference))
    else:
        available = offered(settings)
        if reference not in available:
            raise ConfigError(
                f"there is no plugin called {reference!r}; {nearest(reference, available)}. A file is "
                "given by its path, and ends in .py"
            )
        found = [available[reference]]
    for each in found:

        def make(each: Any = each) -> Any:
            return made(each, settings).object

        make()  # what cannot be made is unreadable
        yield each.name, make


if __name__ == "__main__":
    _given = _arguments(sys.argv[1:])
    sys.exit(
        main(_given.reference, _given.config, samples=tuple(_given.sample), only=_given.outcomes)
    )
