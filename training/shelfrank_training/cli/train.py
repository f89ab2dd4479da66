"""``shelfrank train``: fit the models on aggregates and export one graph."""

from __future__ import annotations

from pathlib import Path

import click

from shelfrank_training.cli import console
from shelfrank_training.cli.options import column_options, read_columns


@click.command(name="train")
@click.argument("aggregates", type=click.Path(path_type=Path))
@click.argument("catalog", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Model folder.")
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    help="Policy to put into the bundle; the one given to aggregate.",
)
@column_options
@click.option("--force", is_flag=True, help="Replace an older model folder.")
def command(
    aggregates: Path,
    catalog: Path,
    out: Path,
    policy: Path | None,
    mapped: tuple[str, ...],
    dropped: tuple[str, ...],
    force: bool,
) -> None:
    """Fit the models on AGGREGATES and export one checked graph for the items of CATALOG.

    AGGREGATES is a folder written by `shelfrank aggregate`. The model folder is what
    `shelfrank bundle build` and `shelfrank evaluate` read.
    """
    from shelfrank_training.train import TrainSettings, train

    trained = train(
        aggregates,
        catalog,
        out,
        settings=TrainSettings(
            policy=policy,
            columns=read_columns(mapped, dropped),
            overwrite=force,
        ),
        progress=console.Bars(),
    )
    if policy is None:
        console.say("note: no policy goes along; a device keeps nothing unless the app brings one")
    rows = [
        ("items", f"{trained.n_items:,}"),
        ("items not in the catalog, left out", f"{trained.n_unlisted:,}"),
        ("parts", ", ".join(trained.blend.part_names)),
        ("model", f"{len(trained.exported.model) / 1e6:.2f} MB"),
        ("largest difference of graph and estimators", f"{trained.exported.difference:.1e}"),
    ]
    console.table(f"Model in {out}", ["what", "value"], rows)
