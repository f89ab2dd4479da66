"""``shelfrank train``: fit the models on aggregates and export one graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from shelfrank_training.cli import console
from shelfrank_training.cli.options import column_options, read_bytes, read_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shelfrank_training.train import Trained


@click.command(name="train")
@click.argument("aggregates", type=click.Path(path_type=Path))
@click.argument("catalog", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Model folder.")
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    help="Policy to put into the bundle; the one given to aggregate.",
)
@click.option(
    "--size-limit",
    callback=read_bytes,
    metavar="SIZE",
    help="Largest bundle file, as in 1800000 or 1.8MB (a million bytes). Pairs that add least to "
    "scores are left out, and at last the least popular items.",
)
@click.option(
    "--fixed-weights",
    is_flag=True,
    help="Keep the shipped weights of the parts, whatever the table outcomes says.",
)
@column_options
@click.option("--force", is_flag=True, help="Replace an older model folder.")
def command(
    aggregates: Path,
    catalog: Path,
    out: Path,
    policy: Path | None,
    size_limit: int | None,
    fixed_weights: bool,
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
            size_limit=size_limit,
            fixed_weights=fixed_weights,
        ),
        progress=console.Bars(),
    )
    if policy is None:
        console.say("note: no policy goes along; a device keeps nothing unless the app brings one")
    rows = [
        ("items", f"{trained.n_items:,}"),
        ("items not in the catalog, left out", f"{trained.n_unlisted:,}"),
        ("items left out for the size limit", f"{trained.n_over_limit:,}"),
        ("largest difference of graph and estimators", f"{trained.exported.difference:.1e}"),
    ]
    console.table(f"Model in {out}", ["what", "value"], rows)
    if trained.decisions:
        console.table("Weights of the parts", ["", *_SITUATIONS], list(_weights(trained)))
    console.table("What the bundle takes", ["what", "bytes"], list(_takes(trained, size_limit)))


_SITUATIONS: Final = ("no history", "a visit starts", "in a visit")


def _weights(trained: Trained) -> Iterator[tuple[str, ...]]:
    decisions = trained.decisions
    yield "decided", *(decision.status for decision in decisions)
    gained = (decision.improvement for decision in decisions)
    yield "improvement", *("–" if one is None else f"{one:+.1%}" for one in gained)
    errors = (decision.certainty for decision in decisions)
    yield "in standard errors", *("–" if one is None else f"{one:+.1f}" for one in errors)
    for number, name in enumerate(trained.blend.part_names):
        yield name, *(f"{decision.weights[number]:.2f}" for decision in decisions)


def _takes(trained: Trained, size_limit: int | None) -> Iterator[tuple[str, str]]:
    from shelfrank_training.limit import REST_BYTES, SHIPPED, SLICES_BYTES, bundle_bytes
    from shelfrank_training.models.size import part_bytes

    graph = len(trained.exported.model)
    for part in trained.blend.parts_:
        graph -= (size := part_bytes(part))
        yield f"part {part.name}", f"{size:,}"
    yield "nodes of the graph", f"{graph:,}"
    for name in SHIPPED[1:]:
        yield name, f"{len(trained.files.get(name, b'')):,}"
    yield "room for manifest, signatures and the like", f"{REST_BYTES:,}"
    most = bundle_bytes(trained.files)
    yield "bundle, at most, with no slices in its model card", f"{most:,}"
    whole = most + SLICES_BYTES
    yield "bundle, at most", f"{whole if size_limit is None else min(whole, size_limit):,}"
