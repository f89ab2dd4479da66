"""The root of the command line: finds the command, turns errors into exit codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import click

from shelfrank import __version__
from shelfrank.errors import ShelfrankError
from shelfrank_training.cli import console
from shelfrank_training.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    "privacy": (
        "shelfrank_training.cli.privacy",
        "Check what shoppers are asked; show what they are promised.",
    ),
    "demo": ("shelfrank_training.cli.demo", "The whole way on real data, with a report."),
}


class Root(LazyGroup):
    """All commands, in the order of the way of the data."""

    commands_in: ClassVar[Mapping[str, tuple[str, str]]] = COMMANDS


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
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
