"""What ``aggregates.json`` says: how the numbers came about. Values only, no files."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from shelfrank_training.events.holdout import Holdout

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT: Final = 0
"""Unreleased: it may change without notice until it is 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How one table was disturbed, and what that costs one shopper's privacy.

    Attributes:
        mechanism: ``gaussian_threshold`` (keys from the data) or ``gaussian`` (keys known before).
        l0: rows that one shopper changes at most.
        l2: Euclidean length of the change at most, in shoppers.
        linf: change of one row at most, in shoppers.
        scale: standard deviation of the noise, in shoppers.
        threshold: what ``count - (min_shoppers - 1)`` must reach with its noise, in shoppers; None
            without a choice of keys.
        rho: of zero-concentrated differential privacy.
        epsilon: what this table alone would be, at the release's delta.
        delta: of the choice of keys; 0 without one.
    """

    mechanism: str
    l0: int
    l2: float
    linf: float
    scale: float
    threshold: float | None
    rho: float
    epsilon: float
    delta: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerNote:
    """What the ledger said when this release was entered (`shelfrank_training.aggregates.ledger`).

    Attributes:
        days: length of the rolling window.
        epsilon_spent: over the window, this release included.
        epsilon_limit: most that may be spent.
        releases: in the window, this one included.
    """

    days: int
    epsilon_spent: float
    epsilon_limit: float
    releases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableInfo:
    """What ``aggregates.json`` says about one table.

    Attributes:
        rows: rows published.
        suppressed_share: share of the counted rows that are not published, in whole per cent, down;
            None with epsilon, where it would be a fact about the data.
        max_rows_per_shopper: how many of its rows one shopper can change, each count by at most 1;
            those of ``outcomes`` by what `shelfrank_training.outcomes.cells.INFLUENCE` says.
        sha256: digest of the file.
        total: what all shoppers add up to when each counts as in one row: the denominator of a
            share. Without epsilon the number of shoppers; with epsilon, where a shopper of many
            items counts in part, with noise and smaller. None where no share is meant.
        noise: one for each pass of a mechanism over the table. With epsilon, a table without any
            was not released and is empty.
    """

    rows: int
    suppressed_share: float | None
    max_rows_per_shopper: int
    sha256: str
    total: int | None = None
    noise: tuple[Noise, ...] = ()

    def suppressed(self) -> str:
        """Return `suppressed_share` for a table that people read."""
        return "–" if self.suppressed_share is None else f"{self.suppressed_share:.0%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregatesInfo:
    """How the numbers came about.

    There is no digest of the events and no count of their rows: either would let somebody test a
    guess about a shopper's rows, held out or not.

    Attributes:
        events_file: name of the events file.
        catalog_file: name of the catalog file.
        time_from: aware; the day before which fewer than `min_shoppers` shoppers have an event;
            None with epsilon: as far back as the events go.
        time_to: aware; end of the range, exclusive; popularity decays from here.
        shoppers: distinct shoppers counted, those held out excluded.
        holdout: who was kept out.
        min_shoppers: distinct shoppers behind every published number.
        unprotected: `min_shoppers` is below the floor; for research on public data only.
        max_items: items counted for one shopper.
        max_visits: visits counted for one shopper.
        max_distance: steps in a visit that still count as next.
        half_life_days: after which a shopper counts half for popularity.
        zone: name of the time zone that dayparts are told in; None where none are counted.
        mechanism: ``threshold``: exact counts, small ones left out; ``gaussian_threshold``: noise
            too.
        epsilon: of the whole folder, for one shopper more or less; None without noise.
        delta: goes with epsilon.
        accountant: how the tables' costs were added up.
        outcomes: the shoppers who make the table ``outcomes`` and no other (part B); None without.
        ledger: the budget over releases; None without one.
        policy: id and version of the policy, or None.
        has_categories: the catalog has categories; if not, nothing could be filtered by them.
        excluded_categories: the policy's, as they were applied; paths in normal form.
        sensitive_items: items of the catalog that were kept out.
        sensitive_events: events of those items, or None when fewer than `min_shoppers` shoppers
            have one.
        engine: name and version.
        tables: what each table holds.
    """

    events_file: str
    catalog_file: str
    time_from: datetime | None
    time_to: datetime
    shoppers: int
    holdout: Holdout
    min_shoppers: int
    unprotected: bool
    max_items: int
    max_visits: int
    max_distance: int
    half_life_days: int
    zone: str | None = None
    mechanism: str = "threshold"
    epsilon: float | None = None
    delta: float | None = None
    accountant: str | None = None
    outcomes: Holdout | None = None
    ledger: LedgerNote | None = None
    policy: tuple[str, int] | None
    has_categories: bool
    excluded_categories: tuple[str, ...] = ()
    sensitive_items: int
    sensitive_events: int | None
    engine: str
    tables: Mapping[str, TableInfo]

    def to_json(self) -> dict[str, object]:
        """Return the object that is written to ``aggregates.json``."""
        policy = None if self.policy is None else {"id": self.policy[0], "version": self.policy[1]}
        return {
            "format": FORMAT,
            "source": {"events": self.events_file, "catalog": self.catalog_file},
            "time_range": {
                "from": None if self.time_from is None else self.time_from.isoformat(),
                "to": self.time_to.isoformat(),
            },
            "shoppers": self.shoppers,
            "holdout": {"share": self.holdout.share, "salt": self.holdout.salt},
            "outcomes": None
            if self.outcomes is None
            else {"share": self.outcomes.share, "salt": self.outcomes.salt},
            "bounds": {
                "max_items": self.max_items,
                "max_visits": self.max_visits,
                "max_distance": self.max_distance,
            },
            "half_life_days": self.half_life_days,
            # Only where it was asked for: a folder without dayparts stays as it always was.
            **({} if self.zone is None else {"zone": self.zone}),
            "min_shoppers": self.min_shoppers,
            "unprotected": self.unprotected,
            "mechanism": self.mechanism,
            "epsilon": self.epsilon,
            "delta": self.delta,
            "accountant": self.accountant,
            "ledger": None if self.ledger is None else asdict(self.ledger),
            "policy": policy,
            "has_categories": self.has_categories,
            "excluded": {
                "categories": list(self.excluded_categories),
                "sensitive_items": self.sensitive_items,
                "sensitive_events": self.sensitive_events,
            },
            "engine": self.engine,
            "tables": {
                name: {
                    "file": f"{name}.parquet",
                    "rows": info.rows,
                    "suppressed_share": info.suppressed_share,
                    "max_rows_per_shopper": info.max_rows_per_shopper,
                    "sha256": info.sha256,
                    "total": info.total,
                    "noise": [asdict(noise) for noise in info.noise],
                }
                for name, info in self.tables.items()
            },
        }


def parse_info(raw: Mapping[str, Any]) -> AggregatesInfo:
    """Return what `AggregatesInfo.to_json` was made from.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    policy = raw["policy"]
    return AggregatesInfo(
        events_file=raw["source"]["events"],
        catalog_file=raw["source"]["catalog"],
        time_from=None
        if raw["time_range"]["from"] is None
        else datetime.fromisoformat(raw["time_range"]["from"]).astimezone(UTC),
        time_to=datetime.fromisoformat(raw["time_range"]["to"]).astimezone(UTC),
        shoppers=int(raw["shoppers"]),
        holdout=Holdout(share=float(raw["holdout"]["share"]), salt=str(raw["holdout"]["salt"])),
        min_shoppers=int(raw["min_shoppers"]),
        unprotected=bool(raw["unprotected"]),
        max_items=int(raw["bounds"]["max_items"]),
        max_visits=int(raw["bounds"]["max_visits"]),
        max_distance=int(raw["bounds"]["max_distance"]),
        half_life_days=int(raw["half_life_days"]),
        zone=None if raw.get("zone") is None else str(raw["zone"]),
        mechanism=str(raw["mechanism"]),
        epsilon=raw["epsilon"],
        delta=raw["delta"],
        accountant=raw["accountant"],
        outcomes=None
        if raw["outcomes"] is None
        else Holdout(share=float(raw["outcomes"]["share"]), salt=str(raw["outcomes"]["salt"])),
        ledger=None if raw["ledger"] is None else LedgerNote(**raw["ledger"]),
        policy=None if policy is None else (policy["id"], int(policy["version"])),
        has_categories=bool(raw["has_categories"]),
        excluded_categories=tuple(map(str, raw["excluded"]["categories"])),
        sensitive_items=int(raw["excluded"]["sensitive_items"]),
        sensitive_events=raw["excluded"]["sensitive_events"],
        engine=str(raw["engine"]),
        tables={
            name: TableInfo(
                rows=int(entry["rows"]),
                suppressed_share=entry["suppressed_share"],
                max_rows_per_shopper=int(entry["max_rows_per_shopper"]),
                sha256=str(entry["sha256"]),
                total=entry["total"],
                noise=tuple(Noise(**noise) for noise in entry["noise"]),
            )
            for name, entry in raw["tables"].items()
        },
    )
