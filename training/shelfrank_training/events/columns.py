"""Which columns a file must and may have, and how the caller's names map to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from shelfrank_training.errors import DataError
from shelfrank_training.events.personal import refuse_personal_names

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Type = Literal["text", "time", "number", "flag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The columns of one kind of file.

    Attributes:
        what: what the file holds, for messages.
        types: type of each column, in the order of the normalised table.
        required: the columns without which the file is refused.
        of_things: a row is a thing, whose name is no person's.
    """

    what: str
    of_things: bool
    types: Mapping[str, Type]
    required: frozenset[str]


EVENTS: Final = Contract(
    what="events",
    of_things=False,
    types={
        "shopper_id": "text",
        "item_id": "text",
        "time": "time",
        "kind": "text",
        "visit_id": "text",
        "quantity": "number",
        "price": "number",
    },
    required=frozenset({"shopper_id", "item_id", "time"}),
)

CATALOG: Final = Contract(
    what="catalog",
    of_things=True,
    types={
        "item_id": "text",
        "title": "text",
        "category": "text",
        "brand": "text",
        "price": "number",
        "sensitive": "flag",
    },
    required=frozenset({"item_id"}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the caller says about the columns of a file.

    Attributes:
        mapped: our name → the file's name, where they differ.
        dropped: names in the file that are left out.
    """

    mapped: Mapping[str, str] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()

    def within(self, found: Collection[str], contract: Contract) -> Columns:
        """Return the part that speaks about a file with the columns `found`.

        One set of options serves events and catalog: ``item_id=product_id`` is meant for both,
        ``shopper_id=household_id`` for one.
        """
        return Columns(
            mapped={
                ours: theirs
                for ours, theirs in self.mapped.items()
                if ours in contract.types and theirs in found
            },
            dropped=frozenset(self.dropped & set(found)),
        )


def check_all_used(columns: Columns, parts: Collection[Columns]) -> None:
    """Refuse a mapping or drop that no file took up: most likely a typing error.

    Raises:
        DataError: some name is in no file.
    """
    for ours, theirs in columns.mapped.items():
        if not any(part.mapped.get(ours) == theirs for part in parts):
            raise DataError(f"column {ours}={theirs} was asked for, but no file has it")
    for name in sorted(columns.dropped):
        if not any(name in part.dropped for part in parts):
            raise DataError(f"column {name} was to be dropped, but no file has it")


def resolve(
    found: Collection[str], columns: Columns, contract: Contract, file: str
) -> dict[str, str]:
    """Match the columns of a file with those of the contract.

    Args:
        found: names in the file.
        columns: what the caller says about them.
        contract: what the file must and may have.
        file: its name, for messages.

    Returns:
        Our name → the file's name, for every column of the contract that the file has.

    Raises:
        PrivacyError: a column that is not dropped looks like a name, an address, a phone number
            or a position, whatever it is mapped to.
        DataError: a column is missing, unknown, twice in the file, mapped twice, or mapped or
            dropped without being there.
    """
    _check_given(found, columns, contract, file)
    left = set(found) - columns.dropped - set(columns.mapped.values())
    refuse_personal_names(
        sorted(left.union(columns.mapped.values())), file=file, of_things=contract.of_things
    )
    taken = {ours: ours for ours in contract.types if ours in left and ours not in columns.mapped}
    unknown = sorted(left - set(taken))
    if unknown:
        raise DataError(
            f"{file} has unknown columns {', '.join(unknown)}; "
            f"{contract.what} take {', '.join(contract.types)}",
            hint=f"map it: --column NAME={unknown[0]}, or leave it out: --drop {unknown[0]}",
        )
    taken |= columns.mapped
    missing = [ours for ours in contract.types if ours in contract.required and ours not in taken]
    if missing:
        raise DataError(
            f"{file} has no column {', '.join(missing)}; it has {', '.join(found) or 'none'}",
            hint=f"if it has another name there: --column {missing[0]}=NAME",
        )
    return {ours: taken[ours] for ours in contract.types if ours in taken}


def _check_given(found: Collection[str], columns: Columns, contract: Contract, file: str) -> None:
    twice = sorted({name for name in found if list(found).count(name) > 1})
    if twice:
        raise DataError(f"{file} has the column {', '.join(twice)} more than once")
    for ours, theirs in columns.mapped.items():
        if ours not in contract.types:
            raise DataError(
                f"{contract.what} have no column {ours}; they take {', '.join(contract.types)}"
            )
        if theirs not in found:
            raise DataError(f"{file} has no column {theirs}, which {ours} was mapped to")
    sources = list(columns.mapped.values())
    if len(set(sources)) < len(sources):
        raise DataError(f"{file}: one column is mapped to two names")
    absent = sorted(columns.dropped - set(found))
    if absent:
        raise DataError(f"{file} has no column {', '.join(absent)}, which was to be dropped")
