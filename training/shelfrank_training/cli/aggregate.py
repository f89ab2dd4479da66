"""``shelfrank aggregate``: see `shelfrank_training.aggregates.aggregate`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shelfrank_training.cli import console
from shelfrank_training.cli.options import (
    clock_time,
    read_columns,
    read_policy,
    source_arguments,
    source_options,
)
from shelfrank_training.errors import DataError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from shelfrank_training.aggregates import Aggregates


def _parse_time(
    context: click.Context,  # noqa: ARG001 - click's signature
    parameter: click.Parameter,  # noqa: ARG001
    value: str | None,
) -> datetime | None:
    """Read ISO 8601; without a zone it is UTC, as everywhere in the input."""
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no ISO 8601 date or time") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _parse_zone(
    context: click.Context,  # noqa: ARG001 - click's signature
    parameter: click.Parameter,  # noqa: ARG001
    value: str | None,
) -> ZoneInfo | None:
    if value is None:
        return None
    from shelfrank_training.zones import find_zone

    try:
        return find_zone(value)
    except DataError as error:
        raise click.BadParameter(str(error)) from None


@click.command("aggregate")
@source_arguments
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    help="Policy whose sensitive categories stay out and whose min_shoppers holds.",
)
@click.option(
    "--min-shoppers",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Distinct shoppers behind every published number.",
)
@click.option(
    "--unprotected", is_flag=True, help="Permit --min-shoppers below 10: public data only."
)
@click.option(
    "--epsilon",
    type=float,
    help="Add noise: epsilon of everything written, for one shopper more or less.",
)
@click.option(
    "--delta",
    type=float,
    help="Goes with --epsilon, 1e-6 unless given; at most one over the number of shoppers.",
)
@click.option(
    "--ledger",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File that counts the budget over releases and refuses what would overspend it.",
)
@click.option(
    "--yearly-epsilon",
    type=float,
    help="Budget of a new ledger, 4 unless given; an existing one keeps its own.",
)
@click.option(
    "--holdout",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share of shoppers kept out, for evaluate.",
)
@click.option(
    "--outcomes",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of shoppers who make the table outcomes and no other; 0 for none.",
)
@click.option(
    "--until", callback=_parse_time, metavar="TIME", help="Leave out events at this time or later."
)
@click.option(
    "--zone",
    callback=_parse_zone,
    metavar="NAME",
    help="Time zone of the shop, such as Europe/Amsterdam: count items by the time of day, too.",
)
@source_options
@click.option("--force", is_flag=True, help="Replace aggregates that are there already.")
@click.option("--json", "as_json", is_flag=True, help="Print aggregates.json to stdout.")
def command(
    *,
    events: Path,
    catalog: Path,
    out: Path,
    policy: Path | None,
    min_shoppers: int,
    unprotected: bool,
    epsilon: float | None,
    delta: float | None,
    ledger: Path | None,
    yearly_epsilon: float | None,
    holdout: float,
    outcomes: float,
    until: datetime | None,
    zone: ZoneInfo | None,
    mapped: tuple[str, ...],
    dropped: tuple[str, ...],
    max_bad_rows: float,
    force: bool,
    as_json: bool,
) -> None:
    """Count bounded, thresholded statistics of EVENTS on the items of CATALOG.

    Both are Parquet or CSV. Only the folder that is written leaves this step: no row in it is about
    one shopper.
    """
    from shelfrank_training.aggregates import AggregateSettings, LedgerUse, aggregate
    from shelfrank_training.aggregates.ledger import DEFAULT_YEARLY_EPSILON
    from shelfrank_training.aggregates.settings import DEFAULT_DELTA, OUTCOMES_SALT
    from shelfrank_training.events import Holdout
    from shelfrank_training.outcomes import make_outcomes

    if delta is not None and epsilon is None:
        raise click.UsageError("--delta goes with --epsilon")
    if yearly_epsilon is not None and ledger is None:
        raise click.UsageError("--yearly-epsilon goes with --ledger")
    settings = AggregateSettings(
        policy=None if policy is None else read_policy(policy),
        min_shoppers=min_shoppers,
        unprotected=unprotected,
        holdout=Holdout(share=holdout),
        outcomes=Holdout(share=outcomes, salt=OUTCOMES_SALT),
        until=until,
        epsilon=epsilon,
        delta=DEFAULT_DELTA if delta is None else delta,
        ledger=None
        if ledger is None
        else LedgerUse(
            path=ledger,
            now=clock_time(),
            yearly_epsilon=DEFAULT_YEARLY_EPSILON if yearly_epsilon is None else yearly_epsilon,
        ),
        zone=zone,
        columns=read_columns(mapped, dropped),
        max_bad_rows=max_bad_rows,
        overwrite=force,
    )
    result = aggregate(
        events, catalog, out, settings, outcomes=make_outcomes, progress=console.Bars()
    )
    spent = result.info.ledger
    if spent is not None and yearly_epsilon not in {None, spent.epsilon_limit}:
        console.say(f"the ledger keeps its own yearly epsilon, {spent.epsilon_limit:g}")
    _report(result, out)
    if as_json:
        console.emit_json(result.info.to_json())


def _report(result: Aggregates, out: Path) -> None:
    for note in result.notes:
        console.say(note)
    info = result.info
    noise = (
        "no noise"
        if info.epsilon is None
        else f"epsilon {info.epsilon:g}, delta {info.delta:g} for one shopper more or less"
    )
    if info.ledger is not None:
        spent = info.ledger
        console.say(
            f"ledger: epsilon {spent.epsilon_spent:.3g} of {spent.epsilon_limit:g} spent within "
            f"{spent.days} days, this release and {spent.releases - 1} before it"
        )
    console.table(
        f"{out}: {info.shoppers:,} shoppers, at most {info.max_items} items each, "
        f"every number over at least {info.min_shoppers}; {noise}",
        ("table", "rows", "left out"),
        ((name, f"{t.rows:,}", t.suppressed()) for name, t in info.tables.items()),
    )
