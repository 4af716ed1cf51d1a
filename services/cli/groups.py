"""Groups of commands that show their list when they are typed alone."""

from __future__ import annotations

from collections.abc import Callable

import typer

from services.cli.options import AsJson, KeyFile, Url
from services.cli.outcome import told


def listing_group(
    purpose: str, show: Callable[..., None], alone: str = "Alone: the list."
) -> typer.Typer:
    """A group; typed alone it does `show(url, key_file, as_json=…)`, as `alone` says."""
    group = typer.Typer(help=purpose)

    @told
    def by_default(
        context: typer.Context, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
    ) -> None:
        if context.invoked_subcommand is None:
            show(url, key_file, as_json=as_json)

    by_default.__doc__ = f"{purpose} {alone}"
    group.callback(invoke_without_command=True)(by_default)
    return group
