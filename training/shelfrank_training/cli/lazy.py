"""A group whose commands live in modules of their own, imported when a command runs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


class LazyGroup(click.Group):
    """A group that imports a module only when its command runs.

    Attributes:
        commands_in: name → (module with the ``command``, one line for the overview), in order.
    """

    commands_in: ClassVar[Mapping[str, tuple[str, str]]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order they were declared in."""
        return list(self.commands_in)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module of `cmd_name` and return its ``command``."""
        if cmd_name not in self.commands_in:
            return None
        command = import_module(self.commands_in[cmd_name][0]).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.commands_in[cmd_name][0]}.command is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the overview without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.commands_in.items()])
