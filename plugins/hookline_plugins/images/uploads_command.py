"""``hookline uploads``: what the plugin ``uploads`` has uploaded, and how to delete it."""

from typing import Final

import click

from hookline import APIError, ConfigError, Pipeline
from hookline.cli import selected

__all__ = ["uploads"]

_NOT_FOUND: Final = 404


@click.command()
@click.option("--config", metavar="FILE", help="Settings; else those that `hookline ask` finds.")
@click.option("--base-url", metavar="URL", help="Where they were uploaded to.")
@click.option("--delete", is_flag=True, help="Delete all of them, there and in the list here.")
def uploads(config: str | None, base_url: str | None, *, delete: bool) -> None:
    """List what was uploaded in order to be sent by id; delete it.

    Large images and documents of a conversation are uploaded once instead of being sent with every turn. The
    API deletes them by itself after a day, or what `keep_seconds` of the plugin `uploads` says.
    """
    plugins, disable = selected(config)
    with Pipeline(config=config, base_url=base_url, plugins=plugins, disable=disable) as line:
        plugin = line.plugins.get("uploads")
        if plugin is None or not hasattr(plugin.object, "kept"):
            raise ConfigError("the plugin 'uploads' is not enabled here")
        address = str(line.settings.base_url)
        here = [
            file_id
            for file_id, url in plugin.object.kept()
            if url == address or (url.startswith("sim:") and address.startswith("sim:"))
        ]
        for file_id in here:
            if delete:
                _delete(line, file_id)
                plugin.object.forget(file_id)
            click.echo(f"{'deleted ' if delete else ''}{file_id}")


def _delete(line: Pipeline, file_id: str) -> None:
    try:
        line.files.delete(file_id)
    except APIError as error:
        if error.status != _NOT_FOUND:  # gone by itself, or deleted by somebody else
            raise
