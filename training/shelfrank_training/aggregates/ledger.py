"""The budget over releases: what was spent, and whether more may be.

Every release of numbers about the same shoppers costs each of them once more. The ledger is a text
file of JSON lines: a head with the yearly budget, then one line a release, each with the digest of
the line before, so that a changed or missing line in the middle shows. Costs of releases add up as
rho, zero-concentrated differential privacy, and are turned into epsilon together. Pure: bytes and
times in, decision and bytes out; `shelfrank_training.aggregates.ledger_file` reads and writes.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
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

    def to_json(self, previous: str) -> dict[str, object]:
        """Return the line's object."""
        return {
            "time": self.time.astimezone(UTC).isoformat(timespec="seconds"),
            "rho": self.rho,
            "conversion_delta": self.conversion_delta,
            "key_delta": self.key_delta,
            "digest": self.digest,
            "previous": previous,
        }


class Ledger:
    """A ledger as it was read.

    Args:
        epsilon_limit: most that may be spent within `DAYS`; positive.
        releases: oldest first.
        last: digest of the last line.
    """

    def __init__(self, epsilon_limit: float, releases: tuple[Release, ...], last: str) -> None:
        self.epsilon_limit = epsilon_limit
        self.releases = releases
        self._last = last

    @classmethod
    def parse(cls, data: bytes) -> Ledger:
        """Read a ledger.

        Args:
            data: whole lines.

        Raises:
            PrivacyError: a line is damaged, changed, missing or out of order, or the format is not
                known. A budget that cannot be counted counts as used up.
        """
        lines = data.splitlines(keepends=True)
        try:
            head = json.loads(lines[0])
            number, limit = head["format"], float(head["epsilon_limit"])
        except (IndexError, ValueError, TypeError, KeyError):
            raise _damaged(1) from None
        if number != FORMAT:
            raise PrivacyError(f"ledger has format {number}; this version reads {FORMAT}")
        if not 0 < limit < math.inf:
            raise _damaged(1)
        releases: list[Release] = []
        last = _digest(lines[0])
        for place, line in enumerate(lines[1:], start=2):
            release = _parse_release(line, previous=last, place=place)
            if releases and release.time < releases[-1].time:
                raise _damaged(place)
            releases.append(release)
            last = _digest(line)
        return cls(limit, tuple(releases), last)

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
            raise PrivacyError(
                f"this release would bring the year to epsilon {spent:.3g}, the ledger permits "
                f"{self.epsilon_limit:g}; {len(counted) - 1} earlier releases are in it",
                hint="wait until one is a year old, or spend a smaller --epsilon",
            )
        return LedgerNote(
            days=DAYS,
            epsilon_spent=math.ceil(spent * 1e4) / 1e4,
            epsilon_limit=self.epsilon_limit,
            releases=len(counted),
        )

    def line(self, release: Release) -> bytes:
        """Return the line that enters this release."""
        return _line(release.to_json(self._last))


def new_ledger(epsilon_limit: float) -> bytes:
    """Return an empty ledger.

    Raises:
        PrivacyError: the limit is not positive.
    """
    if not 0 < epsilon_limit < math.inf:
        raise PrivacyError(f"the yearly epsilon is {epsilon_limit:g}, wanted more than 0")
    return _line({"format": FORMAT, "days": DAYS, "epsilon_limit": epsilon_limit})


def whole_lines(data: bytes) -> bytes:
    """Leave out a last line that was never finished: what it would enter was never published."""
    return data[: data.rfind(b"\n") + 1]


def _parse_release(line: bytes, *, previous: str, place: int) -> Release:
    try:
        raw: dict[str, Any] = json.loads(line)
        release = Release(
            time=datetime.fromisoformat(raw["time"]).astimezone(UTC),
            rho=float(raw["rho"]),
            conversion_delta=float(raw["conversion_delta"]),
            key_delta=float(raw["key_delta"]),
            digest=str(raw["digest"]),
        )
        follows = raw["previous"] == previous
    except (ValueError, TypeError, KeyError):
        raise _damaged(place) from None
    costs = (release.rho, release.conversion_delta, release.key_delta)
    sound = all(0 <= cost < math.inf for cost in costs) and 0 < release.conversion_delta < 1
    if not (follows and sound):
        raise _damaged(place)
    return release


def _damaged(place: int) -> PrivacyError:
    return PrivacyError(
        f"ledger line {place} is damaged or changed, so what was spent is not known",
        hint="restore the ledger from a copy; never edit it",
    )


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
