"""The files through which our side and the peers' environments speak; both sides import this.

Only numpy and pyarrow are needed, of any version that a peer's environment holds. A task is a
folder: who bought what before a cutoff. Nothing of what happened from the cutoff on is in it, so
that no peer can look. Answers are rankings, and what they took to make.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

Scope = Literal["all", "new"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

Value: TypeAlias = "int | float | str"
Setting: TypeAlias = "Mapping[str, Value]"

PLACES: Final = 20
"""Length of a ranking, as our own evaluation has it."""

NOTHING: Final = -1
"""Fills the end of a ranking that has fewer items."""

ITEMS: Final = "items.parquet"
TRAINING: Final = "training.parquet"
HISTORIES: Final = "histories.parquet"
FACTS: Final = "facts.json"

_ROWS: Final = pa.schema(
    [
        ("shopper", pa.int32()),
        ("item", pa.int32()),
        ("visit", pa.int32()),
        ("time", pa.timestamp("us")),
        ("kind", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Who bought what and when, one entry an event, by shopper and time.

    Attributes:
        shopper: who; numbers start at 0 with those who are asked for, then come the others.
        item: row of the universe.
        visit: ordinal of the visit, counted for each shopper.
        time: microseconds since 1970, UTC.
        kind: what happened.
    """

    shopper: npt.NDArray[np.int64]
    item: npt.NDArray[np.int64]
    visit: npt.NDArray[np.int64]
    time: npt.NDArray[np.int64]
    kind: npt.NDArray[np.str_]

    def write(self, path: Path) -> None:
        """Write them as Parquet."""
        columns = [
            pa.array(self.shopper, pa.int32()),
            pa.array(self.item, pa.int32()),
            pa.array(self.visit, pa.int32()),
            pa.array(self.time, pa.int64()).cast(pa.timestamp("us")),
            pa.array(self.kind.tolist(), pa.string()),
        ]
        pq.write_table(pa.table(columns, schema=_ROWS), path)

    @classmethod
    def read(cls, *paths: Path) -> Rows:
        """Read one file after the other."""
        found = pa.concat_tables([pq.read_table(path) for path in paths])
        number = {
            name: np.asarray(found[name].cast(pa.int64()).to_numpy())
            for name in ("shopper", "item", "visit", "time")
        }
        return cls(**number, kind=np.asarray(found["kind"].to_pylist(), dtype=np.str_))

    def where(self, kept: npt.NDArray[np.bool_]) -> Rows:
        """Return some of them."""
        return Rows(
            shopper=self.shopper[kept],
            item=self.item[kept],
            visit=self.visit[kept],
            time=self.time[kept],
            kind=self.kind[kept],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a peer is given.

    Attributes:
        weight: shape (n_items,); popularity, never rising: row 0 is the most popular item.
        rows: everything of everybody from before the cutoff.
        n_asked: for how many shoppers a ranking is wanted: 0..n_asked-1.
        n_shoppers: how many there are in all.
    """

    weight: npt.NDArray[np.float64]
    rows: Rows
    n_asked: int
    n_shoppers: int

    @property
    def n_items(self) -> int:
        """How many items compete."""
        return int(self.weight.size)

    @property
    def liked(self) -> Rows:
        """What speaks for an item: everything but dislikes."""
        return self.rows.where(self.rows.kind != "dislike")

    def histories(self) -> list[npt.NDArray[np.int64]]:
        """Return the items that each asked shopper's history names, dislikes included."""
        asked = self.rows.where(self.rows.shopper < self.n_asked)
        order = np.argsort(asked.shopper, kind="stable")
        ends = np.searchsorted(asked.shopper[order], np.arange(1, self.n_asked))
        return [np.unique(items) for items in np.split(asked.item[order], ends)]

    @classmethod
    def read(cls, folder: Path) -> Task:
        """Read a folder that `write_task` wrote."""
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        weight = pq.read_table(folder / ITEMS)["weight"].to_numpy()
        return cls(
            weight=np.asarray(weight, dtype=np.float64),
            rows=Rows.read(folder / HISTORIES, folder / TRAINING),
            n_asked=int(facts["asked"]),
            n_shoppers=int(facts["shoppers"]),
        )


def write_task(
    folder: Path,
    *,
    item_ids: Sequence[str],
    weight: npt.NDArray[np.float64],
    histories: Rows,
    training: Rows,
    shoppers: tuple[int, int],
) -> None:
    """Write what a peer is given.

    Args:
        folder: made if it is not there.
        item_ids: the universe, in order of falling popularity.
        weight: shape (n_items,).
        histories: of the shoppers who are asked for, as their devices hold them.
        training: of the others.
        shoppers: how many are asked for, and how many there are in all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    items = pa.table({"item_id": pa.array(item_ids, pa.string()), "weight": pa.array(weight)})
    pq.write_table(items, folder / ITEMS)
    histories.write(folder / HISTORIES)
    training.write(folder / TRAINING)
    asked, everybody = shoppers
    facts = json.dumps({"asked": asked, "shoppers": everybody})
    (folder / FACTS).write_text(facts, encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One model to be fitted and asked.

    Attributes:
        name: of the answer's files.
        peer: which model it is, as `benchmarks.peers.theirs` names it.
        setting: its parameters.
        timed: also measure how long one shopper takes.
    """

    name: str
    peer: str
    setting: Setting
    timed: bool = False


def write_jobs(path: Path, jobs: Sequence[Job]) -> None:
    """Write the list that one run of the peers' side works off."""
    path.write_text(json.dumps([asdict(job) for job in jobs], indent=1), encoding="utf-8")


def read_jobs(path: Path) -> list[Job]:
    """Read what `write_jobs` wrote."""
    return [Job(**raw) for raw in json.loads(path.read_text(encoding="utf-8"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a model took.

    Attributes:
        fit_seconds: to train, on two cores.
        n_bytes: of the numbers a server must keep to rank: factors, neighbours, vectors. The
            shoppers' histories, which it needs as well, are not counted.
        rank_seconds: to rank for one shopper, the median of many; None where it was not measured.
    """

    fit_seconds: float
    n_bytes: int
    rank_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a peer gives back.

    Attributes:
        rankings: scope → int64, shape (n_asked, `PLACES`), universe rows, `NOTHING` at the end.
        cost: what it took.
    """

    rankings: Mapping[Scope, npt.NDArray[np.int64]]
    cost: Cost

    def write(self, folder: Path, name: str) -> None:
        """Write it under a name."""
        for scope, ranking in self.rankings.items():
            table = pa.table({f"place_{place}": ranking[:, place] for place in range(PLACES)})
            pq.write_table(table, folder / f"{name}.{scope}.parquet")
        # Last, so that an answer with a cost is whole.
        (folder / f"{name}.json").write_text(json.dumps(asdict(self.cost)), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path, name: str) -> Answer:
        """Read what `write` wrote."""
        rankings = {}
        for scope in SCOPES:
            table = pq.read_table(folder / f"{name}.{scope}.parquet")
            columns = [table[f"place_{place}"].to_numpy() for place in range(PLACES)]
            rankings[scope] = np.column_stack(columns).astype(np.int64)
        raw = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        return cls(rankings=rankings, cost=Cost(**raw))
