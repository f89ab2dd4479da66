"""What every campaign's command has in common: options, progress, figures, exit code."""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from support.faults.guards import GUARDS, without

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MEMORY_DISK: Final = Path("/dev/shm")  # noqa: S108 where Linux keeps files in memory
"""Syncing costs nothing there, and nothing of a campaign depends on a real disk."""

SHOWN_FAULTS: Final = 5
BAR_WIDTH: Final = 30


@dataclass
class Options:
    """What the command line asks for.

    Attributes:
        count: how many faults to inject; 0 means all of them.
        seed: of the choices that are random.
        guard: name of the guard to do without, or None.
        folder: an empty folder to work in.
        part: which part of the campaign alone, or None.
        stride: where all of something are tried: every so many-th of them.
    """

    count: int
    seed: int
    guard: str | None
    folder: Path
    part: str | None = None
    stride: int = 1


@dataclass
class Tally:
    """What a campaign has found.

    Attributes:
        figures: numbers by what they count.
        faults: a sentence for each state that must not be.
    """

    figures: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def fault(self, where: str, what: str) -> None:
        """Note what must not be."""
        self.faults.append(f"{where}: {what}")


class Progress:
    """A bar on standard error; without a terminal a line for each tenth.

    Args:
        what: the campaign's name.
        total: number of steps.
    """

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = max(1, total)
        self._done = 0
        self._shown = -1

    def step(self, by: int = 1) -> None:
        """Count a step."""
        self._done = min(self._total, self._done + by)
        share = self._done / self._total
        parts = BAR_WIDTH if sys.stderr.isatty() else 10
        if (filled := int(share * parts)) == self._shown:
            return
        self._shown = filled
        end = "" if sys.stderr.isatty() and self._done < self._total else "\n"
        bar = ("#" * filled).ljust(parts, ".")
        start = "\r" if sys.stderr.isatty() else ""
        print(f"{start}{self._what} [{bar}] {self._done}/{self._total}", end=end, file=sys.stderr)  # noqa: T201 its purpose


def main(
    campaign: Callable[[Options, Tally], None],
    *,
    name: str,
    doc: str | None,
    count: int,
    guards: Sequence[str],
    parts: Sequence[str] = (),
) -> None:
    """Run a campaign as the command line says, print its figures, and exit: 1 on any fault.

    Args:
        campaign: does the work.
        name: of the campaign.
        doc: the module's docstring.
        count: how many faults, when the command line does not say.
        guards: which it can do without, see `GUARDS`.
        parts: which it can be limited to.
    """
    assert set(guards) <= set(GUARDS)
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=count, help="how many; 0: every one")
    parser.add_argument("--seed", type=int, default=1, help="of the random choices")
    parser.add_argument("--without", choices=guards, help="negative control: must find faults")
    parser.add_argument("--part", choices=parts or None, help="only this part")
    parser.add_argument("--stride", type=int, default=1, help="of all of something: every N-th")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--folder", type=Path, help="where to work; default: files in memory")
    given = parser.parse_args()
    where = given.folder or (MEMORY_DISK if os.access(MEMORY_DISK, os.W_OK) else None)
    tally = Tally()
    started, cpu = time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory(dir=where, prefix="history-") as folder:
        options = Options(
            given.count, given.seed, given.without, Path(folder), given.part, given.stride
        )
        with without(given.without):
            campaign(options, tally)
    report = {
        "campaign": name,
        "seed": given.seed,
        "without": given.without,
        "figures": dict(tally.figures),
        "faults": len(tally.faults),
        "examples": tally.faults[:SHOWN_FAULTS],
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "sqlite": sqlite3.sqlite_version,
    }
    for key, value in report.items():
        print(f"{key}: {json.dumps(value, ensure_ascii=False)}")  # noqa: T201 its report
    if given.json:
        given.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if tally.faults else 0)
