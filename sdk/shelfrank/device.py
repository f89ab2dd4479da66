"""The wiring: verify → rank ← history ← consent. Rules live in the parts; here they meet.

A device writes nothing about the shopper before the first choice. `rank` always answers in the same
shape; without consent, history or model it answers generically and says so.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Final, Literal, Self, get_args

from shelfrank.acceptance import check_label, policy_in_force, read_policy
from shelfrank.admitting import Door
from shelfrank.benefit import NOTHING_TO_TELL, benefit_of
from shelfrank.bundle.files import read_bundle_file, read_root_file
from shelfrank.bundle.verify import verify_bundle
from shelfrank.clock import SystemClock
from shelfrank.consent.admission import Admitted
from shelfrank.consent.engine import Consent
from shelfrank.consent.limits import preset_on_device
from shelfrank.consent.permission import Circumstances
from shelfrank.consent.purposes import DEFAULT_CONTEXT
from shelfrank.consent.signals import Signals
from shelfrank.consent.store import FileChoiceStore, FileJournalStore, MemoryChoiceStore
from shelfrank.consent.subject import Subject
from shelfrank.errors import ConsentError, HistoryError, ModelMismatchError, RuntimeGuardError
from shelfrank.frames import tells_no_locals
from shelfrank.history.files import file_error
from shelfrank.history.keys import KeyProvider
from shelfrank.history.storage import ANCHOR_NAME, DATABASE_NAME
from shelfrank.history.store import History, NewEvent, Selection
from shelfrank.ranking.fallback import caller_order
from shelfrank.ranking.inputs import check_k, daypart_of, distinct_candidates
from shelfrank.ranking.page import Page
from shelfrank.ranking.ranker import DEFAULT_K, Ranker
from shelfrank.ranking.session import require_guarded_runtime
from shelfrank.remembered import BUNDLE_FILE, RememberedBundle
from shelfrank.rights.overview import Overview, count_by_purpose
from shelfrank.rights.own import OwnHistory
from shelfrank.types import KINDS, RANK_PURPOSE, Dropped, ItemId, LocalClock, Stored
from shelfrank.wishes.own import FEEDBACK, KIND_OF_FEEDBACK, OwnWishes
from shelfrank.wishes.store import WISHES_FILE, FileWishStore, MemoryWishStore
from shelfrank.wishes.wishes import Wishes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shelfrank.benefit import Benefit
    from shelfrank.bundle.verify import VerifiedBundle
    from shelfrank.consent.policy import Policy
    from shelfrank.consent.presets import Preset
    from shelfrank.consent.store import ChoiceStore
    from shelfrank.history.store import Recovered, Sealer
    from shelfrank.ranking.page import Mode, ModeReason, Rung
    from shelfrank.types import Candidate, Clock, Daypart, Event, Kind, Language
    from shelfrank.wishes.own import Feedback
    from shelfrank.wishes.store import WishStore
    from shelfrank.wishes.wishes import Preferable

_CHOICES_FILE = "choices"
_JOURNAL_FILE = "journal"

Asked = Literal["auto", "personal", "contextual", "generic"]
"""How personal a ranking is asked to be; what really happened is `Page.mode`."""

MODES: Final[tuple[Asked, ...]] = get_args(Asked)


class Device:
    """One shopper's device: consent, history and ranking. Open it with `Device.open`.

    Attributes:
        consent: ask, grant, withdraw (`shelfrank.consent.engine.Consent`).
        policy: in force: of bundle and app the stricter; None means nothing is ever kept.
        bundle: what is served, or None.
        history: the shopper's own events: list, correct, erase, export, import
            (`shelfrank.rights.own.OwnHistory`).
        wishes: what the shopper said outright: seen, corrected (`shelfrank.wishes.own.OwnWishes`).
    """

    def __init__(  # noqa: PLR0913 - what `open` has made, by keyword
        self,
        *,
        history: History,
        folder: Path | None,
        remembered: RememberedBundle | None,
        bundle: VerifiedBundle | None,
        policy: Policy | None,
        clock: Clock,
        circumstances: Circumstances,
    ) -> None:
        """Use `Device.open`."""
        self.policy = policy
        self._circumstances = circumstances
        self.bundle = bundle
        self._history = history
        # What is kept under a grant for this visit only.
        self._visit = History.in_memory(clock=clock)
        self._visits_over = 0
        self._folder = folder
        self._clock = clock
        # Between asking for consent and writing, nothing may be withdrawn or erased.
        self._writing = RLock()
        self._ranker = Ranker(bundle) if bundle is not None else None
        self._remembered = remembered
        self.consent = self._new_consent()
        self.history = OwnHistory(self, history, lock=self._writing, folder=folder)
        self.wishes = OwnWishes(self, self._wish_store(), history, lock=self._writing)

    def __repr__(self) -> str:
        """Say the type only."""
        return "<Device>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @classmethod
    @tells_no_locals
    def open(  # noqa: PLR0913 - the public contract: what a device needs, by keyword
        cls,
        folder: str | Path | None,
        *,
        bundle: str | Path | bytes | None,
        trust: str | Path | bytes | None,
        key: KeyProvider | None = None,
        policy: str | Path | bytes | Policy | None = None,
        clock: Clock | None = None,
        allow_unprotected: bool = False,
        preset: Preset | str | Sequence[str] | None = None,
        signals: Signals | None = None,
        subject: Subject | None = None,
    ) -> Self:
        """Verify the bundle, open the history, and erase what is due; write nothing new.

        Args:
            folder: for history and choices, this shopper's alone; made at the first choice. None
                keeps everything in memory: a guest at a kiosk.
            bundle: a ``.shelfrank`` file, or its bytes. None opens without a model: `rank` keeps
                the caller's order, and withdrawing and erasing work as ever. Do that when a bundle
                is refused.
            trust: the shop's ``root.json``, shipped with the app; needed with a bundle.
            key: from `shelfrank.keys`; needed with a folder.
            policy: the app's own policy; with one in the bundle too, the stricter holds.
            clock: None takes the machine's. With a `shelfrank.types.LocalClock` the ranking follows
                the time of day, where the bundle knows of it.
            allow_unprotected: accept a bundle whose label says that numbers about few shoppers are
                in it, with any epsilon or none; for research only. What the policy's
                `must_exclude` lists must be left out all the same.
            preset: of the law where the shopper is: an id, several (the strictest of each rule
                holds), or ``unknown`` (the strictest of all). None takes what the policy names, or
                else the strictest. It can only tighten the policy.
            signals: what the browser or system signals, such as `Signals.from_headers(…)`.
            subject: what the app knows of the shopper's age; None is unknown, which is not adult.
                A child's profile that held an adult's choices is erased.

        Raises:
            ValueError: a folder without a key, or a bundle without trust.
            RuntimeGuardError: onnxruntime's telemetry is not known to be off.
            BundleError: the bundle is refused; see `shelfrank.bundle.verify.verify_bundle`.
            LabelError: a `BundleError`: its label promises less than the policy asks for.
            PolicyError: a policy cannot be read, or excludes categories that the catalog lacks.
            HistoryError: the history cannot be opened; see `shelfrank.history.store.History.open`.
                It is untouched; `Device.erase_at` erases one that nothing can open.
            OSError: a file cannot be read.
        """
        require_guarded_runtime()
        if folder is not None and key is None:
            raise ValueError("a folder needs a key, got None")
        if bundle is not None and trust is None:
            raise ValueError("a bundle needs trust (root.json), got None")
        _check_key(key)
        clock = clock or SystemClock()
        place = None if folder is None else Path(folder)
        # Everything that can be refused is checked before the history is touched.
        offered = bundle if isinstance(bundle, bytes | None) else read_bundle_file(Path(bundle))
        root = trust if isinstance(trust, bytes | None) else read_root_file(Path(trust))
        own = read_policy(policy)
        if place is None or key is None:
            history = History.in_memory(clock=clock)
        else:
            history = History.open(place, key, clock=clock)
        try:
            remembered = None if place is None else RememberedBundle(place, history.sealer)
            verified = None
            if offered is not None and root is not None:
                before = None if remembered is None else remembered.read()
                verified = verify_bundle(offered, trust=root, now=clock.now(), installed=before)
            in_force = policy_in_force(verified, own)
            if verified is not None:
                check_label(verified, in_force, allow_unprotected=allow_unprotected)
            device = cls(
                history=history,
                folder=place,
                remembered=remembered,
                bundle=verified,
                policy=in_force,
                clock=clock,
                circumstances=Circumstances(
                    preset=preset_on_device(preset, in_force, on=_today(clock, verified)),
                    signals=signals or Signals(),
                    subject=subject or Subject(),
                ),
            )
            device._keep_house()
        except BaseException:
            history.close()
            raise
        return device

    @staticmethod
    def erase_at(folder: str | Path, *, key: KeyProvider) -> None:
        """Erase a device's data that may not even open: the key first, then the files.

        It does not ask whether the key is the right one: what cannot be opened must be erasable.

        Args:
            folder: as given to `open`.
            key: as given to `open`; another provider leaves the real key where it is.

        Raises:
            KeyUnavailableError: the provider failed to destroy its key; the files are gone.
        """
        place = Path(folder)
        try:
            History.destroy_at(place, key)
        finally:
            _remove_files(place)

    @staticmethod
    def recover_at(
        folder: str | Path,
        *,
        key: KeyProvider,
        into: str | Path,
        into_key: KeyProvider | None = None,
        clock: Clock | None = None,
    ) -> Recovered:
        """Write what can be read of a damaged device into a new folder; the old one stays.

        The shopper's choices go along, as far as they can be read: without them nothing is
        permitted until the shopper is asked again. Open the new folder afterwards, and erase the
        old one with `erase_at` when it is not needed any more.

        Args:
            folder: as given to `open`; no process should have it open.
            key: as given to `open`.
            into: a missing or empty folder.
            into_key: who keeps the key of the new folder; None takes the same.
            clock: None takes the machine's.

        Returns:
            How many events were kept and lost.

        Raises:
            HistoryError: nothing can be recovered; see `shelfrank.history.store.History.recover`.
            ValueError: `into` is not empty.
        """
        old, new = Path(folder), Path(into)

        def take_along(before: Sealer, after: Sealer) -> None:
            try:
                reseal(before, after)
            except BaseException as error:
                _remove_files(new)
                if isinstance(error, OSError):
                    raise file_error(error) from None
                raise

        def reseal(before: Sealer, after: Sealer) -> None:
            for store, name in (
                (FileChoiceStore, _CHOICES_FILE),
                (FileJournalStore, _JOURNAL_FILE),
            ):
                with suppress(ConsentError):
                    content = store(old / name, before).read()
                    if content is not None:
                        store(new / name, after).write(content)
            with suppress(HistoryError):
                wishes = FileWishStore(old, before).read()
                if wishes:
                    FileWishStore(new, after).write(wishes)
            RememberedBundle(old, before).copy_to(RememberedBundle(new, after))

        return History.recover(
            old,
            key,
            into=new,
            into_key=into_key,
            clock=clock or SystemClock(),
            reseal=take_along,
        )

    @tells_no_locals
    def record(
        self,
        kind: Kind,
        item_id: str,
        *,
        quantity: float = 1.0,
        time: datetime | None = None,
        visit: Literal["current", "new"] = "current",
        context: str = DEFAULT_CONTEXT,
    ) -> Stored | Dropped:
        """Keep one event, if the shopper permits it; durable when this returns `Stored`.

        Args:
            kind: view, cart, purchase, like or dislike.
            item_id: the shop's key, text.
            quantity: how many; kept only where a purpose keeps quantities.
            time: aware; None takes now. It is kept as coarse as the policy says.
            visit: ``new`` starts a visit with this event; otherwise 30 minutes without one do.
            context: the area or channel it happened in, one the policy lists, such as ``kiosk``. It
                is kept for purposes that list it, and only they read it.

        Returns:
            `Stored`, or `Dropped` with the reason. Missing consent is no error.

        Raises:
            TypeError: the item id is not text.
            ValueError: an unknown kind, a naive time, or one in the future.
            HistoryError: the history cannot be written; nothing was stored.
        """
        _check_event(kind, item_id, quantity)
        if visit not in {"current", "new"}:
            raise ValueError(f"visit is {visit!r}, wanted current or new")
        now = self._clock.now()
        moment = now if time is None else _checked_time(time, now=now)
        with self._writing:
            return self._record(
                kind, ItemId(item_id), moment, quantity=quantity, visit=visit, context=context
            )

    def _record(
        self,
        kind: Kind,
        item_id: ItemId,
        time: datetime,
        *,
        quantity: float,
        visit: Literal["current", "new"],
        context: str,
    ) -> Stored | Dropped:
        self.consent.still_here()
        given = self.consent.given()
        door = Door(
            self.policy,
            None if self.bundle is None else self.bundle.catalog,
            given=given,
            now=self.consent.effective_now(),
            ruled_out=self.wishes.forbids,
        )
        admitted = door.admit(kind, item_id, time, context=context)
        if admitted == "no_consent":
            return Dropped(self.consent.why_nothing() or "no_consent")
        if not isinstance(admitted, Admitted):
            return Dropped(admitted)
        event = NewEvent(
            kind=kind,
            item_id=item_id,
            time=time,
            stored_time=admitted.stored_time,
            quantity=quantity if admitted.keeps_quantity else 1.0,
            purposes=admitted.purposes,
            context=context,
        )
        on_the_disk = self._append(event, new_visit=visit == "new")
        for purpose in admitted.purposes:
            self.consent.count("recorded", purpose=purpose, what=kind)
        # The event is safe by now. What is due is not used whatever happens, and goes later.
        if on_the_disk:
            with suppress(HistoryError):
                self._forget_old()
            self._remember_bundle()
            self.consent.keep_house_daily()
        return Stored()

    def _append(self, event: NewEvent, *, new_visit: bool) -> bool:
        """Keep an event, in memory where given for this visit only; whether it is on the disk."""
        visiting = self.consent.visiting()
        self._forget_visits()
        for history, purposes in (
            (self._history, event.purposes - visiting),
            (self._visit, event.purposes & visiting),
        ):
            if purposes:
                if new_visit:
                    history.new_visit()
                history.append([replace(event, purposes=purposes)])
        return bool(event.purposes - visiting)

    def prefer(self, what: Preferable, value: str) -> Stored | Dropped:
        """Note a brand or category to show more of; see `shelfrank.wishes.own.OwnWishes.prefer`."""
        return self.wishes.prefer(what, value)

    def never_use(self, *, category: str | None = None, item_id: str | None = None) -> int:
        """Rule a category or an item out; see `shelfrank.wishes.own.OwnWishes.never_use`."""
        return self.wishes.never_use(category=category, item_id=item_id)

    @tells_no_locals
    def feedback(self, item_id: str, feedback: Feedback) -> Stored | Dropped:
        """Take what the shopper says of an item; it changes the very next ranking.

        Args:
            item_id: the shop's key.
            feedback: ``more`` and ``less`` are kept as a like and a dislike, where that is
                permitted; ``never`` shows the item no more, erases what is kept about it, and
                needs no permission; ``wrong`` (it was not me) erases what is kept about it.

        Returns:
            `Stored`, or `Dropped` with the reason.

        Raises:
            ValueError: another word.
            TypeError: the item id is not text.
            HistoryError: it cannot be kept or erased.
        """
        if feedback not in FEEDBACK:
            raise ValueError(f"feedback is {feedback!a}, wanted one of {', '.join(FEEDBACK)}")
        _check_event("view", item_id, 1)
        if feedback in KIND_OF_FEEDBACK:
            return self.record(KIND_OF_FEEDBACK[feedback], item_id)
        if feedback == "never":
            self.wishes.never_use(item_id=item_id)
        else:
            self.history.erase_item(item_id)
        self._visit.erase_selected(Selection(item_ids=frozenset({ItemId(item_id)})))
        return Stored()

    def benefit_report(self, *, k: int = DEFAULT_K) -> Benefit:
        """Say what personalisation did for this shopper, from what is kept, here and now.

        Args:
            k: length of the list that "among the first" is about.

        Returns:
            Where the newest purchases stood just before, in the shopper's order and in everybody's;
            with 0 purchases without permission, history or model, or where they are too few.

        Raises:
            ValueError: k is less than 1.
        """
        check_k(k)
        events, _ = self._usable_events()
        if self._ranker is None or not events:
            return NOTHING_TO_TELL
        try:
            require_guarded_runtime()
            return benefit_of(self._ranker, events, k=k)
        except (RuntimeGuardError, ModelMismatchError):
            return NOTHING_TO_TELL

    @tells_no_locals
    def overview(self, language: Language = "en") -> Overview:
        """Return everything this device holds about the shopper, to be read in one go.

        Args:
            language: one of the policy's languages.

        Raises:
            ValueError: the policy has no texts in that language.
        """
        purposes = self.consent.overview(language=language)
        kept, unreadable = None, 0
        with suppress(HistoryError):
            kept = count_by_purpose(self._history.stored())
            unreadable = self._history.lost
        return Overview(
            purposes=purposes,
            kept=kept,
            unreadable=unreadable,
            wishes=self.wishes.now(),
            benefit=self.benefit_report(),
            gpc=self.consent.gpc,
            language=language,
        )

    def main_parameters(self, language: Language = "en") -> tuple[str, ...]:
        """Return what decides the order, most important first, as the bundle's label says it.

        The regulation (EU) 2022/2065, article 27, asks platforms for it.

        Args:
            language: de, nl or en.

        Returns:
            A clause for each parameter; none without a bundle, or where its label has none in this
            language.
        """
        return () if self.bundle is None else self.bundle.label.main_parameters(language)

    def new_visit(self) -> None:
        """Let the next event start a visit: the shopper came in, or began a new basket.

        Ends the grants that were for one visit only, and erases what was kept under them.
        """
        with self._writing:
            self._history.new_visit()
            self.consent.end_visit()
            self._forget_visits()

    @tells_no_locals
    def rank(
        self,
        candidates: Iterable[str | Candidate] | None = None,
        *,
        k: int = DEFAULT_K,
        mode: Asked = "auto",
        intensity: float = 1.0,
    ) -> Page:
        """Rank items for this shopper; always answers in the same shape. Changes nothing.

        Args:
            candidates: ids or `Candidate`; None takes the whole catalog. Ids the bundle does not
                know are scored by back-off. One named twice counts once.
            k: at least 1; fewer items come back when there are fewer candidates.
            mode: ``auto`` uses what is permitted, ``personal`` means the same; ``contextual`` uses
                the current visit only, ``generic`` nothing about the shopper.
            intensity: how personal, from 0 (everybody's order) to 1.

        Returns:
            The page; `Page.mode` and `Page.mode_reason` say whether the history was used and why.
            A choice made while this runs is obeyed: what is returned after a withdrawal, or after
            events were erased, holds nothing of what was withdrawn or erased.

        Raises:
            ValueError: k is less than 1, an unknown mode, or an intensity outside 0 to 1.
            TypeError: a candidate is neither text nor `Candidate`.
        """
        how = _checked_how(k, mode, intensity)
        asked = None if candidates is None else list(distinct_candidates(candidates).values())
        if self._ranker is None:
            return self._unranked(asked, k=k, reason="no_bundle")
        consent, generation = self.consent, self.consent.generation
        try:
            require_guarded_runtime()
            page, erased = self._ranked_now(self._ranker, asked, how)
            if erased:
                # Once more, from what is left.
                page, erased = self._ranked_now(self._ranker, asked, how)
            if page.mode == "personal":
                consent.count("used", purpose=RANK_PURPOSE, what="times")
            # The last thing that happens: a choice made until here is obeyed.
            unchanged = self.consent is consent and consent.generation == generation and not erased
            if not (unchanged and self._still_permitted(page)):
                page = self._ranked(self._ranker, (), "consent_changed", asked, how)
        except RuntimeGuardError:
            return self._unranked(asked, k=k, reason="runtime_unguarded")
        except ModelMismatchError:
            return self._unranked(asked, k=k, reason="model_failed")
        return page

    def rotate(self, new_key: KeyProvider | None = None) -> None:
        """Seal the history under new keys: after a leak, for a new passphrase or key store.

        Args:
            new_key: who keeps the key from now on, from `shelfrank.keys`; None leaves it where it
                is. Other processes must open the device anew with it.

        Raises:
            HistoryDamagedError: something is damaged and would be left behind; recover first.
            HistoryError: there is no history yet.
            KeyUnavailableError: the provider cannot give or keep the key now.
            ValueError: the new key is a file in the folder of the device.
        """
        _check_key(new_key)
        with self._writing:
            self._history.rotate(new_key)

    def erase(self) -> None:
        """Erase everything about the shopper: keys first, then history and choices.

        Afterwards the device is as new: nothing is kept until the shopper is asked again. May be
        repeated.

        Raises:
            KeyUnavailableError: the provider failed to destroy its key; the files are gone.
            HistoryError: a file cannot be removed, as on a read-only disk; the key is destroyed
                where the provider can.
        """
        with self._writing:
            try:
                self._visit.destroy()
                self._visits_over = 0  # As the new consent counts.
                self._history.destroy()
            finally:
                if self._folder is not None:
                    _remove_files(self._folder)
                if self._remembered is not None:
                    self._remembered.forget()
                self.wishes.forget()
                self.consent = self._new_consent()

    def close(self) -> None:
        """Close the files and forget the keys; end the visit. May be repeated."""
        self.consent.close()
        self._visit.close()
        self._history.close()

    def _new_consent(self) -> Consent:
        store: ChoiceStore = MemoryChoiceStore()
        journal = None
        if self._folder is not None:
            store = FileChoiceStore(self._folder / _CHOICES_FILE, self._history.sealer)
            journal = FileJournalStore(self._folder / _JOURNAL_FILE, self._history.sealer)
        return Consent(
            self.policy,
            store,
            self._clock,
            self._withdrawn,
            circumstances=self._circumstances,
            journal=journal,
        )

    def _wish_store(self) -> WishStore:
        if self._folder is None:
            return MemoryWishStore()
        return FileWishStore(self._folder, self._history.sealer)

    @tells_no_locals
    def _withdrawn(self, purpose: str) -> None:
        with self._writing:
            self._visit.drop_purpose(purpose)
            if purpose == RANK_PURPOSE:
                with suppress(HistoryError):
                    self.wishes.forget_preferred()
            self._history.drop_purpose(purpose)

    def _keep_house(self) -> None:
        """Erase what is due and move clock and bundle marks; before the first choice, nothing."""
        if self.consent.must_start_anew:
            self.erase()
        if self.bundle is not None:
            self.consent.not_before(self.bundle.manifest.issued_at)
        with suppress(HistoryError):
            newest = self._history.newest_time
            if newest is not None:
                self.consent.seen_at(newest)
            for purpose in self.consent.to_forget():
                self._history.drop_purpose(purpose)
            self.wishes.erase_ruled_out()
            self._forget_foreign()
            self._forget_old()
            if newest is not None:
                self._remember_bundle()
        self.consent.keep_house()

    def _remember_bundle(self) -> None:
        """Note which bundle is served, once a history is there: before, nothing is written."""
        if self._remembered is not None and self.bundle is not None:
            self._remembered.write(self.bundle)

    def _forget_foreign(self) -> None:
        """Erase what happened where its purpose may no longer look."""
        for purpose in self.policy.purposes if self.policy is not None else ():
            allowed = {*purpose.contexts, *([""] if DEFAULT_CONTEXT in purpose.contexts else [])}
            self._history.drop_outside(purpose.id, allowed)

    def _forget_old(self) -> None:
        """Erase what its purpose keeps no longer: exactly what `Purpose.keeps` says no to."""
        now = self.consent.settled_now()
        for purpose in self.policy.purposes if self.policy is not None else ():
            newest_old = now - timedelta(days=purpose.retention_days)
            gone = self._history.drop_older(purpose.id, newest_old + timedelta.resolution)
            if gone:
                self.consent.note("purged", purpose=purpose.id, counts={"events": gone})

    def _usable_events(self) -> tuple[tuple[Event, ...], ModeReason]:
        """Return what ranking may read now, and why it may read nothing."""
        if self.policy is None:
            return (), "no_policy"
        refused = self.consent.why_not(RANK_PURPOSE)
        if refused is not None:
            return (), refused
        try:
            kept = self._history_of(RANK_PURPOSE).events(RANK_PURPOSE)
        except HistoryError:
            return (), "history_unavailable"
        purpose, now = self.policy.purpose(RANK_PURPOSE), self.consent.effective_now()
        ruled_out = self._ruled_out_among(kept)
        events = tuple(
            event
            for event in kept
            if (event.context or DEFAULT_CONTEXT) in purpose.contexts
            and purpose.keeps(event.time, now=now)
            and event.item_id not in ruled_out
        )
        return events, "consent_given" if events else "no_history"

    def _history_of(self, purpose: str) -> History:
        self._forget_visits()
        return self._visit if purpose in self.consent.visiting() else self._history

    def _forget_visits(self) -> None:
        """Erase what was kept under grants for a visit that is over."""
        over = self.consent.visits_over
        if over != self._visits_over:
            with self._writing:
                self._visit.destroy()
                self._visits_over = over

    def _ruled_out_among(self, events: Sequence[Event]) -> frozenset[ItemId]:
        """Return the items of events that the shopper ruled out, themselves or by category."""
        wishes = self.wishes.now()
        if not (wishes.never_items or wishes.never_categories) or self.bundle is None:
            return frozenset()
        catalog = self.bundle.catalog
        items = {event.item_id for event in events}
        rows = {item_id: catalog.index_of(item_id) for item_id in items}
        return frozenset(
            item_id
            for item_id, row in rows.items()
            if wishes.forbids_item(item_id, None if row is None else catalog.category(row))
        )

    def _still_permitted(self, page: Page) -> bool:
        return page.mode == "generic" or self.consent.why_not(RANK_PURPOSE) is None

    def _ranked_now(
        self, ranker: Ranker, candidates: Sequence[str | Candidate] | None, how: _How
    ) -> tuple[Page, bool]:
        """Return a page, and whether events were erased while it was made from some."""
        # Before the events are read: what is erased from then on shows as a difference.
        rotations = self._history.generation
        events, reason = self._usable_events()
        if how.mode == "generic":
            events, reason = (), "asked"
        elif how.mode == "contextual":
            current = self._current_visit()
            events = tuple(event for event in events if event.visit == current)
        page = self._ranked(ranker, events, reason, candidates, how)
        return page, bool(events) and self._history.generation != rotations

    def _ranked(
        self,
        ranker: Ranker,
        events: tuple[Event, ...],
        reason: ModeReason,
        candidates: Sequence[str | Candidate] | None,
        how: _How,
    ) -> Page:
        in_visit = bool(events) and events[-1].visit == self._current_visit()
        items = ranker.rank(
            events,
            candidates,
            now=self.consent.effective_now(),
            k=how.k,
            in_visit=in_visit,
            daypart=self._daypart(),
            intensity=how.intensity if events else 1.0,
            wishes=self._wishes_for(reason),
        )
        mode: Mode = "personal" if events else "generic"
        rung: Rung = "visit" if in_visit else "history" if events else "popular"
        return Page(items=items, mode=mode, mode_reason=reason, rung=rung)

    def _wishes_for(self, reason: ModeReason) -> Wishes:
        """Return what to obey: what is ruled out always, what is preferred where it may be used."""
        used = self.wishes.used()
        if reason in {"consent_given", "no_history"}:
            return used
        return Wishes(never_items=used.never_items, never_categories=used.never_categories)

    def _daypart(self) -> Daypart | None:
        """Return what part of the day it is here; None where the clock does not know.

        Of the clock as it is, set back or not: this prolongs nothing.
        """
        if not isinstance(self._clock, LocalClock):
            return None
        local = self._clock.local(self._clock.now())
        return None if local is None else daypart_of(local)

    def _current_visit(self) -> int:
        try:
            return self._history_of(RANK_PURPOSE).current_visit()
        except HistoryError:
            return -1

    def _unranked(
        self, candidates: Sequence[str | Candidate] | None, *, k: int, reason: ModeReason
    ) -> Page:
        items = caller_order(candidates, k=k)
        return Page(items=items, mode="generic", mode_reason=reason, rung="caller_order")


def _checked_how(k: int, mode: Asked, intensity: float) -> _How:
    check_k(k)
    if mode not in MODES:
        raise ValueError(f"mode is {mode!a}, wanted one of {', '.join(MODES)}")
    if not 0 <= intensity <= 1:
        raise ValueError(f"intensity is {intensity}, wanted 0 to 1")
    return _How(k=k, mode="generic" if intensity == 0 else mode, intensity=intensity)


def _today(clock: Clock, bundle: VerifiedBundle | None) -> date:
    """Return the day whose laws hold: no earlier one than that of the bundle."""
    now = clock.now()
    return (now if bundle is None else max(now, bundle.manifest.issued_at)).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class _How:
    """How a ranking was asked for."""

    k: int
    mode: Asked
    intensity: float


def _check_key(key: object) -> None:
    if key is not None and not isinstance(key, KeyProvider):
        raise TypeError(
            f"key is {type(key).__name__}, wanted one of shelfrank.keys, such as keys.host(secret)"
        )


def _check_event(kind: str, item_id: object, quantity: object) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, wanted one of {', '.join(KINDS)}")
    if not isinstance(item_id, str):
        raise TypeError(f"an item id is text, got {type(item_id).__name__}")
    if isinstance(quantity, bool) or not isinstance(quantity, int | float):
        raise TypeError(f"quantity is {type(quantity).__name__}, wanted a number")
    if not quantity >= 0 or quantity == float("inf"):
        raise ValueError("quantity is negative or not finite, wanted 0 or more")


def _checked_time(time: datetime, *, now: datetime) -> datetime:
    if not isinstance(time, datetime):
        raise TypeError(f"time is {type(time).__name__}, wanted an aware datetime")
    if time.tzinfo is None:
        raise ValueError("time is naive, wanted an aware one, such as datetime.now(timezone.utc)")
    if time > now:
        raise ValueError(
            f"time is {time.isoformat()}, in the future: the clock says {now.isoformat()}"
        )
    return time


def has_device_files(folder: Path) -> bool:
    """Say whether a folder holds a device's history, choices, or what an erasure left of them."""
    return any((folder / name).exists() for name in (DATABASE_NAME, ANCHOR_NAME, _CHOICES_FILE))


def _remove_files(folder: Path) -> None:
    try:
        for name in (_CHOICES_FILE, _JOURNAL_FILE, BUNDLE_FILE, WISHES_FILE):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise HistoryError(
            f"a file of the device cannot be removed: {error.strerror}",
            hint="the key is destroyed where the provider can; erase again on a writable disk",
        ) from None
