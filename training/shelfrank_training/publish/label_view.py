"""A label as rows: everything in it for engineers, and what differs between two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from shelfrank.bundle.label_words import lines
from shelfrank_training.publish.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from shelfrank.bundle.label import Label
    from shelfrank.types import Language

_COLUMNS: Final = ("table", "shoppers", "rows", "left out", "per shopper")
_NOISE_COLUMNS: Final = ("noise", "epsilon")

# What names an entry of a list, so that a row says which table or input it is about.
_NAMES: Final = ("table", "input", "code")

Direction = Literal["weaker", "stronger"]


def _small(value: float | None) -> float:
    """Rank a cost: less is better, none stated is worst."""
    return float("-inf") if value is None else -value


_RANKS: Final[Mapping[str, Callable[[Label], float]]] = {
    "privacy.min_shoppers": lambda label: float(label.min_shoppers),
    "privacy.unprotected": lambda label: -float(label.unprotected),
    "privacy.differential_privacy": lambda label: float(label.epsilon is not None),
    "privacy.epsilon": lambda label: _small(label.epsilon),
    "privacy.delta": lambda label: _small(label.delta),
    "excluded.has_categories": lambda label: float(label.has_categories),
}
"""The higher, the better protected; by the path of the statement that decides it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One statement that differs between two labels.

    Attributes:
        what: path of the statement.
        before: None where it was not there.
        after: None where it is not there any more.
        protection: what the change does to it, where that can be told.
    """

    what: str
    before: object
    after: object
    protection: Direction | None

    def to_json(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {
            "what": self.what,
            "before": self.before,
            "after": self.after,
            "protection": self.protection,
        }


def fact_rows(label: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return everything a label states but its tables: path and value, plain text.

    An entry of a list is one row: what it says, without its name.
    """
    stated = {name: value for name, value in label.items() if name != "aggregates"}
    return [(printable(path), printable(value)) for path, value in _flat(stated, deep=False)]


def table_rows(label: Mapping[str, object]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the tables of a parsed label: the header and a row for each, plain text.

    What was paid for a table stands there only where there is noise.
    """
    tables = label["aggregates"]
    if not isinstance(tables, list):
        raise TypeError(f"aggregates is {type(tables).__name__}, wanted a list")
    noisy = any(table["noise"] for table in tables)
    columns = (*_COLUMNS, *_NOISE_COLUMNS) if noisy else _COLUMNS
    return columns, [_table_row(table)[: len(columns)] for table in tables]


def changes(old: Label, new: Label) -> list[Change]:
    """Return the statements that differ, in the order of the new label, then what is gone."""
    before, after = dict(_flat(old.raw)), dict(_flat(new.raw))
    paths = [*after, *(path for path in before if path not in after)]
    found = [
        Change(
            what=path,
            before=before.get(path),
            after=after.get(path),
            protection=_direction(path, old, new),
        )
        for path in paths
    ]
    # A list that is empty in one label and full of named entries in the other differs by these.
    empty: tuple[object, ...] = (None, [], {})
    return [
        change
        for change in found
        if change.before != change.after and not (change.before in empty and change.after in empty)
    ]


def worth_showing(change: Change) -> bool:
    """Say whether people want to read a change: not the arithmetic of noise, nor texts of codes."""
    return ".noise" not in change.what and not (
        change.what.startswith("warnings.") and change.what.endswith(".text")
    )


def changed_lines(old: Label, new: Label, language: Language) -> list[tuple[str, str, str]]:
    """Return which of the five lines differ: heading, before, after."""
    pairs = zip(lines(old, language), lines(new, language), strict=True)
    return [(one.heading, one.text, other.text) for one, other in pairs if one != other]


def _flat(value: object, path: str = "", *, deep: bool = True) -> Iterator[tuple[str, object]]:
    """Yield every value below `value` with its path; a list of plain values is one.

    Args:
        value: JSON.
        path: of `value`.
        deep: also look into named entries of lists, instead of giving each as one list of values.
    """
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name), deep=deep)
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        for number, inner in enumerate(value, start=1):
            name = _name(inner)
            shown = inner if name is None else _without_name(inner, deep=deep)
            yield from _flat(shown, f"{path}.{name or number}", deep=deep)
    else:
        yield path, value


def _without_name(entry: object, *, deep: bool) -> object:
    if not isinstance(entry, dict):
        return entry
    rest = {name: value for name, value in entry.items() if name not in _NAMES}
    return rest if deep else [value for value in rest.values() if value is not None]


def _name(entry: object) -> str | None:
    if not isinstance(entry, dict):
        return None
    return next((str(entry[name]) for name in _NAMES if name in entry), None)


def _table_row(table: Mapping[str, object]) -> tuple[str, ...]:
    noise = table["noise"]
    passes = noise if isinstance(noise, list) else []
    share = table["suppressed_share"]
    return (
        printable(table["table"]),
        printable(table["min_shoppers"]),
        printable(table["rows"]),
        f"{share:.0%}" if isinstance(share, int | float) else printable(share),
        printable(table["rows_per_shopper"]),
        " + ".join(printable(entry["scale"]) for entry in passes) or "–",
        " + ".join(printable(entry["epsilon"]) for entry in passes) or "–",
    )


def _direction(path: str, old: Label, new: Label) -> Direction | None:
    """Say what a change does to the protection of shoppers, where one statement decides it."""
    if path == "excluded.categories":
        lost = any(not new.excludes(category) for category in old.excluded_categories)
        return "weaker" if lost else "stronger"
    if path.startswith("warnings."):
        code = path.split(".")[1]
        return "weaker" if code in new.warnings else "stronger"
    ranks = _RANKS.get(path)
    if ranks is None:
        return None
    return "weaker" if ranks(new) < ranks(old) else "stronger"
