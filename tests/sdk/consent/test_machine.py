"""Whatever happens in whatever order, permission means that the last answer was a kept yes."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shelfrank.consent.engine import Consent, Notice
from shelfrank.consent.store import SLOT_BYTES, FileChoiceStore
from shelfrank.errors import ConsentError
from support.shopper import AesSealer, RefusingDisk, SetClock, adult, policy

PURPOSES = st.sampled_from(["rank_products", "sort_offers"])
POLICIES = [policy(), policy(retention="P90D"), policy(retention="P400D", validity="P2M"), None]


class Device(RuleBasedStateMachine):
    """A device on which everything goes wrong that can; `yes` is all that may ever be permitted."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = SetClock()
        self.sealer = AesSealer()
        self.writable = True
        self.policy = POLICIES[0]
        self.yes: set[str] = set()
        """Purposes whose last answer, in this process, was a yes that went through."""
        self.kept: set[str] = set()
        """Purposes for which the disk may still say yes."""
        self.notices: list[Notice] = []
        self.start()

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def start(self) -> None:
        self.disk = RefusingDisk(FileChoiceStore(self.folder / "choices", self.sealer))
        self.disk.writable = self.writable
        self.consent = Consent(
            self.policy, self.disk, self.clock, lambda _purpose: None, circumstances=adult()
        )

    @precondition(lambda self: self.policy is not None)
    @rule(purpose=PURPOSES)
    def show(self, purpose: str) -> None:
        self.notices.append(self.consent.notice(purpose, language="en"))

    @precondition(lambda self: self.notices)
    @rule(purpose=PURPOSES, data=st.data())
    def grant(self, purpose: str, data: st.DataObject) -> None:
        shown = data.draw(st.sampled_from(self.notices))
        generation = self.consent.generation
        with suppress(ConsentError):
            self.consent.grant(purpose, shown=shown)
            assert shown.purpose == purpose
            assert purpose in self.consent.given()
            self.yes.add(purpose)
            self.kept.add(purpose)
            return
        assert self.consent.generation == generation

    @rule(purpose=PURPOSES, refuse=st.booleans())
    def leave(self, purpose: str, refuse: bool) -> None:
        say_no = self.consent.refuse if refuse and self.policy else self.consent.withdraw
        done = say_no(purpose)
        self.yes.discard(purpose)
        if done.durable:
            self.kept.discard(purpose)
        assert done.durable or not self.writable
        assert self.consent.given() <= self.yes

    @rule(days=st.sampled_from([-500, -1, 1, 100, 400]))
    def turn_the_clock(self, days: int) -> None:
        before = self.consent.given()
        self.clock.turn(days=days)
        assert self.consent.given() <= before

    @rule(purpose=PURPOSES, pause=st.booleans())
    def pause(self, purpose: str, pause: bool) -> None:
        before = self.consent.given()
        with suppress(ConsentError):
            if pause:
                self.consent.pause(purpose)
                assert purpose not in self.consent.given()
            else:
                self.consent.resume(purpose)
        assert self.consent.given() <= (before if pause else self.yes)

    @rule()
    def move_the_mark(self) -> None:
        before = self.consent.given()
        self.consent.keep_house()
        assert self.consent.given() == before

    @rule(policy_=st.sampled_from(POLICIES))
    def restart(self, policy_: object) -> None:
        self.policy = policy_
        self.start()
        # What only this process knew is gone: the disk's last word counts again.
        self.yes = set(self.kept)

    @rule(locked=st.booleans())
    def lock_the_keyring(self, locked: bool) -> None:
        self.sealer.locked = locked

    @rule(writable=st.booleans())
    def remount(self, writable: bool) -> None:
        self.writable = writable
        self.disk.writable = writable

    @precondition(lambda self: (self.folder / "choices").exists())
    @rule(slots=st.sampled_from([(0,), (1,), (0, 1)]), at=st.integers(0, SLOT_BYTES - 1))
    def damage(self, slots: tuple[int, ...], at: int) -> None:
        path = self.folder / "choices"
        data = bytearray(path.read_bytes())
        for slot in slots:
            data[slot * SLOT_BYTES + at] ^= 0x55
        path.write_bytes(data)

    @invariant()
    def only_a_kept_yes_permits(self) -> None:
        assert self.consent.given() <= self.yes

    @invariant()
    def time_never_runs_back(self) -> None:
        now = self.consent.effective_now()
        assert now >= self.clock.time

    @invariant()
    def what_is_given_permits_and_what_is_not_says_why(self) -> None:
        given = self.consent.given()
        for purpose in ("rank_products", "sort_offers"):
            assert (purpose in given) == (self.consent.why_not(purpose) is None)
            if purpose in given:
                assert self.consent.status(purpose).permits


TestDevice = Device.TestCase
TestDevice.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
