"""Running a command and turning whatever ends it into one line and an exit code."""

import os
import sys
import traceback
import warnings
from io import TextIOWrapper
from pathlib import Path
from typing import Final

import click
from click.shell_completion import shell_complete

from hookline.cli.failures import (
    FAILED,
    INTERRUPTED,
    MISUSED,
    PIPE_CLOSED,
    exit_code,
    explained,
)
from hookline.cli.output import error
from hookline.cli.root import root
from hookline.errors import HooklineError

__all__ = ["run"]

_COMPLETE: Final = "_HOOKLINE_COMPLETE"  # click's convention: the shell asks through this variable


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: what follows the program's name.

    """
    if sys.stderr is None:  # closed by whoever started us; what goes there is only remarks
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 -- for the rest of the process
    if sys.stdout is None:
        error("there is no standard output to write to")
        return FAILED
    # A character that the terminal cannot show must not end a reply half-way.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    # What is wrong with a picture is said by us, and once.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    instruction = os.environ.get(_COMPLETE)
    if instruction:
        return shell_complete(root, {}, "hookline", _COMPLETE, instruction)
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
        return PIPE_CLOSED
    except OSError as problem:  # the disk is full, say
        _silence_stdout()
        error(f"the output cannot be written: {problem.strerror}")
        return FAILED
    return code


def _invoke(arguments: list[str]) -> int:
    # Not root.main(): it has its own mind about ctrl-C and closed pipes.
    try:
        with root.make_context("hookline", arguments) as context:
            code = root.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as problem:
        sys.stderr.write(problem.format_message() + "\n")
        return MISUSED
    except (KeyboardInterrupt, click.Abort):
        if sys.stderr.isatty():
            sys.stderr.write("\n")  # the terminal has written ^C
        return INTERRUPTED
    except OSError as problem:
        if problem.filename is None:  # every other is an error of ours long before it gets here
            raise
        text, code = _failure(problem)
        error(text)
    except Exception as problem:  # noqa: BLE001 -- a user gets a message, never a traceback
        text, code = _failure(problem)
        error(text)
    return code if isinstance(code, int) else 0


def _failure(problem: Exception) -> tuple[str, int]:
    """Return what to say about a failure, and the exit code."""
    if isinstance(problem, HooklineError):
        return explained(problem), exit_code(problem)
    if isinstance(problem, click.UsageError):
        return _usage(problem), MISUSED
    if isinstance(problem, click.ClickException):
        return problem.format_message(), FAILED
    return _unexpected(problem), FAILED


def _usage(problem: click.UsageError) -> str:
    text = problem.format_message().rstrip()
    if text and text[-1] not in ".?!)":
        text += "."
    path = problem.ctx.command_path if problem.ctx else "hookline"
    return f"{text} Try '{path} --help'."


def _unexpected(problem: Exception) -> str:
    frames = traceback.extract_tb(problem.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"unexpected {type(problem).__name__}{where}: {problem}. Please report this"


def _silence_stdout() -> None:
    """Let the interpreter's last flush go nowhere; it would complain about the closed pipe."""
    if isinstance(sys.stdout, TextIOWrapper):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
