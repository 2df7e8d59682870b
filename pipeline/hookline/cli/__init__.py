"""The command line: ``hookline ask | chat | explain | plugins | models | config | policy | sim``.

Needs the extra ``cli`` (click to parse, rich to draw); without it, ``main`` says so and no more.
"""

from collections.abc import Sequence

__all__ = ["main", "selected"]


def selected(config: str | None = None) -> tuple[list[str], list[str] | None]:
    """Return the plugins that this run adds and leaves out, by ``-p`` and ``--only``; for commands of plugins.

    Args:
        config: a settings file, as for ``Pipeline``.

    Returns:
        What the pipeline takes as ``plugins=`` and as ``disable=``.

    Raises:
        ConfigError: there is no such plugin, or it is an enforcer that was to be left out.

    Example:
        >>> plugins, disable = selected(config)
        >>> with Pipeline(config=config, plugins=plugins, disable=disable) as line:
        ...     line.explain("Hello")

    """
    from hookline.cli.selection import applied  # noqa: PLC0415 -- imports click

    return applied(config)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: instead of ``sys.argv[1:]``.

    Returns:
        The exit code: 0; 1 for a failure of API, network, plugin or policy; 2 for bad usage or
        input; 4 where ``policy check`` finds a request refused; 130 after ctrl-C; 141 when the reader of a pipe went away.

    """
    import sys  # noqa: PLC0415 -- the package must import in no time; see hookline/__init__.py

    try:
        import click as _click  # noqa: F401, PLC0415 -- an extra, so it may be missing
        import rich as _rich  # noqa: F401, PLC0415 -- as click
    except ImportError:
        sys.stderr.write(
            "hookline: error: the command line needs click and rich; "
            "install them with: pip install 'hookline[cli]'\n"
        )
        return 2
    from hookline.cli.running import run  # noqa: PLC0415 -- imports click

    return run(sys.argv[1:] if arguments is None else list(arguments))
