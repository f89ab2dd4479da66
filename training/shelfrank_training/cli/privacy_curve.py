"""``shelfrank privacy curve``: see `shelfrank_training.evaluate.curves.draw_curves`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shelfrank_training.cli import console
from shelfrank_training.cli.options import (
    figures_options,
    holdout_option,
    read_columns,
    read_policy,
    source_arguments,
    source_options,
)
from shelfrank_training.cli.outputs import check_writable, parse_cutoff, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shelfrank_training.evaluate.curves import Curves, Point


@click.command("curve")
@source_arguments
@click.option(
    "--cutoff",
    metavar="TIME",
    required=True,
    help="Models are made from what lies before and asked for what follows; UTC unless stated.",
)
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    help="Policy whose sensitive categories stay out and by which devices keep histories.",
)
@click.option(
    "--epsilon",
    "epsilons",
    type=click.FloatRange(min=0, min_open=True),
    multiple=True,
    metavar="E",
    help="A value to draw; may be repeated. Default: 8, 3 and 1.",
)
@click.option(
    "--delta",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=1e-6,
    show_default=True,
    metavar="D",
    help="Goes with every epsilon; less is taken where there are many shoppers.",
)
@click.option(
    "--min-shoppers",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Held while epsilon and the number of shoppers change.",
)
@click.option(
    "--draws",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Models with noise for each epsilon.",
)
@click.option(
    "--resamples",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Models for each other number of shoppers.",
)
@holdout_option("Share of shoppers kept out of every model, to measure on.")
@click.option(
    "--max-measured",
    type=click.IntRange(min=1),
    default=5_000,
    show_default=True,
    help="Shoppers measured at most, among those kept out.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Of resampling and intervals; noise has none.",
)
@source_options
@figures_options
def command(
    *,
    events: Path,
    catalog: Path,
    cutoff: str,
    policy: Path | None,
    epsilons: tuple[float, ...],
    delta: float,
    min_shoppers: int,
    draws: int,
    resamples: int,
    holdout: float,
    max_measured: int,
    seed: int,
    mapped: tuple[str, ...],
    dropped: tuple[str, ...],
    max_bad_rows: float,
    json_file: str | None,
    report: Path | None,
) -> None:
    """Show what protection costs in quality on EVENTS, the items being those of CATALOG.

    Many models are made and thrown away: with noise for each epsilon, with several values of
    min_shoppers, from fewer shoppers and from copies of them. Figures only come out, for the shop's
    own eyes: no epsilon covers them.
    """
    check_writable(report, json_file)
    moment = parse_cutoff(cutoff)
    columns = read_columns(mapped, dropped)
    from shelfrank_training.evaluate.curves import CurveSettings, draw_curves
    from shelfrank_training.evaluate.curves.plan import EPSILONS
    from shelfrank_training.events import Holdout

    curves = draw_curves(
        events,
        catalog,
        CurveSettings(
            cutoff=moment,
            policy=None if policy is None else read_policy(policy),
            holdout=Holdout(share=holdout),
            columns=columns,
            max_bad_rows=max_bad_rows,
            epsilons=epsilons or EPSILONS,
            delta=delta,
            min_shoppers=min_shoppers,
            draws=draws,
            resamples=resamples,
            max_measured=max_measured,
            seed=seed,
        ),
        progress=console.Bars(),
    )
    tell(curves)
    write_json(json_file, curves.to_json())
    if report is not None:
        from shelfrank_training.evaluate.curves.sections import write_curves

        write_curves(report, curves)
        console.say(f"report in {report}")


def tell(curves: Curves) -> None:
    """Draw the tables that people read, and say what to choose, on stderr."""
    from shelfrank_training.evaluate.curves.advice import advice
    from shelfrank_training.evaluate.curves.result import CAUTION

    held = f"min_shoppers {curves.min_shoppers}"
    _table(
        f"against epsilon, {held}",
        "epsilon",
        [
            ("none" if p.setting.epsilon is None else f"{p.setting.epsilon:g}", p)
            for p in curves.against_epsilon()
        ],
        curves,
    )
    _table(
        "against min_shoppers, without noise",
        "min_shoppers",
        [(f"{p.setting.min_shoppers}", p) for p in curves.against_min_shoppers()],
        curves,
    )
    for epsilon in (None, *curves.epsilons):
        line = curves.against_shoppers(min_shoppers=curves.min_shoppers, epsilon=epsilon)
        _table(
            f"against the number of shoppers, {held}"
            + ("" if epsilon is None else f", epsilon {epsilon:g}"),
            "shoppers",
            [(f"{p.n_shoppers:,}{' *' * p.setting.extrapolated}", p) for p in line],
            curves,
        )
    console.say("* as if so many shoppers behaved like these: an extrapolation")
    for note in curves.notes:
        console.say(f"note: {note}")
    for sentence in advice(curves):
        console.say(sentence)
    console.say(CAUTION)


def _table(title: str, axis: str, rows: Sequence[tuple[str, Point]], curves: Curves) -> None:
    """Draw shares of the unprotected NDCG@20: 80 characters hold both scopes."""
    from shelfrank_training.evaluate.curves.advice import in_per_cent, main_figure

    scopes = curves.scopes
    columns = [axis, "items", *scopes, *(f"{scope}, popularity" for scope in scopes[:1])]
    console.table(
        f"{title}: share of the unprotected NDCG@20",
        columns,
        [
            [
                name,
                f"{point.n_items:,.0f}",
                *(in_per_cent(main_figure(point.share, scope)) for scope in scopes),
                *(in_per_cent(main_figure(point.popularity, scope)) for scope in scopes[:1]),
            ]
            for name, point in rows
        ],
    )
