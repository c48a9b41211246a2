"""Command groups whose commands are imported only when they are called, so that `--help` is there at once."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import rich_click as click


class LazyGroup(click.RichGroup):
    """A group that knows its commands by name, place and one line of help.

    Args:
        lazy: name → (module, attribute, help).
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands, ours in the order they were written down."""
        return [*self._lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or while help is shown make a stand-in with its one line."""
        place = self._lazy.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        module, attribute, text = place
        if ctx.resilient_parsing or _shows_help(ctx):
            return click.RichCommand(name=cmd_name, help=text)
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run what was called; an error is printed as plain text, since a frame would break its lines and carets."""
        try:
            return super().invoke(ctx)
        except click.UsageError:
            raise
        except click.ClickException as error:
            click.echo(f"Error: {error.message}", err=True)
            ctx.exit(error.exit_code)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command that is really called."""
        ctx.meta["aftersail.called"] = True
        return super().resolve_command(ctx, args)


def _shows_help(ctx: click.Context) -> bool:
    return "aftersail.called" not in ctx.meta
