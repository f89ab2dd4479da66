"""The root of the command line: finds the command, turns errors into exit codes."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

import click

from shelfrank import __version__
from shelfrank.errors import ShelfrankError
from shelfrank_training.cli import console

if TYPE_CHECKING:
    from collections.abc import Sequence

# name → (module, one line for the overview): the module is imported only when the command runs.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "aggregate": (
        "shelfrank_training.cli.aggregate",
        "Count bounded, thresholded statistics from event tables.",
    ),
    "train": ("shelfrank_training.cli.train", "Fit the models on aggregates and export one graph."),
    "evaluate": (
        "shelfrank_training.cli.evaluate",
        "Measure a model on held-out shoppers, as it ships.",
    ),
    "bundle": ("shelfrank_training.cli.bundle", "Make keys; build, sign, verify and show bundles."),
    "demo": ("shelfrank_training.cli.demo", "The whole way on real data, with a report."),
}


class LazyGroup(click.Group):
    """A group whose commands live in modules that are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the way of the data."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module of `cmd_name` and return its ``command``."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name][0]).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name][0]}.command is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the overview without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="shelfrank")
@click.option("--verbose", is_flag=True, help="Show tracebacks.")
def root(verbose: bool) -> None:
    """Train models for on-device ranking on aggregates, and publish them as signed bundles."""


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: what stands behind ``shelfrank`` on the command line.

    Returns:
        0 done, 1 refused or failed, 2 wrong use.
    """
    try:
        result = root.main(args=list(arguments), prog_name="shelfrank", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.Abort:
        console.say("stopped")
        return 1
    except click.ClickException as error:
        error.show()
        return 2
    except ShelfrankError as error:
        if "--verbose" in arguments:
            raise
        console.fail(error)
        return 1
    except OSError as error:
        if "--verbose" in arguments:
            raise
        console.say(f"error: {error.filename or 'a file'} cannot be used ({error.strerror})")
        return 1
    return result if isinstance(result, int) else 0
