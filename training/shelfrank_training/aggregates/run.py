"""One run: count, enter the cost, write."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from shelfrank_training.aggregates.counting import prepare
from shelfrank_training.aggregates.folder import KEYS, Aggregates, check_out, write_folder
from shelfrank_training.aggregates.ledger import Release
from shelfrank_training.aggregates.ledger_file import open_ledger
from shelfrank_training.progress import Progress, Silent

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from shelfrank_training.aggregates.budget import Bill
    from shelfrank_training.aggregates.counting import Made, OutcomesMaker
    from shelfrank_training.aggregates.settings import AggregateSettings

_SILENT: Final = Silent()


def aggregate(
    events: Path,
    catalog: Path,
    out: Path,
    settings: AggregateSettings,
    *,
    outcomes: OutcomesMaker | None = None,
    progress: Progress = _SILENT,
) -> Aggregates:
    """Turn events into aggregates.

    Args:
        events: Parquet or CSV, see ``training/docs/data.md``.
        catalog: Parquet or CSV.
        out: folder to write; all of it appears, or nothing.
        settings: bounds, threshold, noise, hold-out, columns.
        outcomes: makes the table of that name from part B; None leaves it empty.
        progress: hears about the steps.

    Returns:
        What was written, with notes for the person who runs it.

    Raises:
        DataError: an input does not keep the contract, or the target exists.
        PrivacyError: a setting or input would break a promise, or the ledger's budget is used up.
    """
    check_out(out, overwrite=settings.overwrite)
    with prepare(events, catalog, settings, progress=progress) as counting:
        made = counting.release(settings, outcomes=outcomes, progress=progress)
    found = made.aggregates
    if settings.ledger is None or made.bill is None:
        write_folder(out, found.info, made.files, overwrite=settings.overwrite)
        return found
    use = settings.ledger
    with open_ledger(use.path, epsilon_limit=use.yearly_epsilon) as ledger:
        entry = _entry(made, made.bill, use.now)
        found = Aggregates(
            replace(found.info, ledger=ledger.note(entry)),
            {name: found.table(name) for name in KEYS},
            found.notes,
        )
        # Entered first: a run that is killed in between has spent budget and published nothing.
        ledger.enter(entry)
        write_folder(out, found.info, made.files, overwrite=settings.overwrite)
    return found


def _entry(made: Made, bill: Bill, now: datetime) -> Release:
    digests = sorted(table.sha256 for table in made.aggregates.info.tables.values())
    return Release(
        time=now,
        rho=bill.rho,
        conversion_delta=bill.conversion_delta,
        key_delta=bill.key_delta,
        digest=hashlib.sha256("".join(digests).encode()).hexdigest(),
    )
