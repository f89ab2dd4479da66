"""What ``aggregates.json`` says: how the numbers came about. Values only, no files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from shelfrank_training.events.holdout import Holdout

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT: Final = 0
"""Unreleased: it may change without notice until it is 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableInfo:
    """What ``aggregates.json`` says about one table.

    Attributes:
        rows: rows published.
        suppressed_share: share of the counted rows that are not published, in whole per cent, down.
        max_rows_per_shopper: how many of its rows one shopper can change, each count by at most 1.
        sha256: digest of the file.
    """

    rows: int
    suppressed_share: float
    max_rows_per_shopper: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregatesInfo:
    """How the numbers came about.

    There is no digest of the events and no count of their rows: either would let somebody test a
    guess about a shopper's rows, held out or not.

    Attributes:
        events_file: name of the events file.
        catalog_file: name of the catalog file.
        time_from: aware; the day before which fewer than `min_shoppers` shoppers have an event.
        time_to: aware; end of the range, exclusive; popularity decays from here.
        shoppers: distinct shoppers counted, those held out excluded.
        holdout: who was kept out.
        min_shoppers: distinct shoppers behind every published number.
        unprotected: `min_shoppers` is below the floor; for research on public data only.
        max_items: items counted for one shopper.
        max_visits: visits counted for one shopper.
        max_distance: steps in a visit that still count as next.
        half_life_days: after which a shopper counts half for popularity.
        mechanism: ``threshold``: exact counts, small ones left out.
        epsilon: None without noise.
        delta: None without noise.
        accountant: None without noise.
        policy: id and version of the policy, or None.
        has_categories: the catalog has categories; if not, nothing could be filtered by them.
        sensitive_items: items of the catalog that were kept out.
        sensitive_events: events of those items, or None when fewer than `min_shoppers` shoppers
            have one.
        engine: name and version.
        tables: what each table holds.
    """

    events_file: str
    catalog_file: str
    time_from: datetime
    time_to: datetime
    shoppers: int
    holdout: Holdout
    min_shoppers: int
    unprotected: bool
    max_items: int
    max_visits: int
    max_distance: int
    half_life_days: int
    mechanism: str = "threshold"
    epsilon: float | None = None
    delta: float | None = None
    accountant: str | None = None
    policy: tuple[str, int] | None
    has_categories: bool
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
            "time_range": {"from": self.time_from.isoformat(), "to": self.time_to.isoformat()},
            "shoppers": self.shoppers,
            "holdout": {"share": self.holdout.share, "salt": self.holdout.salt},
            "bounds": {
                "max_items": self.max_items,
                "max_visits": self.max_visits,
                "max_distance": self.max_distance,
            },
            "half_life_days": self.half_life_days,
            "min_shoppers": self.min_shoppers,
            "unprotected": self.unprotected,
            "mechanism": self.mechanism,
            "epsilon": self.epsilon,
            "delta": self.delta,
            "accountant": self.accountant,
            "policy": policy,
            "has_categories": self.has_categories,
            "excluded": {
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
        time_from=datetime.fromisoformat(raw["time_range"]["from"]).astimezone(UTC),
        time_to=datetime.fromisoformat(raw["time_range"]["to"]).astimezone(UTC),
        shoppers=int(raw["shoppers"]),
        holdout=Holdout(share=float(raw["holdout"]["share"]), salt=str(raw["holdout"]["salt"])),
        min_shoppers=int(raw["min_shoppers"]),
        unprotected=bool(raw["unprotected"]),
        max_items=int(raw["bounds"]["max_items"]),
        max_visits=int(raw["bounds"]["max_visits"]),
        max_distance=int(raw["bounds"]["max_distance"]),
        half_life_days=int(raw["half_life_days"]),
        mechanism=str(raw["mechanism"]),
        epsilon=raw["epsilon"],
        delta=raw["delta"],
        accountant=raw["accountant"],
        policy=None if policy is None else (policy["id"], int(policy["version"])),
        has_categories=bool(raw["has_categories"]),
        sensitive_items=int(raw["excluded"]["sensitive_items"]),
        sensitive_events=raw["excluded"]["sensitive_events"],
        engine=str(raw["engine"]),
        tables={
            name: TableInfo(
                rows=int(entry["rows"]),
                suppressed_share=float(entry["suppressed_share"]),
                max_rows_per_shopper=int(entry["max_rows_per_shopper"]),
                sha256=str(entry["sha256"]),
            )
            for name, entry in raw["tables"].items()
        },
    )
