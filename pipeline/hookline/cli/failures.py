"""What an error means on the command line: its text and its exit code."""

from typing import Final

from hookline.errors import ConfigError, HooklineError, InputError, PolicyViolation

__all__ = ["FAILED", "INTERRUPTED", "MISUSED", "PIPE_CLOSED", "exit_code", "explained"]

FAILED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 130  # what shells report for a death by SIGINT …
PIPE_CLOSED: Final = 141  # … and by SIGPIPE


def exit_code(problem: HooklineError) -> int:
    """Return 2 if the user can mend the command, 1 if something else has to be mended."""
    return MISUSED if isinstance(problem, ConfigError | InputError) else FAILED


def explained(problem: HooklineError) -> str:
    """Return an error as one message for a person."""
    if isinstance(problem, PolicyViolation):
        by = f" ({problem.plugin})" if problem.plugin else ""
        return f"refused by policy{by}: {problem}"
    return f"{problem}\nfor the administrator: {problem.admin}" if problem.admin else str(problem)
