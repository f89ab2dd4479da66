"""Kill a process at random moments while it works on its history; see what is there afterwards.

    python tests/benchmarks/history/kills.py --count 1000

A child appends one event or many, so that blocks are closed, erases, which rotates the root,
destroys the history and begins anew, writes choices, and opens again. It says what is acknowledged;
at a random moment it gets SIGKILL. Then the profile must open and hold exactly the state after the
last acknowledged step, or after the one that was on its way: no event lost, no erasure undone, no
damage, no alarm. The next child goes on from there. About half a minute.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from support.faults.children import FAILED, Child
from support.faults.command import Options, Progress, Tally, main
from support.faults.oracle import BEGIN, DONE, Opened, State, Step, allowed_after, judge
from support.histories import Profile

if TYPE_CHECKING:
    from support.faults.children import Say, Work

MOST_LINES: Final = 12
"""A child lives until it has said up to so many lines, two a step, however fast the machine is."""

LONGEST_WAIT: Final = 0.01
"""Seconds that it lives beyond them: some steps, so that every moment of one may be the last."""

MOST_EVENTS: Final = 400
"""Then events are erased: verifying costs time in proportion."""

BLOCK: Final = 128


# What comes next, and how often: kills are to hit every kind of step.
STEPS: Final = ("append", "fill", "erase", "rotate", "destroy", "choose", "void", "reopen")
SHARES: Final = (0.42, 0.07, 0.19, 0.06, 0.07, 0.11, 0.02, 0.06)


def next_step(rng: np.random.Generator, state: State, prefix: str, number: int) -> Step:
    """Choose what to do next."""
    what = str(rng.choice(STEPS, p=SHARES))
    if len(state.items) > MOST_EVENTS:
        return Step("erase", state.items[::2])
    if not state.items and what in {"erase", "rotate"}:
        what = "append"
    # A record of choices is sealed with the history's key: first void, then destroy.
    if what == "destroy" and state.choice is not None:
        what = "void"
    at = int(rng.integers(len(state.items) or 1))
    items: dict[str, tuple[str, ...]] = {
        "append": (f"{prefix}-{number}",),
        "fill": tuple(
            f"{prefix}-{number}-{place}" for place in range(BLOCK - len(state.items) % BLOCK)
        ),
        "erase": state.items[at : at + 1],
    }
    name = "append" if what == "fill" else what
    return Step(name, items.get(what, ()), number if what == "choose" else 0)  # type: ignore[arg-type] # one of its names


def live(profile: Profile, state: State, seed: list[int], prefix: str) -> Work:
    """Return a child's work: steps for ever."""

    def work(say: Say) -> None:
        rng = np.random.default_rng(seed)
        opened = Opened(profile, held=1000 * int(prefix))
        here, number = state, 0
        while True:
            step = next_step(rng, here, prefix, number)
            say(BEGIN + step.to_line())
            opened.do(step)
            say(DONE)
            here, number = step.after(here), number + 1

    return work


def lines_until(child: Child, count: int) -> list[str]:
    """Return what a child says until it has said `count` lines, or has ended."""
    lines: list[str] = []
    while len(lines) < count and (some := child.some_lines()) is not None:
        lines += some
    return lines


def doing(step: Step, state: State) -> str:
    """Say what a step does to a state, as the figures count it."""
    if step.what == "append":
        return "creating" if not state.items else "filling a block" if step.items[1:] else "append"
    return step.what


def campaign(options: Options, tally: Tally) -> None:
    """Kill and look, again and again."""
    rng = np.random.default_rng(options.seed)
    profile, state = Profile(options.folder), State()
    progress = Progress("kills", options.count)
    for run in range(options.count):
        with Child(live(profile, state, [options.seed, run], str(run))) as child:
            lines = lines_until(child, int(rng.integers(MOST_LINES)))
            time.sleep(rng.uniform(0, LONGEST_WAIT))
            child.kill()
            lines += child.all_lines()
        if child.exit_code == FAILED:
            tally.fault(f"run {run}", lines[-1])
        allowed = allowed_after([line for line in lines if not line.startswith("failed")], state)
        found = judge(profile, allowed, go_on=False)
        tally.figures["kills"] += 1
        tally.figures["steps acknowledged"] += lines.count(DONE)
        if allowed.step is not None:
            tally.figures[f"killed in {doing(allowed.step, allowed.states[0])}"] += 1
            tally.figures["in flight and kept"] += found == allowed.states[-1] != allowed.states[0]
        if isinstance(found, str):
            tally.fault(f"run {run} of seed {options.seed}", found)
            profile, found = Profile(options.folder / f"after-{run}"), State()
        state = found
        progress.step()


if __name__ == "__main__":
    main(
        campaign,
        name="kills",
        doc=__doc__,
        count=1000,
        guards=("journal", "retire-after-commit"),
    )
