"""``shelfrank privacy``: what a bundle promises about the shoppers behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import click

from shelfrank_training.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Mapping


class Privacy(LazyGroup):
    """The commands on privacy."""

    commands_in: ClassVar[Mapping[str, tuple[str, str]]] = {
        "label": (
            "shelfrank_training.cli.privacy_label",
            "Show a privacy label: five lines, then everything.",
        ),
        "curve": (
            "shelfrank_training.cli.privacy_curve",
            "Plot what protection costs on your data, to choose by.",
        ),
    }


@click.group(cls=Privacy)
def command() -> None:
    """Show what is promised about the shoppers behind a model."""
