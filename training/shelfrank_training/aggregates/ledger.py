"""The budget over releases: what was spent, and whether more may be.

Every release of numbers about the same shoppers costs each of them once more. The ledger is a text
file of JSON lines: a head with the yearly budget, the number of releases and a digest of all, then
one line a release. It is written anew with each, so that a changed byte, a missing line or a
missing end shows. Costs of releases add up as rho, zero-concentrated differential privacy, and are
turned into epsilon together. Pure: bytes and times in, decision and bytes out;
`shelfrank_training.aggregates.ledger_file` reads and writes.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shelfrank_training.aggregates import noise
from shelfrank_training.aggregates.info import LedgerNote
from shelfrank_training.errors import PrivacyError

FORMAT: Final = 0
"""Unreleased: it may change without notice until it is 1."""

DAYS: Final = 365
"""Length of the window over which spending counts; whoever is older than this is forgotten."""

DEFAULT_YEARLY_EPSILON: Final = 4.0
"""Of a new ledger. A convention: no norm says how much is too much (privacy study, E)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What one release costs one shopper.

    Attributes:
        time: aware; when it was entered.
        rho: of zCDP, all tables of one shopper together.
        conversion_delta: at which `rho` was turned into epsilon.
        key_delta: what choosing keys cost.
        digest: sha256 over the digests of the published tables, to recognise the folder by.
    """

    time: datetime
    rho: float
    conversion_delta: float
    key_delta: float
    digest: str

    def to_json(self) -> dict[str, object]:
        """Return the line's object."""
        return {
            "time": self.time.astimezone(UTC).isoformat(timespec="seconds"),
            "rho": self.rho,
            "conversion_delta": self.conversion_delta,
            "key_delta": self.key_delta,
            "digest": self.digest,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A budget and what was spent of it.

    Attributes:
        epsilon_limit: most that may be spent within `DAYS`; positive.
        releases: oldest first.
    """

    epsilon_limit: float
    releases: tuple[Release, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Ledger:
        """Read a ledger.

        Raises:
            PrivacyError: it is damaged, changed or cut off, or the format is not known. A budget
                that cannot be counted counts as used up.
        """
        try:
            head, *lines = data.decode().splitlines()
            known: dict[str, Any] = json.loads(head)
            number = known["format"]
            if number != FORMAT:
                raise PrivacyError(f"ledger has format {number}; this version reads {FORMAT}")
            releases = tuple(_parse_release(line) for line in lines)
            found = cls(epsilon_limit=float(known["epsilon_limit"]), releases=releases)
        except (ValueError, TypeError, KeyError):
            raise _damaged() from None
        times = [release.time for release in releases]
        # Written again it must be the same, to the byte, the digest included.
        if not 0 < found.epsilon_limit < math.inf or times != sorted(times):
            raise _damaged()
        if found.to_bytes() != data:
            raise _damaged()
        return found

    def to_bytes(self) -> bytes:
        """Return the file."""
        lines = b"".join(_line(release.to_json()) for release in self.releases)
        head: dict[str, object] = {
            "format": FORMAT,
            "days": DAYS,
            "epsilon_limit": self.epsilon_limit,
            "releases": len(self.releases),
        }
        digest = hashlib.sha256(_line(head) + lines).hexdigest()
        return _line(head | {"sha256": digest}) + lines

    def note(self, release: Release) -> LedgerNote:
        """Say what is spent with this release.

        Raises:
            PrivacyError: it would overspend, or is older than the last one entered.
        """
        if self.releases and release.time < self.releases[-1].time:
            raise PrivacyError(
                f"the release is from {release.time:%Y-%m-%d}, the ledger's last one from "
                f"{self.releases[-1].time:%Y-%m-%d}: a clock set back must not free budget",
                hint="set the clock right",
            )
        since = release.time - timedelta(days=DAYS)
        counted = [*(past for past in self.releases if past.time > since), release]
        rho = math.fsum(past.rho for past in counted)
        spent = noise.epsilon_of(rho, min(past.conversion_delta for past in counted))
        if spent > self.epsilon_limit:
            raise self._overspent(spent, counted[:-1])
        return LedgerNote(
            days=DAYS,
            epsilon_spent=math.ceil(spent * 1e4) / 1e4,
            epsilon_limit=self.epsilon_limit,
            releases=len(counted),
        )

    def with_release(self, release: Release) -> Ledger:
        """Return the ledger with this release entered."""
        return replace(self, releases=(*self.releases, release))

    def _overspent(self, spent: float, earlier: list[Release]) -> PrivacyError:
        before = "nothing is spent yet"
        hint = "spend a smaller --epsilon; only a new ledger takes another --yearly-epsilon"
        if earlier:
            rho = math.fsum(past.rho for past in earlier)
            already = noise.epsilon_of(rho, min(past.conversion_delta for past in earlier))
            free = earlier[0].time + timedelta(days=DAYS)
            before = f"{already:.3g} is spent"
            hint = f"spend a smaller --epsilon, or wait: the oldest counts until {free:%Y-%m-%d}"
        return PrivacyError(
            f"this release would bring the year to epsilon {spent:.3g}, the ledger permits "
            f"{self.epsilon_limit:g}, of which {before}",
            hint=hint,
        )


def new_ledger(epsilon_limit: float) -> Ledger:
    """Return an empty ledger.

    Raises:
        PrivacyError: the limit is not positive.
    """
    if not 0 < epsilon_limit < math.inf:
        raise PrivacyError(f"the yearly epsilon is {epsilon_limit:g}, wanted more than 0")
    return Ledger(epsilon_limit=epsilon_limit)


def _parse_release(line: str) -> Release:
    raw: dict[str, Any] = json.loads(line)
    release = Release(
        time=datetime.fromisoformat(raw["time"]).astimezone(UTC),
        rho=float(raw["rho"]),
        conversion_delta=float(raw["conversion_delta"]),
        key_delta=float(raw["key_delta"]),
        digest=str(raw["digest"]),
    )
    costs = (release.rho, release.conversion_delta, release.key_delta)
    if not all(0 <= cost < math.inf for cost in costs) or not 0 < release.conversion_delta < 1:
        raise ValueError(line)
    return release


def _damaged() -> PrivacyError:
    return PrivacyError(
        "the ledger is damaged, changed or cut off, so what was spent is not known",
        hint="restore it from a copy; never edit it",
    )


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
