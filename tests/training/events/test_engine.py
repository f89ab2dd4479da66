"""What the engine keeps, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

from shelfrank_training.events.engine import keep, open_engine, scratch

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend


def test_what_is_kept_for_one_release_is_forgotten_after_it_and_nothing_else() -> None:
    def rows(engine: Backend) -> int:
        return len(engine.con.execute("SELECT table_name FROM duckdb_tables()").fetchall())

    with open_engine() as engine:
        before = keep(engine, ibis.memtable(pa.table({"number": [1, 2]})))
        with scratch(engine):
            keep(engine, before.mutate(more=before.number + 1))
            assert rows(engine) == 2
        assert rows(engine) == 1
        assert before.to_pyarrow()["number"].to_pylist() == [1, 2]
