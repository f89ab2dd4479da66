"""Do random sequences of steps to a history and to a plain list; both must show the same.

    python tests/benchmarks/history/model.py --count 2000

hypothesis chooses for each sequence up to 50 steps: appending, erasing, ending purposes, rotating,
destroying, opening again, other processes that write or die at a chosen moment, flipped bits,
recoveries. After every step two openings of the history must show what the list holds
(`support.faults.model`). A quarter of an hour.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from support.faults.command import Options, Progress, Tally, main
from support.faults.model import HistoryMachine

STEPS: Final = 50
AT_ONCE: Final = 50
"""Sequences between two steps of the progress bar, each lot with a seed of its own."""


def campaign(options: Options, tally: Tally) -> None:
    """Run the sequences in lots."""
    progress = Progress("model", options.count)
    for lot in range(0, options.count, AT_ONCE):
        chosen = settings(
            max_examples=min(AT_ONCE, options.count - lot),
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )

        @seed(options.seed * 1_000_003 + lot)
        class Machine(HistoryMachine):
            """The same machine; the decorator marks a class for good."""

        try:
            run_state_machine_as_test(Machine, settings=chosen)
        except Exception as error:  # noqa: BLE001 any difference is a fault
            tally.fault(f"lot {lot} of seed {options.seed}", f"{type(error).__name__}: {error}")
        progress.step(AT_ONCE)
    tally.figures.update(HistoryMachine.counts)


if __name__ == "__main__":
    main(campaign, name="model", doc=__doc__, count=2000, guards=("fresh-state",))
