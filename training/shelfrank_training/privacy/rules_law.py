"""Rules that the law presets add. Not legal advice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shelfrank.consent.presets import preset_ids
from shelfrank.consent.purposes import DEFAULT_MINIMUM_AGE
from shelfrank.types import LANGUAGES
from shelfrank_training.privacy.draft import as_table
from shelfrank_training.privacy.phrases import durations
from shelfrank_training.privacy.rules import Case, Fault, Rule
from shelfrank_training.privacy.rules_data import REVIEW_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterator


def _known(case: Case) -> Iterator[Fault]:
    if not case.presets:
        wanted = "the laws the shop works under; until then the strictest of all holds"
        yield Fault("policy.preset", "none", wanted, "warning")
    for preset_id in case.presets:
        if preset_id not in preset_ids():
            yield Fault("policy.preset", repr(preset_id), f"one of {', '.join(preset_ids())}")


def _fresh(case: Case) -> Iterator[Fault]:
    old = {
        fact.preset: fact.checked_on
        for fact in case.law.facts
        if (case.on - fact.checked_on).days > REVIEW_DAYS
    }
    for preset_id, checked_on in sorted(old.items()):
        wanted = f"a look at the law within {REVIEW_DAYS} days"
        yield Fault(f"preset {preset_id}", f"last checked on {checked_on}", wanted, "warning")


def _validity(case: Case) -> Iterator[Fault]:
    longest = case.law.max_validity_days
    for purpose in case.draft.purposes():
        days = purpose.days("validity")
        if longest is not None and days is not None and days > longest:
            yield Fault(f"{purpose.name}.validity", f"{days} days", f"at most {longest}")


def _reask(case: Case) -> Iterator[Fault]:
    for purpose in case.draft.purposes():
        key = "reask" if "reask" in purpose.values else "validity"  # as the parser's default
        days = purpose.days(key)
        if days is not None and days < case.law.reask_days:
            wanted = f"at least {case.law.reask_days} before a shopper is asked again"
            yield Fault(f"{purpose.name}.{key}", f"{days} days", wanted)


def _refresh(case: Case) -> Iterator[Fault]:
    idle = case.law.refresh_after_days
    for purpose in case.draft.purposes():
        days = purpose.days("validity")
        if idle is not None and days is not None and days > idle:
            wanted = f"at most {idle}: a yes that long unused must be given anew"
            yield Fault(f"{purpose.name}.validity", f"{days} days", wanted)


def _age(case: Case) -> Iterator[Fault]:
    minimum = as_table(case.draft.values.get("ages")).get("minimum", DEFAULT_MINIMUM_AGE)
    if isinstance(minimum, int) and minimum < case.law.minor_age:
        yield Fault("ages.minimum", f"{minimum}", f"at least {case.law.minor_age}")


def _retention_told(case: Case) -> Iterator[Fault]:
    if not case.law.disclose_retention:
        return
    for purpose in case.draft.purposes():
        retention = purpose.days("retention")
        for language, text in purpose.texts():
            told = [days for _, days in durations(text.short, language)]
            if "{retention_days}" not in text.short and retention not in told:
                where = f"{purpose.name}.text.{language}.short"
                yield Fault(where, "not how long it is kept", "{retention_days}")


def _unverified(case: Case) -> Iterator[Fault]:
    guesses = [fact for fact in case.law.facts if fact.evidence == "unverified"]
    for preset_id in sorted({fact.preset for fact in guesses}):
        keys = sorted({fact.key for fact in guesses if fact.preset == preset_id})
        got = f"{', '.join(keys)} not verified by anybody"
        yield Fault(f"preset {preset_id}", got, "a look by counsel", "warning")


RULES: Final = (
    Rule(
        "law-known",
        "The policy names the laws it works under, and they are known here.",
        "an unknown region means the strictest",
        _known,
    ),
    Rule(
        "law-fresh",
        "Somebody has looked at the laws within a year.",
        "laws change: Utah and Connecticut did in July 2026",
        _fresh,
    ),
    Rule(
        "law-verified",
        "What the presets say was read in the law, or in what others write about it.",
        "a guess only tightens, and stays a guess",
        _unverified,
    ),
    Rule(
        "law-validity",
        "No yes lasts longer than the law lets it.",
        "preset fact max_validity",
        _validity,
    ),
    Rule(
        "law-reask",
        "After a no, nobody asks again before the law lets them.",
        "preset fact reask_after",
        _reask,
    ),
    Rule(
        "law-refresh",
        "A yes ends before it has been unused for as long as the law lets it be.",
        "preset fact refresh_after_inactivity",
        _refresh,
    ),
    Rule(
        "law-age",
        "Nobody younger than the law says decides alone.",
        "preset fact minor_age",
        _age,
    ),
    Rule(
        "law-retention-told",
        f"Where the law asks for it, the first layer says how long things are kept, in each of "
        f"{', '.join(LANGUAGES)}.",
        "preset fact disclose_retention",
        _retention_told,
    ),
)
"""In the order of the report."""
