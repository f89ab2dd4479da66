"""What each law preset asks for, and what answers it: this software, the policy, or the shop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shelfrank.consent.presets import Fact, Preset

AnsweredBy = Literal["software", "policy", "shop"]


@dataclass(frozen=True, slots=True)
class Duty:
    """One fact of a law and its answer.

    Attributes:
        fact: what the law says.
        by: who answers it.
        answer: how, in a sentence.
    """

    fact: Fact
    by: AnsweredBy
    answer: str

    def to_json(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return fact_json(self.fact) | {"answered_by": self.by, "answer": self.answer}


def fact_json(fact: Fact) -> dict[str, object]:
    """Return a fact as JSON has it."""
    return {
        "preset": fact.preset,
        "key": fact.key,
        "value": fact.value,
        "effective_from": fact.effective_from and fact.effective_from.isoformat(),
        "effective_to": fact.effective_to and fact.effective_to.isoformat(),
        "source": fact.source,
        "checked_on": fact.checked_on.isoformat(),
        "evidence": fact.evidence,
    }


def duties(law: Preset) -> tuple[Duty, ...]:
    """Return the duties of a preset, in the order of its facts."""
    return tuple(Duty(fact, *_ANSWERS.get(fact.key, _TOLD)) for fact in law.facts)


_TOLD: Final[tuple[AnsweredBy, str]] = ("shop", "told here; the shop and its counsel answer it")

_ANSWERS: Final[Mapping[str, tuple[AnsweredBy, str]]] = {
    "consent_model": ("software", "nothing is kept before a yes, whatever the law would allow"),
    "sensitive_data": ("policy", "[sensitive] categories are dropped when written, never kept"),
    "profiling": ("software", "it ranks products, decides nothing, and can be switched off"),
    "gpc": ("software", "the signal counts as a no, is never taken for a yes, and is shown"),
    "rights": ("software", "see, correct, take along, erase: on the device, at once, free"),
    "answer_within": ("shop", "on the device at once; for what the shop holds itself, in time"),
    "disclose_retention": ("policy", "retention; both layers of the notice say it"),
    "retention": ("policy", "retention, with a reason above a year"),
    "minor_age": ("policy", "[ages] minimum; below it a guardian must agree"),
    "minor_age_by_country": ("policy", "[ages] minimum; 18 where nothing is said"),
    "minors": ("policy", "[ages] minimum; 18 where nothing is said"),
    "minimisation": ("policy", "fields; shelfrank privacy inventory fails on an unused one"),
    "non_discrimination": ("software", "ranking without a yes answers in the same shape"),
    "withdrawal": ("software", "one call, like the yes, without a reason; it erases"),
    "reask_after": ("policy", "reask"),
    "max_validity": ("policy", "validity"),
    "refresh_after_inactivity": ("policy", "validity is shorter"),
}
