"""From the files in this folder to `Preset`s; what nobody verified can only tighten."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, Literal

from shelfrank.consent.presets.preset import (
    BASELINE,
    EVIDENCE,
    GPC_ORDER,
    Fact,
    Preset,
    combine,
)
from shelfrank.consent.strict import Table, read_toml
from shelfrank.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date

MAX_FACTS: Final = 100
"""More than any law here needs; the bound is for slips."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetFile:
    """One law as its file has it, whatever the day.

    Attributes:
        id: of the preset.
        name: of the law.
        facts: of all times.
    """

    id: str
    name: str
    facts: tuple[Fact, ...]

    def on(self, day: date | None) -> Preset:
        """Return what it asks for on a day; None takes every fact it ever had, and will have."""
        facts = [fact for fact in self.facts if day is None or fact.in_force(day)]
        by_key: dict[str, list[Fact]] = {}
        for fact in facts:
            by_key.setdefault(fact.key, []).append(fact)
        asked = replace(BASELINE, ids=(self.id,))
        for key in KEYS:
            asked = _with(asked, by_key.get(key, []))
        return replace(asked, facts=tuple(sorted(facts, key=lambda fact: fact.place)))


def parse_preset(data: bytes) -> PresetFile:
    """Read the file of one law.

    Raises:
        PolicyError: anything missing, unknown or of the wrong type, or an unverified fact that asks
            for less than what is known, or than `BASELINE`.
    """
    root = read_toml(data)
    head = root.table("preset")
    preset_id, name = head.identifier("id"), head.text("name", max_chars=200)
    checked_on = head.day("checked_on")
    head.finish()
    facts = tuple(
        _fact(table, preset_id, checked_on) for table in root.tables("fact", at_most=MAX_FACTS)
    )
    root.finish()
    for fact in facts:
        if fact.evidence == "unverified" and fact.key in KEYS:
            _must_tighten(fact, facts)
    return PresetFile(id=preset_id, name=name, facts=facts)


@cache
def preset_ids() -> tuple[str, ...]:
    """Return the ids of the laws that this SDK knows, sorted."""
    names = (entry.name for entry in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def law_name(preset_id: str) -> str:
    """Return the name of the law.

    Raises:
        PolicyError: there is no such preset.
    """
    return _file(preset_id).name


def load_preset(preset_id: str, *, on: date) -> Preset:
    """Return what a law asks for on a day.

    Raises:
        PolicyError: there is no such preset.
    """
    return _file(preset_id).on(on)


def strictest(*, on: date | None = None) -> Preset:
    """Return the strictest of all laws that this SDK knows: what holds in an unknown region.

    Args:
        on: the day; None where that is not known either.
    """
    return combine([_file(preset_id).on(on) for preset_id in preset_ids()])


def preset_for(presets: Sequence[str], *, on: date) -> Preset:
    """Return what holds for the presets that a policy names (`Policy.presets`).

    With none, or with one that this SDK does not know, the region is unknown: the strictest.
    """
    if not presets or any(preset_id not in preset_ids() for preset_id in presets):
        return strictest(on=on)
    return combine([load_preset(preset_id, on=on) for preset_id in presets])


_FOLDER: Final = files("shelfrank.consent.presets")


@cache
def _file(preset_id: str) -> PresetFile:
    if preset_id not in preset_ids():
        raise PolicyError(
            f"got preset {preset_id!r}, wanted one of {', '.join(preset_ids())}",
            hint="for a region without a preset leave it out: the strictest holds",
        )
    return parse_preset(_FOLDER.joinpath(f"{preset_id}.toml").read_bytes())


def _fact(table: Table, preset_id: str, checked_on: date) -> Fact:
    key = table.text("key", max_chars=64)
    fact = Fact(
        preset=preset_id,
        key=key,
        value=table.text("value", max_chars=300),
        source=table.text("source", max_chars=300),
        checked_on=table.day("checked_on") if table.has("checked_on") else checked_on,
        evidence=table.choice("evidence", EVIDENCE),
        effective_from=table.day("effective_from") if table.has("effective_from") else None,
        effective_to=table.day("effective_to") if table.has("effective_to") else None,
    )
    table.finish()
    if fact.effective_from and fact.effective_to and fact.effective_to < fact.effective_from:
        table.refuse("effective_to", got="a day before effective_from", wanted="one after it")
    if key in KEYS:
        KEYS[key](BASELINE, fact.value)  # refuses a value that cannot be read
    return fact


def _with(asked: Preset, facts: Sequence[Fact]) -> Preset:
    """Apply the facts of one key: what is known replaces the baseline, the rest only tightens."""
    known = [fact for fact in facts if fact.evidence != "unverified"]
    stated = combine([_asking(asked, fact) for fact in known]) if known else asked
    guessed = [_asking(stated, fact) for fact in facts if fact.evidence == "unverified"]
    return combine([stated, *guessed])


def _asking(asked: Preset, fact: Fact) -> Preset:
    return KEYS[fact.key](asked, fact.value)


def _must_tighten(guess: Fact, facts: Iterable[Fact]) -> None:
    known = [
        fact
        for fact in facts
        if fact.key == guess.key and fact.evidence != "unverified" and _overlap(fact, guess)
    ]
    for stated in [BASELINE, *(_asking(BASELINE, fact) for fact in known)]:
        asked = _asking(BASELINE, guess)
        if combine([stated, asked]) != asked:
            raise PolicyError(
                f"preset {guess.preset}: got the unverified {guess.key} = {guess.value!r}, which "
                "asks for less than what holds without it",
                hint="a fact that nobody has verified may only tighten",
            )


def _overlap(one: Fact, other: Fact) -> bool:
    ends = ((one.effective_to, other.effective_from), (other.effective_to, one.effective_from))
    return all(end is None or start is None or start <= end for end, start in ends)


def _days(value: str) -> int:
    return Table({"value": value}, where="preset").days("value")


def _years(value: str) -> int:
    if not (value.isascii() and value.isdigit() and 0 < int(value[:3]) <= 21):
        raise PolicyError(f"preset: got an age of {value!r}, wanted from 1 to 21 years")
    return int(value)


def _gpc(asked: Preset, value: str) -> Preset:
    return replace(asked, gpc=Table({"gpc": value}, where="preset").choice("gpc", GPC_ORDER))


_YES_NO: Final[tuple[Literal["no", "yes"], ...]] = ("no", "yes")


def _disclosing(asked: Preset, value: str) -> Preset:
    answer = Table({"disclose_retention": value}, where="preset").choice(
        "disclose_retention", _YES_NO
    )
    return replace(asked, disclose_retention=answer == "yes")


KEYS: Final[dict[str, Callable[[Preset, str], Preset]]] = {
    "gpc": _gpc,
    "minor_age": lambda asked, value: replace(asked, minor_age=_years(value)),
    "reask_after": lambda asked, value: replace(asked, reask_days=_days(value)),
    "max_validity": lambda asked, value: replace(asked, max_validity_days=_days(value)),
    "refresh_after_inactivity": lambda asked, value: replace(
        asked, refresh_after_days=_days(value)
    ),
    "answer_within": lambda asked, value: replace(asked, answer_days=_days(value)),
    "disclose_retention": _disclosing,
}
"""The keys that code holds, and how a fact of each is applied."""
