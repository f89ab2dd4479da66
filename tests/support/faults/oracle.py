"""What a history must hold after a fault: a plain list, and the steps that change it.

Whoever does the steps says on a channel when each begins and when it is acknowledged. From these
lines alone follows what may be found afterwards: the state after the last acknowledged step or,
if one was on its way, the state after that. Anything else is a loss, a false alarm or a mixture.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from shelfrank.consent.record import RECORD_BYTES
from shelfrank.consent.store import FileChoiceStore
from shelfrank.errors import ConsentError, HistoryError, KeyUnavailableError
from shelfrank.history.events import PastEvent
from shelfrank.history.keyring import KeyFile
from shelfrank.history.store import History
from support.histories import Profile, items_of, new_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shelfrank.history.events import NewEvent

BEGIN: Final = "begin "
DONE: Final = "done"

MINUTES_APART: Final = 1
"""Events are this far apart, so that their order is never in doubt."""


What = Literal[
    "append", "merge", "erase", "rotate", "destroy", "choose", "void", "reopen", "recover"
]


MERGED_MINUTES: Final = 10_000
"""What is merged is so much older each time."""


@dataclass(frozen=True, slots=True)
class State:
    """What a profile holds.

    Attributes:
        items: item ids of all events, oldest first.
        choice: number of the newest record of choices, or None.
        recovered: item ids in the history that `recover` has written beside the first.
    """

    items: tuple[str, ...] = ()
    choice: int | None = None
    recovered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """Something a device does to its profile.

    Attributes:
        what: append `items`, merge them as those of another device that are older, or erase them;
            replace the root; destroy the history; write record `choice`, or void it; close and
            open again; recover into a history beside the first.
        items: item ids.
        choice: number of a record.
    """

    what: What
    items: tuple[str, ...] = ()
    choice: int = 0

    def after(self, state: State) -> State:
        """Return the state that follows once the step is acknowledged."""
        kept = tuple(item for item in state.items if item not in self.items)
        changes: dict[What, State] = {
            "append": replace(state, items=(*state.items, *self.items)),
            "merge": replace(state, items=(*self.items, *state.items)),
            "erase": replace(state, items=kept),
            "destroy": replace(state, items=()),
            "choose": replace(state, choice=self.choice),
            "void": replace(state, choice=None),
            "recover": replace(state, recovered=state.items),
        }
        return changes.get(self.what, state)

    def to_line(self) -> str:
        """Return the step as one line."""
        return json.dumps([self.what, self.items, self.choice])

    @classmethod
    def from_line(cls, line: str) -> Step:
        """Read what `to_line` wrote."""
        what, items, choice = json.loads(line)
        return cls(what, tuple(items), choice)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may be found.

    Attributes:
        states: one state, or the ones before and after the step that was on its way.
        step: the step that was on its way, if any.
    """

    states: tuple[State, ...]
    step: Step | None = None


def allowed_after(lines: Iterable[str], start: State) -> Allowed:
    """Return what may be found after a process has said `lines`.

    Args:
        lines: whole lines; anything that is neither `BEGIN` nor `DONE` is passed over.
        start: the state it began with.
    """
    state, step = start, None
    for line in lines:
        if line.startswith(BEGIN):
            step = Step.from_line(line.removeprefix(BEGIN))
        elif line.startswith(DONE):
            if step is None:
                raise ValueError("a step is done that never began")
            state, step = step.after(state), None
    if step is None:
        return Allowed((state,))
    return Allowed((state, step.after(state)), step)


class Opened:
    """A profile that is open, and does steps.

    Args:
        profile: to open.
        held: how many events it already holds; places the next ones in time.
    """

    def __init__(self, profile: Profile, held: int = 0) -> None:
        self._profile = profile
        self._appended = held
        self._merged = 0
        self.history = profile.open()
        self._choices = choices_of(profile, self.history)

    def do(self, step: Step) -> None:
        """Do a step; what it raises is the history's."""
        steps: dict[What, Callable[[Step], object]] = {
            "append": self._append,
            "merge": self._merge,
            "erase": lambda step: self.history.erase(lambda s: s.event.item_id in step.items),
            "rotate": lambda _: self.history.rotate(),
            "destroy": lambda _: self.history.destroy(),
            "choose": lambda step: self._choices.write(record(step.choice)),
            "void": lambda _: self._choices.void(),
            "reopen": self._reopen,
            "recover": self._recover,
        }
        steps[step.what](step)

    def _append(self, step: Step) -> None:
        events = [
            new_event(item, minutes=(self._appended + at) * MINUTES_APART)
            for at, item in enumerate(step.items)
        ]
        self.history.append(events)
        self._appended += len(events)

    def _merge(self, step: Step) -> None:
        # Older than all that is here, so that everything is numbered and written anew.
        self._merged += MERGED_MINUTES
        events = [
            new_event(item, minutes=at * MINUTES_APART - self._merged)
            for at, item in enumerate(step.items)
        ]
        self.history.merge([_past(event, at) for at, event in enumerate(events)])

    def _reopen(self, _: Step) -> None:
        self.history.close()
        self.history = self._profile.open()
        self._choices = choices_of(self._profile, self.history)

    def _recover(self, _: Step) -> None:
        here, beside = self._profile, beside_of(self._profile)
        History.recover(
            here.folder, here.key, into=beside.folder, into_key=beside.key, clock=here.clock
        )

    def close(self) -> None:
        """Close it."""
        self.history.close()


def _past(event: NewEvent, order: int) -> PastEvent:
    return PastEvent(
        kind=event.kind,
        item_id=event.item_id,
        stored_time=event.stored_time,
        visit=0,
        order=order,
        quantity=event.quantity,
        purposes=event.purposes,
    )


def beside_of(profile: Profile) -> Profile:
    """Return the profile beside another one, with a key of its own."""
    beside = Profile(profile.folder.parent / "beside")
    beside.key_path = profile.folder.parent / "key-beside"
    beside.key = KeyFile(beside.key_path)
    return beside


def choices_of(profile: Profile, history: History) -> FileChoiceStore:
    """Return the record of choices that lies beside a history."""
    return FileChoiceStore(profile.folder / "choices", history.sealer)


def record(number: int) -> bytes:
    """Return a record of choices that can be told from every other."""
    return number.to_bytes(8, "big").ljust(RECORD_BYTES, b"\x01")


def judge(profile: Profile, allowed: Allowed, *, go_on: bool = True) -> str | State:
    """Open a profile after a fault and say which allowed state it holds, or what is wrong.

    Args:
        profile: nobody has it open.
        allowed: what may be found.
        go_on: also append an event and open again: a history that reads well must also live on.

    Returns:
        The state, or a sentence.
    """
    try:
        found = look(profile, allowed)
    except KeyUnavailableError as error:
        if allowed.step is None or allowed.step.what != "destroy":
            return f"false alarm: {error}"
        return _finish_destroying(profile, allowed.states[-1])
    except (HistoryError, ConsentError) as error:
        return f"false alarm: {type(error).__name__}: {error}"
    if isinstance(found, str):
        return found
    if found not in allowed.states:
        return f"found {brief(found)}, allowed {' or '.join(map(brief, allowed.states))}"
    return _go_on(profile, found, allowed) if go_on else found


def look(profile: Profile, allowed: Allowed) -> State | str:
    """Return what a profile holds, or a sentence about damage that it reports."""
    with profile.open() as history:
        items = tuple(items_of(history))
        if history.damaged or history.lost or not history.whole:
            return f"reports damage: {history.damaged}, {history.lost} lost"
        if len(history) != len(items):
            return f"counts {len(history)} events and shows {len(items)}"
        choice = _choice(profile, history, allowed)
    return _with_recovered(profile, State(items, choice))


def _with_recovered(profile: Profile, state: State) -> State | str:
    beside = beside_of(profile)
    if not beside.folder.exists():
        return state
    with beside.open() as history:
        items = tuple(items_of(history))
        if not history.whole:
            return f"what was recovered reports damage: {history.damaged}"
        # A page that could not be read is left behind, and what stood on it is counted.
        if history.lost and len(items) + history.lost == len(state.items):
            items = state.items
        return replace(state, recovered=items)


def _choice(profile: Profile, history: History, allowed: Allowed) -> int | None:
    try:
        content = choices_of(profile, history).read()
    except ConsentError:
        # A first record, or one that was being made void, may be torn: it permits nothing, as
        # before or after that step, and the shopper is asked anew.
        if allowed.step is None or all(state.choice is not None for state in allowed.states):
            raise
        return None
    return None if content is None else int.from_bytes(content[:8], "big")


def _go_on(profile: Profile, found: State, allowed: Allowed) -> State | str:
    expected = replace(found, items=(*found.items, "after"))
    try:
        with profile.open() as history:
            history.append([new_event("after", minutes=100_000)])
        again = look(profile, allowed)
    except (HistoryError, ConsentError) as error:
        return f"does not go on: {type(error).__name__}: {error}"
    if isinstance(again, str):
        return f"does not go on: {again}"
    # What was recovered beside it stays as it is; it is not held against the event after.
    again = replace(again, recovered=found.recovered)
    return found if again == expected else f"went on to {brief(again)}, not {brief(expected)}"


def _finish_destroying(profile: Profile, empty: State) -> State | str:
    """A destruction that was cut after the key went: nothing opens, and it can be finished."""
    History.destroy_at(profile.folder, profile.key)
    try:
        found = look(profile, Allowed((empty,)))
    except (HistoryError, ConsentError) as error:
        return f"a destruction cannot be finished: {type(error).__name__}: {error}"
    if isinstance(found, str):
        return found
    return empty if found == empty else f"a destruction leaves {brief(found)}"


def brief(state: State) -> str:
    """Return a state in few words."""
    last = f" to {state.items[-1]}" if state.items else ""
    return f"{len(state.items)} events{last}, choice {state.choice}, {len(state.recovered)} beside"
