"""What this software promises shoppers, each with the tests that hold it to it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from shelfrank_training.privacy.draft import as_list, as_table, as_text

Sort = Literal["invariant", "beyond"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One promise.

    Attributes:
        id: short name.
        says: what is promised.
        law: what the law asks for instead; empty for an invariant.
        tests: in the source folder, as pytest names them; at least one.
    """

    id: str
    says: str
    law: str
    tests: tuple[str, ...]


@cache
def promises(sort: Sort) -> tuple[Promise, ...]:
    """Return the promises of a sort, in the order of the file."""
    data = files("shelfrank_training.privacy").joinpath("promises.toml").read_text("utf-8")
    return tuple(
        Promise(
            id=as_text(row.get("id")),
            says=as_text(row.get("says")),
            law=as_text(row.get("law")),
            tests=tuple(map(as_text, as_list(row.get("tests")))),
        )
        for row in map(as_table, as_list(tomllib.loads(data)[sort]))
    )
