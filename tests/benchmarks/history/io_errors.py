"""Let the k-th system call of every kind fail, for every k of every operation of a history.

    python tests/benchmarks/history/io_errors.py --count 0

strace answers one call of a real process with an error (EIO; ENOSPC where space is taken; a call
that is interrupted; a write that is cut short) instead of the system. The operation must end with
an error of the SDK or succeed. The same object must then either work or say again that it cannot;
nothing may be made up. Afterwards the profile must open and hold the state before the operation or
the one after it: the one after it, if it was acknowledged. `--count` limits the injections of each
operation, spread evenly over them; 0 makes all of them, which takes some minutes.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from shelfrank.errors import ConsentError, HistoryError
from support.faults.children import FAILED, Child
from support.faults.command import Options, Progress, Tally, main
from support.faults.oracle import Allowed, Opened, State, Step, judge, look
from support.faults.tracing import Tracer
from support.histories import Profile, items_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.faults.children import Say

# Which calls fail, and how. SQLite and Python repeat an interrupted call; ENOSPC comes where space
# is taken or a name is made.
ERRORS: Final = {
    "openat": ("EIO", "ENOSPC", "EMFILE", "EACCES"),
    "pwrite64": ("EIO", "ENOSPC", "EINTR"),
    "write": ("EIO", "ENOSPC", "EINTR"),
    "pread64": ("EIO", "EINTR"),
    "read": ("EIO", "EINTR"),
    "fsync": ("EIO", "ENOSPC"),
    "fdatasync": ("EIO", "ENOSPC"),
    "ftruncate": ("EIO", "EINTR"),
    "lseek": ("EIO",),
    "unlink": ("EIO", "EACCES"),
    "rename": ("EIO", "ENOSPC"),
    "mkdir": ("EIO", "ENOSPC"),
    "fcntl": ("EIO", "ENOLCK"),
    "newfstatat": ("EIO", "EACCES"),
    "fstat": ("EIO",),
    "close": ("EIO",),
}


class Operation(NamedTuple):
    """One operation to be disturbed.

    Attributes:
        before: steps that prepare the profile.
        step: the operation; None opens the profile.
        opens: whether opening is part of what is disturbed.
    """

    before: tuple[Step, ...]
    step: Step
    opens: bool = False


FEW: Final = Step("append", ("sku-1", "sku-2", "sku-3"))
MANY: Final = Step("append", tuple(f"sku-{number}" for number in range(150)))
ALMOST: Final = Step("append", tuple(f"sku-{number}" for number in range(127)))
ONE: Final = Step("append", ("one",))

OPERATIONS: Final = {
    "create": Operation((), ONE, opens=True),
    "append": Operation((FEW,), ONE),
    "second append": Operation((ONE,), FEW),
    "block": Operation((ALMOST,), ONE),
    "erase": Operation((FEW,), Step("erase", ("sku-2",))),
    "erase from a block": Operation((MANY,), Step("erase", ("sku-2", "sku-149"))),
    "rotate": Operation((FEW,), Step("rotate")),
    "merge": Operation((MANY,), Step("merge", ("old-1", "old-2"))),
    "recover": Operation((MANY,), Step("recover")),
    "destroy": Operation((FEW,), Step("destroy")),
    "choose": Operation((FEW, Step("choose", choice=1)), Step("choose", choice=2)),
    "first choice": Operation((FEW,), Step("choose", choice=1)),
    "void": Operation((FEW, Step("choose", choice=1)), Step("void")),
    "reopen": Operation((MANY,), Step("reopen"), opens=True),
    "open and append": Operation((FEW,), ONE, opens=True),
}


class Injection(NamedTuple):
    """One call to fail: the `number`-th of its kind."""

    call: str
    error: str
    number: int

    def arguments(self, log: Path) -> tuple[str, ...]:
        """Return the arguments of strace."""
        fault = f"inject={self.call}:error={self.error}:when={self.number}"
        return ("-e", f"trace={self.call}", "-e", fault, "-o", str(log))


def disturbed(profile: Profile, operation: Operation, state: State) -> Child:
    """Return a child that will do the operation, and say what its object shows after it."""
    opened: list[Opened] = []

    def open_it() -> None:
        opened.append(Opened(profile, held=len(state.items)))

    def work(say: Say) -> None:
        try:
            if operation.opens:
                open_it()
            opened[0].do(operation.step)
        except passed_on(operation.step) as error:
            say(json.dumps(["error", type(error).__name__]))
        else:
            say(json.dumps(["done"]))
        if opened:
            say(shown(opened[0]))

    return Child(work, ready=(lambda: None) if operation.opens else open_it)


def passed_on(step: Step) -> tuple[type[Exception], ...]:
    """Return what may be raised: the record of choices passes errors of the system on."""
    return (
        (HistoryError, ConsentError, OSError)
        if step.what in {"choose", "void"}
        else (HistoryError,)
    )


def shown(opened: Opened) -> str:
    """Return as a line what an object shows after its operation."""
    try:
        return json.dumps(["shows", items_of(opened.history)])
    except HistoryError as error:
        return json.dumps(["refuses", type(error).__name__])


def prepare(operation: Operation, folder: Path) -> tuple[Profile, State]:
    """Make the profile that an operation starts from."""
    profile, state = Profile(folder), State()
    folder.mkdir()
    if operation.before:
        opened = Opened(profile)
        for step in operation.before:
            opened.do(step)
            state = step.after(state)
        opened.close()
    return profile, state


def calls_of(operation: Operation, folder: Path) -> dict[str, int]:
    """Count the calls of each kind that an undisturbed operation makes."""
    profile, state = prepare(operation, folder / "count")
    log = folder / "log"
    names = ",".join(f"?{name}" for name in ERRORS)
    with disturbed(profile, operation, state) as child:
        with Tracer(child, "-e", f"trace={names}", "-o", str(log)):
            child.join()
        if child.exit_code == FAILED:
            raise RuntimeError(child.all_lines()[-1])
    shutil.rmtree(folder / "count")
    counts: dict[str, int] = {}
    for line in log.read_text(encoding="ascii", errors="replace").splitlines():
        if call := re.match(r"(\w+)\(", line):
            counts[call[1]] = counts.get(call[1], 0) + 1
    return counts


def injections(counts: dict[str, int]) -> Iterator[Injection]:
    for call, errors in ERRORS.items():
        for error in errors:
            for number in range(1, counts.get(call, 0) + 1):
                yield Injection(call, error, number)


def spread(all_of_them: list[Injection], count: int) -> list[Injection]:
    """Return `count` of them, evenly spread; all when `count` is 0."""
    if not count or count >= len(all_of_them):
        return all_of_them
    return [all_of_them[at * len(all_of_them) // count] for at in range(count)]


def disturb(name: str, injection: Injection, folder: Path, tally: Tally) -> None:
    """Do an operation with one call that fails, and look."""
    operation = OPERATIONS[name]
    profile, state = prepare(operation, folder / "profile-root")
    where = f"{name}, {injection.call} number {injection.number} fails with {injection.error}"
    with disturbed(profile, operation, state) as child:
        with Tracer(child, *injection.arguments(folder / "log")):
            child.join()
        lines = child.all_lines()
    if child.exit_code != 0:
        tally.fault(where, f"no typed error: {(lines or ['nothing said'])[-1][-1500:]}")
    else:
        judge_outcome(profile, operation.step, state, lines, where, tally)
    shutil.rmtree(folder / "profile-root")


def judge_outcome(
    profile: Profile, step: Step, state: State, lines: list[str], where: str, tally: Tally
) -> None:
    """Hold what the child said against what is there."""
    answers = [json.loads(line) for line in lines]
    after = step.after(state)
    acknowledged = answers[0][0] == "done"
    tally.figures["acknowledged" if acknowledged else answers[0][1]] += 1
    for kind, what in answers[1:]:
        tally.figures[f"then {kind}"] += 1
        if kind == "shows" and tuple(what) not in {state.items, after.items}:
            tally.fault(where, f"the object shows {len(what)} events")
    allowed = Allowed((after,)) if acknowledged else Allowed((state, after), step)
    found = judge(profile, allowed)
    if isinstance(found, str):
        tally.fault(where, f"{answers}, then {found}")
    elif not acknowledged and found != state:
        tally.figures[f"in error, and yet done: {step.what}"] += 1


def campaign(options: Options, tally: Tally) -> None:
    """Disturb every operation."""
    warm_up(options.folder)
    names = [options.part] if options.part else list(OPERATIONS)
    todo: list[tuple[str, Injection]] = []
    for name in names:
        counts = calls_of(OPERATIONS[name], options.folder)
        tally.figures["calls"] += sum(counts.values())
        todo += [(name, each) for each in spread(list(injections(counts)), options.count)]
    progress = Progress("I/O errors", len(todo))
    for name, injection in todo:
        disturb(name, injection, options.folder, tally)
        tally.figures["injections"] += 1
        progress.step()


def warm_up(folder: Path) -> None:
    """Import whatever an operation imports late: those reads are not the history's."""
    for number, operation in enumerate(OPERATIONS.values()):
        profile, state = prepare(operation, folder / f"warm-{number}")
        opened = Opened(profile, held=len(state.items))
        opened.do(operation.step)
        opened.close()
        look(profile, Allowed((operation.step.after(state),)))


if __name__ == "__main__":
    main(
        campaign,
        name="I/O errors",
        doc=__doc__,
        count=0,
        guards=("errors", "retire-after-commit"),
        parts=tuple(OPERATIONS),
    )
