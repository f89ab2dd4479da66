"""Compare shelfrank with recommenders that keep everybody's events, on the same split.

PYTHONPATH=tests python tests/benchmarks/peers EVENTS CATALOG --cutoff TIME
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from benchmarks.peers.exchange import SCOPES
from benchmarks.peers.ours import Source
from benchmarks.peers.roster import PEERS
from benchmarks.peers.run import RunSettings, UniverseOf, run
from benchmarks.peers.tables import document, markdown, terminal
from shelfrank.errors import ShelfrankError
from shelfrank_training.cli import console
from shelfrank_training.cli.options import (
    column_options,
    holdout_option,
    json_option,
    read_columns,
    read_policy,
    source_arguments,
)
from shelfrank_training.cli.outputs import check_writable, parse_cutoff, write_json
from shelfrank_training.events import Holdout


@click.command("peers")
@source_arguments
@click.option("--cutoff", metavar="TIME", required=True, help="What follows is to be foreseen.")
@click.option("--policy", type=click.Path(path_type=Path), help="By which devices keep histories.")
@holdout_option("Shoppers kept out of our models and of all tuning, to measure on.")
@click.option(
    "--min-shoppers",
    type=click.IntRange(min=2),
    default=20,
    show_default=True,
    help="Of our second model; the first has 1.",
)
@click.option(
    "--universe",
    type=click.Choice(["unprotected", "protected"]),
    default="unprotected",
    show_default=True,
    help="Whose items compete: those of our model of min_shoppers 1, or of the second one.",
)
@click.option(
    "--tune-from",
    metavar="TIME",
    help="Peers are tuned on what lies between here and the cutoff. Default: as long as the events "
    "go on after the cutoff.",
)
@click.option(
    "--peer",
    "only",
    type=click.Choice([peer.name for peer in PEERS]),
    multiple=True,
    help="Only this one; may be repeated. Default: all of them.",
)
@column_options
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    default=Path("peers-out"),
    show_default=True,
    help="Keeps our models, tasks and answers; a peer is not asked the same thing twice.",
)
@click.option(
    "--environments",
    type=click.Path(path_type=Path),
    default=Path("peers-environments"),
    show_default=True,
    help="Keeps the peers' environments, made with pip as it is set up here.",
)
@json_option
@click.option("--markdown", "page", type=click.Path(path_type=Path), help="Write the tables.")
@click.option("--title", default="Comparison", help="Of the data, in the Markdown.")
def command(  # noqa: PLR0913 - an argument an option
    *,
    events: Path,
    catalog: Path,
    cutoff: str,
    policy: Path | None,
    holdout: float,
    min_shoppers: int,
    universe: str,
    tune_from: str | None,
    only: tuple[str, ...],
    mapped: tuple[str, ...],
    dropped: tuple[str, ...],
    work: Path,
    environments: Path,
    json_file: str | None,
    page: Path | None,
    title: str,
) -> None:
    """Compare shelfrank with recommenders that keep everybody's events, on the same split.

    Our models are made, signed, opened and asked as `shelfrank aggregate`, `train` and `evaluate`
    do it. Peers run in environments of their own and are tuned on training shoppers alone.
    """
    check_writable(page, json_file)
    report = run(
        RunSettings(
            source=Source(
                events=events,
                catalog=catalog,
                policy=None if policy is None else read_policy(policy),
                holdout=Holdout(share=holdout),
                columns=read_columns(mapped, dropped),
            ),
            cutoff=parse_cutoff(cutoff),
            work=work,
            environments=environments.absolute(),
            min_shoppers=min_shoppers,
            universe=cast("UniverseOf", universe),
            tune_from=None if tune_from is None else parse_cutoff(tune_from),
            peers=tuple(peer for peer in PEERS if not only or peer.name in only),
        ),
        console.Bars(),
    )
    found = report.comparison.results
    for scope in SCOPES:
        if found.shoppers[scope]:
            for drawn in terminal(report, scope):
                console.table(*drawn)
    write_json(json_file, document(report))
    if page is not None:
        page.write_text(markdown(report, title), encoding="utf-8")


def main() -> None:
    """Run, and say an error as the commands of `shelfrank` do."""
    try:
        command(standalone_mode=True)
    except ShelfrankError as error:
        console.fail(error)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
