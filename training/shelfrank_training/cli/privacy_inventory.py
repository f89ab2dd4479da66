"""``shelfrank privacy inventory``: what is kept, why, how long, and what uses it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shelfrank_training.cli import console
from shelfrank_training.cli.options import read_policy

if TYPE_CHECKING:
    from shelfrank_training.privacy.inventory import Kept

_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("inventory")
@click.argument("policy", type=_EXISTING)
@click.argument("bundle", type=_EXISTING, required=False)
@click.option("--json", "as_json", is_flag=True, help="Write it to stdout.")
def command(policy: Path, bundle: Path | None, as_json: bool) -> int:
    """List what POLICY keeps and what uses it, and exit 1 if something is kept for nothing.

    With BUNDLE its graph says what is used; without, the models of this version do. The bundle is
    not verified: shelfrank bundle verify does that.
    """
    from shelfrank.bundle.files import read_bundle_file
    from shelfrank_training.privacy.inventory import inventory, unused

    data = None if bundle is None else read_bundle_file(bundle)
    rows = inventory(read_policy(policy), data)
    needless = unused(rows)
    if as_json:
        console.emit_json(
            {
                "bundle": None if bundle is None else bundle.name,
                "kept": [row.to_json() for row in rows],
                "unused": [f"{row.purpose}.{row.field}" for row in needless],
            }
        )
    else:
        columns = ("purpose", "field", "origin", "contexts", "times", "used by", "days")
        console.table("what is kept", columns, map(_row, rows), text=columns[:-1])
    for row in needless:
        console.say(f"failed: {row.purpose} keeps {row.field}, and nothing uses it")
    return 1 if needless else 0


def _row(row: Kept) -> list[str]:
    return [
        row.purpose,
        row.field,
        row.origin,
        ", ".join(row.contexts),
        row.granularity,
        ", ".join(row.used_by) or "[red]nothing[/red]",
        f"{row.retention_days:,}",
    ]
