"""Kill a process at random moments while it works on its history; see what is there afterwards.

    python tests/benchmarks/history/kills.py --count 1000

A child appends one event or many, so that blocks are closed, erases, which rotates the root,
destroys the history and begins anew, writes choices, and opens again. It says what is acknowledged;
at a random moment it gets SIGKILL. Then the profile must open and hold exactly the state after the
last acknowledged step, or after the one that was on its way: no event lost, no erasure undone, no
damage, no alarm. The next child goes on from there. About half a minute.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from support.faults.children import FAILED, Child
from support.faults.command import Options, Progress, Tally, main
from support.faults.oracle import BEGIN, DONE, Opened, State, Step, allowed_after, judge
from support.histories import Profile

if TYPE_CHECKING:
    from support.faults.children import Say, Work

LONGEST_LIFE: Final = 0.02
"""Seconds; some ten steps. Longer lives would be killed no more often."""

MOST_EVENTS: Final = 400
"""Then events are erased: verifying costs time in proportion."""

BLOCK: Final = 128


def next_step(rng: random.Random, state: State, prefix: str, number: int) -> Step:
    """Choose what to do next."""
    what = rng.choices(
        ("append", "fill", "erase", "rotate", "destroy", "choose", "void", "reopen"),
        (40, 6, 18, 5, 6, 10, 2, 5),
    )[0]
    if len(state.items) > MOST_EVENTS:
        what = rng.choice(("erase half", "destroy"))
    if what == "append" or (what in {"erase", "rotate"} and not state.items):
        return Step("append", (f"{prefix}-{number}",))
    if what == "fill":
        missing = BLOCK - len(state.items) % BLOCK
        return Step("append", tuple(f"{prefix}-{number}-{at}" for at in range(missing)))
    if what == "erase":
        return Step("erase", (rng.choice(state.items),))
    if what == "erase half":
        return Step("erase", state.items[::2])
    if what == "choose":
        return Step("choose", choice=number)
    # A record of choices is sealed with the history's key: first void, then destroy.
    if what == "destroy" and state.choice is not None:
        return Step("void")
    return Step(what)  # type: ignore[arg-type] # what is left are names of steps


def live(profile: Profile, state: State, seed: str, prefix: str) -> Work:
    """Return a child's work: steps for ever."""

    def work(say: Say) -> None:
        rng = random.Random(seed)
        opened = Opened(profile, held=1000 * int(prefix))
        here, number = state, 0
        while True:
            step = next_step(rng, here, prefix, number)
            say(BEGIN + step.to_line())
            opened.do(step)
            say(DONE)
            here, number = step.after(here), number + 1

    return work


def doing(step: Step, state: State) -> str:
    """Say what a step does to a state, as the figures count it."""
    if step.what == "append":
        return "creating" if not state.items else "filling a block" if step.items[1:] else "append"
    return step.what


def campaign(options: Options, tally: Tally) -> None:
    """Kill and look, again and again."""
    rng = random.Random(options.seed)
    profile, state = Profile(options.folder), State()
    progress = Progress("kills", options.count)
    for run in range(options.count):
        with Child(live(profile, state, f"{options.seed} {run}", str(run))) as child:
            # One in five may die while it opens; the others have begun.
            lines = [] if rng.random() < 0.2 else child.some_lines() or []
            time.sleep(rng.uniform(0, LONGEST_LIFE))
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
