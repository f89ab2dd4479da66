"""Judge a policy by every rule, and say what a law asks and what answers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shelfrank.consent.policy import Policy
from shelfrank.consent.presets import NOT_LEGAL_ADVICE, preset_for
from shelfrank.errors import PolicyError
from shelfrank_training.privacy import rules_data, rules_law, rules_words
from shelfrank_training.privacy.draft import Draft, as_list, as_text
from shelfrank_training.privacy.duties import duties
from shelfrank_training.privacy.rules import OUTCOMES, Case, Fault, Outcome, Rule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from shelfrank_training.privacy.duties import Duty

RULES: Final[tuple[Rule, ...]] = (*rules_data.RULES, *rules_words.RULES, *rules_law.RULES)
"""All rules, in the order of the report."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One rule and what it found.

    Attributes:
        rule: the rule.
        faults: what breaks it, in the order of the file.
    """

    rule: Rule
    faults: tuple[Fault, ...]

    @property
    def outcome(self) -> Outcome:
        """Return ``passed``, or the outcome of the worst fault."""
        found = (fault.outcome for fault in self.faults)
        return max(found, key=OUTCOMES.index, default="passed")

    def to_json(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "id": self.rule.id,
            "sentence": self.rule.sentence,
            "source": self.rule.source,
            "outcome": self.outcome,
            "faults": [
                {"where": f.where, "got": f.got, "wanted": f.wanted, "outcome": f.outcome}
                for f in self.faults
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a check found.

    Attributes:
        policy: its id and version, as written.
        presets: ids of the laws it was held against.
        on: the day of the check.
        rules: every rule.
        duties: what the laws ask for, and what answers it.
    """

    policy: str
    presets: tuple[str, ...]
    on: date
    rules: tuple[Judged, ...]
    duties: tuple[Duty, ...]

    @property
    def passed(self) -> bool:
        """Whether no rule failed; a warning is for a person to judge."""
        return all(judged.outcome != "failed" for judged in self.rules)

    def to_json(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "policy": self.policy,
            "presets": list(self.presets),
            "on": self.on.isoformat(),
            "passed": self.passed,
            "note": NOT_LEGAL_ADVICE["en"],
            "rules": [judged.to_json() for judged in self.rules],
            "duties": [duty.to_json() for duty in self.duties],
        }


def check(data: bytes, *, presets: Sequence[str] = (), on: date) -> Verdict:
    """Judge a policy.

    Args:
        data: the bytes of a ``policy.toml``; one that a device would refuse is judged all the same.
        presets: ids of law presets; none takes those the policy names, and if it names none, or one
            that is not known, the strictest of all laws holds.
        on: the day, for laws and reviews.

    Raises:
        DataError: it is not TOML, so nothing can be said about it.
    """
    draft = Draft.read(data)
    policy, refusal = None, ""
    try:
        policy = Policy.parse(data)
    except PolicyError as error:
        refusal = str(error)
    named = presets or [as_text(name) for name in as_list(draft.head.get("preset"))]
    asked = tuple(sorted(set(named)))
    law = preset_for(asked, on=on)
    case = Case(draft=draft, policy=policy, refusal=refusal, presets=asked, law=law, on=on)
    return Verdict(
        policy=f"{as_text(draft.head.get('id')) or 'without id'} {draft.head.get('version', '')}",
        presets=law.ids,
        on=on,
        rules=tuple(Judged(rule, tuple(rule.faults(case))) for rule in RULES),
        duties=duties(law),
    )
