"""Audit the stated epsilon: let an attacker play against many releases, sound and weakened ones.

    python tests/benchmarks/audit_epsilon.py --runs 20000

Each input is released so many times with and without one shopper; a table shows what a release
states and what the attacker proves, with 95 % confidence in all numbers of a line's table together.
"apart" is in standard deviations of the noise: what the budget permits, and what is proved. Each
weakened release is played fewer times: it takes few to convict it. 20,000 runs take about half an
hour on one core. What proves that a statement is false is bold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from shelfrank_training.aggregates.noise import OPENDP

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.audit_shops import Shop, crowd, edge, everybody_counts_whole, open_worlds, wide
from support.epsilon_audit import audit
from support.noise_sources import Exact, ExactKeys, ShowsAll, TooLittle

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from shelfrank_training.aggregates.noise import NoiseSource

FAILURE: Final = 0.05
WEAKENED_SHARE: Final = 0.1
LEAST_RUNS: Final = 400


class Case(NamedTuple):
    """One release to be audited."""

    what: str
    shop: Shop
    source: NoiseSource
    sound: bool = False
    without: Callable[[], AbstractContextManager[None]] = nullcontext


CASES: Final = (
    Case("as shipped: all rows published", crowd(), OPENDP, sound=True),
    Case("as shipped: rows at their threshold", edge(items=3), OPENDP, sound=True),
    Case("as shipped: many categories", wide(), OPENDP),
    Case("half of the noise", crowd(), TooLittle(0.5)),
    Case("a fifth of the noise", crowd(), TooLittle(0.2)),
    Case("no noise", crowd(), Exact()),
    Case("keys chosen without noise", edge(items=3), ExactKeys()),
    Case("no noise, no threshold", edge(items=3), ShowsAll()),
    Case("many categories, no portions", wide(), OPENDP, without=everybody_counts_whole),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=20_000, help="releases of each input")
    runs = parser.parse_args().runs
    print("| release | runs | table | states | proved | if Gaussian | apart: permits | proved |")
    print("|---|--:|---|--:|--:|--:|--:|--:|")
    for case in CASES:
        few = max(LEAST_RUNS, int(runs * WEAKENED_SHARE))
        report(case, runs=runs if case.sound else min(runs, few))


def report(case: Case, *, runs: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(case.without())
        worlds = stack.enter_context(open_worlds(folder, case.shop))
        without, with_shopper = worlds.observe(runs, case.source)
        stated = worlds.stated()
        found = audit(worlds.attacker, without, with_shopper, delta=worlds.delta, failure=FAILURE)
    for table, finding in found.items():
        cells = [
            f"{stated[table].epsilon:.2f}",
            _marked(finding.epsilon, stated[table].epsilon),
            _marked(finding.gaussian_epsilon, stated[table].epsilon),
            f"{stated[table].deviations:.3f}",
            _marked(finding.deviations, stated[table].deviations, digits=3),
        ]
        print(f"| {case.what} | {runs:,} | {table} | {' | '.join(cells)} |", flush=True)


def _marked(found: float, stated: float, *, digits: int = 2) -> str:
    """Return a number, bold where it proves that what is stated is false."""
    return f"**{found:.{digits}f}**" if found > stated else f"{found:.{digits}f}"


if __name__ == "__main__":
    main()
