"""``shelfrank privacy``: what a policy asks of shoppers, and what a bundle promises them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import click

from shelfrank_training.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Mapping


class Privacy(LazyGroup):
    """The commands on privacy."""

    commands_in: ClassVar[Mapping[str, tuple[str, str]]] = {
        "check": (
            "shelfrank_training.cli.privacy_check",
            "Judge a policy by every rule; exit 1 if one fails.",
        ),
        "presets": (
            "shelfrank_training.cli.privacy_presets",
            "Show what each law asks for, with source and evidence.",
        ),
        "inventory": (
            "shelfrank_training.cli.privacy_inventory",
            "List what is kept, why, how long, and what uses it.",
        ),
        "evidence": (
            "shelfrank_training.cli.privacy_evidence",
            "Gather policy, notices, label and tests for counsel.",
        ),
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
    """Check what shoppers are asked; show what they are promised."""
