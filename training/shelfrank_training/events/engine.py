"""The embedded engine the queries run on: DuckDB through Ibis, no network, no leftovers."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Final

import duckdb
import ibis

from shelfrank_training.errors import DataError
from shelfrank_training.held import held_folder, remove_dead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table


_SPILL: Final = "shelfrank-spill-"
_NAME: Final = "shelfrank"


@contextmanager
def open_engine() -> Iterator[Backend]:
    """Open an in-memory DuckDB for as long as the context lasts.

    Raw events may spill to disk when memory is short. They then go to a private temporary folder
    (mode 0700) that is removed with the context, not to ``.tmp`` in the working directory, which is
    DuckDB's default. What a run left that was killed is removed first.

    Raises:
        DataError: there is no room, in memory or in the temporary folder.
    """
    place = Path(gettempdir())
    remove_dead(place.glob(f"{_SPILL}*"))
    with held_folder(place, _SPILL, mode=0o700) as spill:
        connection = ibis.duckdb.connect(
            temp_directory=str(spill),
            # DuckDB fetches missing extensions from the network unless it is told not to.
            autoinstall_known_extensions=False,
            autoload_known_extensions=False,
        )
        try:
            yield connection
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            raise DataError(
                f"the engine stopped: {str(error).splitlines()[0]}",
                hint=f"it needs more memory, or more room in {place} (TMPDIR names another place)",
            ) from None
        finally:
            connection.disconnect()


def keep(engine: Backend, table: Table) -> Table:
    """Compute a table once and keep it for as long as the engine is open."""
    # A name of its own, and never overwritten: sqlglot 30 writes the drop that ibis 12 sends before
    # an overwrite without the name of the table.
    return engine.create_table(ibis.util.gen_name(_NAME), table)


@contextmanager
def scratch(engine: Backend) -> Iterator[None]:
    """Forget, at the end, what was kept meanwhile: an engine of many releases would fill up."""
    before = _kept(engine)
    try:
        yield
    finally:
        for name in _kept(engine) - before:
            engine.con.execute(f'DROP TABLE "{name}"')


def _kept(engine: Backend) -> set[str]:
    # Not through ibis: its list and drop of tables do not run on DuckDB 2.
    found = engine.con.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    return {name for (name,) in found if _NAME in name}
