"""`Device.history`: the shopper's own events, to be seen, erased, taken along and brought along."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from shelfrank.admitting import Door
from shelfrank.bundle.files import read_within
from shelfrank.consent.admission import Admitted, admit_item
from shelfrank.consent.purposes import DEFAULT_CONTEXT
from shelfrank.consent.rules import Status
from shelfrank.errors import (
    BundleError,
    BundleFormatError,
    ExportDamagedError,
    HistoryError,
    UnknownPurposeError,
)
from shelfrank.frames import tells_no_locals
from shelfrank.history.events import PastEvent
from shelfrank.history.files import replace_file
from shelfrank.history.store import Selection
from shelfrank.rights.days import day_of, is_day_only
from shelfrank.rights.exported import MAX_EXPORT_BYTES, ChoiceNow, Takeaway
from shelfrank.rights.reading import read_export
from shelfrank.rights.sealing import plain_export, seal_export, sealed_bytes
from shelfrank.rights.writing import write_export
from shelfrank.types import LANGUAGES, ItemId

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from threading import RLock

    from shelfrank.bundle.catalog import Catalog
    from shelfrank.bundle.verify import VerifiedBundle
    from shelfrank.consent.engine import Consent
    from shelfrank.consent.policy import Policy
    from shelfrank.consent.rules import Choice
    from shelfrank.history.events import StoredEvent
    from shelfrank.history.store import History
    from shelfrank.rights.exported import BroughtEvent
    from shelfrank.types import DropReason, Kind, Language
    from shelfrank.wishes.own import OwnWishes

_TAG_BYTES: Final = 4
# Below 10**18, which the format's 64 bits hold.
_HANDLE_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


class Owner(Protocol):
    """What of a device its history asks for: a policy, a bundle, the shopper's choices."""

    policy: Policy | None
    bundle: VerifiedBundle | None
    consent: Consent
    wishes: OwnWishes


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnEvent:
    """One event, as a screen "my history" shows it.

    Attributes:
        event_id: its handle, for `OwnHistory.erase_event`; never given to another event. An import
            that puts visits between those that are here changes it: list again after one.
        kind: view, cart, purchase, like or dislike.
        item_id: the shop's key.
        title: of the item, where the bundle knows one.
        time: aware, UTC; as coarse as it is kept.
        day_only: whether only the day of `time` is known; then it stands for that day everywhere.
        quantity: how many; 1 where none is kept.
        visit: ordinal of the visit, growing with time.
        context: where in the shop it happened, a context of the policy; "" where none is kept.
        purposes: what it is kept for.
    """

    event_id: str
    kind: Kind
    item_id: ItemId
    title: str | None
    time: datetime
    day_only: bool
    quantity: float
    visit: int
    context: str
    purposes: frozenset[str]

    def __repr__(self) -> str:
        """Say the kind only."""
        return f"<OwnEvent {self.kind}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export holds.

    Attributes:
        events: how many.
        unreadable: how many more are damaged, or were when something was erased; they are missing.
    """

    events: int
    unreadable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of the events of an export.

    Attributes:
        stored: how many are kept now, for the purposes that are given here and now.
        already_here: how many were here before, and were not stored again.
        dropped: how many were not stored, by reason; the reasons are those of `Dropped`.
    """

    stored: int
    already_here: int
    dropped: Mapping[DropReason, int]


class OwnHistory:
    """The events on this device, for the shopper. Use it as `Device.history`.

    Everything here is local, at once and free, needs no reason, and works without a bundle: then
    items have no titles, and nothing can be imported, since nothing can be filtered.

    What is erased is gone for the next `Device.rank`, and for one that is running. Its old
    ciphertext is dead, as far as the key's provider can destroy (`shelfrank.keys`). Erasing events
    withdraws no permission: use `Device.consent.withdraw` for that, which erases too. Everything,
    choices included, goes with `Device.erase`.

    Every call may raise what `shelfrank.history.store.History` does.
    """

    def __init__(
        self, device: Owner, history: History, *, lock: RLock, folder: Path | None
    ) -> None:
        """Use `Device.history`."""
        self._device = device
        self._history = history
        self._lock = lock
        self._folder = folder

    def __repr__(self) -> str:
        """Say the type only."""
        return "<OwnHistory>"

    @tells_no_locals
    def events(self, purpose: str | None = None) -> tuple[OwnEvent, ...]:
        """Return what is kept, oldest first; damaged events are missing.

        Args:
            purpose: return only what is kept for this one.
        """
        tag, catalog = self._tag(), self._catalog()
        return tuple(
            self._own(stored, tag, catalog)
            for stored in self._history.stored()
            if purpose is None or purpose in stored.purposes
        )

    @property
    def unreadable(self) -> int:
        """How many events are damaged, or were when something was erased; 0 is as it should be.

        `Device.recover_at` writes what can be read into a new folder.
        """
        with self._lock:
            len(self._history)
            return self._history.lost

    @property
    def whole(self) -> bool:
        """Whether nothing of the history is damaged; False also where a spare copy stands in."""
        with self._lock:
            len(self._history)
            return self._history.whole

    @tells_no_locals
    def correct(self, event_id: str, *, item_id: str) -> bool:
        """Say that an event was about another item. Time, visit and purposes stay.

        The old event is erased and the new one written in one step; its handle is a new one.

        Args:
            event_id: from `events`.
            item_id: what it was about.

        Returns:
            Whether it was corrected; False when the event is gone.

        Raises:
            TypeError: one of them is no text.
            ValueError: the item is not in the catalog, or may not be kept; nothing was changed.
            HistoryDamagedError: something is damaged; recover first.
            KeyUnavailableError: see `shelfrank.history.store.History.erase`.
        """
        _must_be(item_id, str, "item_id")
        seq = self._seq_of(event_id)
        if seq is None:
            return False
        catalog, policy = self._catalog(), self._device.policy
        row = None if catalog is None else catalog.index_of(ItemId(item_id))
        category = None if catalog is None or row is None else catalog.category(row)
        if policy is None or admit_item(policy, known=row is not None, category=category):
            raise ValueError("the item is not in the catalog, or is of a sort that is never kept")
        if self._device.wishes.forbids(ItemId(item_id), category):
            raise ValueError("the item was ruled out by the shopper")
        with self._lock:
            return self._history.correct(seq, ItemId(item_id))

    @tells_no_locals
    def erase_event(self, event_id: str) -> int:
        """Erase one event.

        Args:
            event_id: from `events`.

        Returns:
            1, or 0 when it is gone already.

        Raises:
            TypeError: it is no text.
            KeyUnavailableError: see `shelfrank.history.store.History.erase`.
        """
        seq = self._seq_of(event_id)
        if seq is None:
            return 0
        with self._lock:
            return self._history.erase_selected(Selection(seqs=frozenset({seq})))

    @tells_no_locals
    def erase_day(self, day: date, *, zone: tzinfo = UTC) -> int:
        """Erase the events of one day.

        Args:
            day: the day as the shopper sees it.
            zone: where midnight is, such as ``zoneinfo.ZoneInfo("Europe/Amsterdam")``; UTC unless
                stated. It makes no difference to events whose day alone is kept: they belong to the
                day they are listed under (`OwnEvent.day_only`).

        Returns:
            How many were erased.

        Raises:
            TypeError: `day` is no date, or a moment.
            KeyUnavailableError: see `shelfrank.history.store.History.erase`.
        """
        if isinstance(day, datetime):
            raise TypeError("day is a moment, wanted a date, such as datetime.date(2026, 11, 25)")
        _must_be(day, date, "day")
        policy = self._device.policy

        def is_of_day(stored: StoredEvent) -> bool:
            return day_of(stored.event.time, stored.purposes, policy, zone=zone) == day

        with self._lock:
            return self._history.erase(is_of_day)

    @tells_no_locals
    def erase_item(self, item_id: str) -> int:
        """Erase everything about one item.

        Args:
            item_id: the shop's key.

        Returns:
            How many events were erased.

        Raises:
            TypeError: the item id is no text.
            KeyUnavailableError: see `shelfrank.history.store.History.erase`.
        """
        _must_be(item_id, str, "item_id")
        with self._lock:
            selection = Selection(item_ids=frozenset({ItemId(item_id)}))
            return self._history.erase_selected(selection)

    @tells_no_locals
    def erase_purpose(self, purpose: str) -> int:
        """Erase what is kept for one purpose; what another one keeps too stays for that one alone.

        The permission stays: what is recorded from now on is kept for the purpose again. To end
        that as well, call `Device.consent.withdraw` instead.

        Args:
            purpose: its id.

        Returns:
            How many events were erased; those that stay for another purpose do not count.

        Raises:
            UnknownPurposeError: neither the policy nor an event knows it.
            KeyUnavailableError: see `shelfrank.history.store.History.erase`.
        """
        _must_be(purpose, str, "purpose")
        with self._lock:
            policy = self._device.policy
            declared = {one.id for one in policy.purposes} if policy is not None else set()
            if purpose not in declared | set(self._device.consent.choices()):
                known = {name for stored in self._history.stored() for name in stored.purposes}
                if purpose not in known:
                    raise UnknownPurposeError(
                        f"got purpose {purpose!a}, wanted one of the policy or of an event"
                    )
            return self._history.drop_purpose(purpose)

    @tells_no_locals
    def export(
        self,
        path: str | os.PathLike[str],
        *,
        language: Language = "en",
        passphrase: str | None = None,
        overwrite: bool = False,
    ) -> Exported:
        """Write everything that is kept into one file (``sdk/docs/export-format.md``).

        The file is there whole or not at all, with mode 0600. Without a passphrase it is a zip that
        anybody who has it can read, ``readme.html`` in any browser.

        Args:
            path: of the file, such as ``mine.zip``; outside the folder of the device.
            language: of ``readme.html``.
            passphrase: seals the file; None leaves it readable. Nothing can recover it.
            overwrite: replace a file that is there.

        Returns:
            How many events it holds, and how many it could not.

        Raises:
            ValueError: an unknown language, an empty passphrase, or a path in the device's folder.
            FileExistsError: there is such a file, and `overwrite` is false.
            OSError: the file cannot be written; what stood there before stays.
            HistoryError: the history is too long for one file.
        """
        if language not in LANGUAGES:
            raise ValueError(f"language is {language!a}, wanted one of {', '.join(LANGUAGES)}")
        target = self._target(Path(path), overwrite=overwrite)
        takeaway = self._takeaway(language)
        data = write_export(takeaway)
        if passphrase is not None:
            data = seal_export(data, passphrase)
        replace_file(target, data)
        return Exported(events=len(takeaway.events), unreadable=takeaway.unreadable)

    @tells_no_locals
    def import_(self, path: str | os.PathLike[str], *, passphrase: str | None = None) -> Imported:
        """Bring events along from an export, as far as the shopper permits it here and now.

        The whole file is checked before anything is written, and then all is stored or nothing.
        Permission never comes along: an event is kept for the purposes that are *given on this
        device* and admit it, under the rules of `Device.record` (kind, retention, sensitive
        categories, granularity). What the file says of purposes and choices is not used. Reading
        the same file twice stores nothing twice.

        Args:
            path: of the file.
            passphrase: the one it was exported with, or None for a file without one.

        Returns:
            How many were stored, were here already, and were dropped, and why. Without a grant all
            are dropped.

        Raises:
            ExportDamagedError: no export, damaged, edited or over a limit, with events in the
                future, or not under a passphrase though one was given. Nothing was imported.
            WrongKeyError: the passphrase is another one.
            KeyUnavailableError: the file is under a passphrase, and none was given.
            HistoryVersionError: a format number this SDK does not read.
            HistoryDamagedError: events on this device are damaged, so others cannot be compared.
            HistoryError: the file cannot be read.
        """
        brought = read_export(plain_export(_read(Path(path)), passphrase))
        with self._lock:
            return self._import(brought)

    def _import(self, brought: tuple[BroughtEvent, ...]) -> Imported:
        consent = self._device.consent
        now = consent.effective_now()
        if any(event.time > now for event in brought):
            raise ExportDamagedError(
                "the export has events in the future by the clock of this device",
                hint="set the clock; it may be behind",
            )
        door = Door(
            self._device.policy,
            self._catalog(),
            # What is given for this visit only must not reach a disk.
            given=consent.given() - consent.visiting(),
            now=now,
            ruled_out=self._device.wishes.forbids,
        )
        dropped: Counter[DropReason] = Counter()
        admitted: list[PastEvent] = []
        for event in brought:
            answer = door.admit(
                event.kind, event.item_id, event.time, context=event.context or DEFAULT_CONTEXT
            )
            if isinstance(answer, Admitted):
                admitted.append(_past_event(event, answer))
            else:
                dropped[answer] += 1
        stored = self._history.merge(admitted)
        return Imported(
            stored=stored,
            already_here=len(admitted) - stored,
            dropped=dict(sorted(dropped.items())),
        )

    def _seq_of(self, event_id: str) -> int | None:
        """Return the number that a handle stands for, or None where it is none of this history."""
        _must_be(event_id, str, "event_id")
        tag, _, number = event_id.partition("-")
        # Only as it was written: a number that merely means the same is no handle.
        if tag != self._tag() or _HANDLE_NUMBER.fullmatch(number) is None:
            return None
        return int(number)

    def _tag(self) -> str:
        """Return what sets the handles of this history apart from those of an erased one."""
        return self._history.store_id[:_TAG_BYTES].hex()

    def _catalog(self) -> Catalog | None:
        return None if self._device.bundle is None else self._device.bundle.catalog

    def _own(self, stored: StoredEvent, tag: str, catalog: Catalog | None) -> OwnEvent:
        event = stored.event
        row = None if catalog is None else catalog.index_of(event.item_id)
        return OwnEvent(
            event_id=f"{tag}-{stored.seq}",
            kind=event.kind,
            item_id=event.item_id,
            title=None if catalog is None or row is None else catalog.title(row),
            time=event.time,
            day_only=is_day_only(event.time, stored.purposes, self._device.policy),
            quantity=event.quantity,
            visit=event.visit,
            context=event.context,
            purposes=stored.purposes,
        )

    def _takeaway(self, language: Language) -> Takeaway:
        device = self._device
        with self._lock:
            events, unreadable = self._history.stored(), self._history.lost
            answers = device.consent.choices()
            declared = [one.id for one in device.policy.purposes] if device.policy else []
            choices = tuple(
                ChoiceNow(
                    purpose=purpose,
                    status=self._status(purpose, answers.get(purpose)),
                    answer=answers.get(purpose),
                )
                for purpose in sorted({*declared, *answers})
            )
            return Takeaway(
                events=events,
                unreadable=unreadable,
                choices=choices,
                policy=device.policy,
                catalog=self._catalog(),
                created=device.consent.effective_now(),
                language=language,
                wishes=device.wishes.now(),
            )

    def _status(self, purpose: str, answer: Choice | None) -> Status:
        """Return how a purpose stands; without a policy, as the shopper answered."""
        consent = self._device.consent
        if self._device.policy is not None or answer is None or answer.until is None:
            return consent.status(purpose)
        return answer.answer if consent.effective_now() < answer.until else Status.EXPIRED

    def _target(self, path: Path, *, overwrite: bool) -> Path:
        # What a link points to is what the shopper means; a link must not be able to aim elsewhere
        # afterwards.
        target = path.resolve()
        if self._folder is not None and self._folder.resolve() in target.parents:
            raise ValueError(
                "the export would lie in the folder of the device, wanted it elsewhere"
            )
        if target.exists() and not overwrite:
            raise FileExistsError(f"{path} is there already; overwrite=True replaces it")
        if not target.parent.is_dir():
            raise FileNotFoundError(f"{path.parent} is no folder")
        return target


def _read(path: Path) -> bytes:
    limit = sealed_bytes(MAX_EXPORT_BYTES)
    try:
        return read_within(path, limit=limit, what="export")
    except BundleFormatError as error:
        raise ExportDamagedError(str(error)) from None
    except BundleError as error:
        raise HistoryError(str(error)) from None


def _past_event(event: BroughtEvent, admitted: Admitted) -> PastEvent:
    return PastEvent(
        kind=event.kind,
        item_id=event.item_id,
        stored_time=admitted.stored_time,
        visit=event.visit,
        order=event.order,
        quantity=event.quantity if admitted.keeps_quantity else 1.0,
        purposes=admitted.purposes,
        context=event.context or DEFAULT_CONTEXT,
    )


def _must_be(value: object, kind: type, name: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name} is {type(value).__name__}, wanted {kind.__name__}")
