"""Samples of the receipts a shopper gets, written by the engine that writes the real ones.

Only what would differ from run to run is replaced: the random ids.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from shelfrank.consent.engine import Consent
from shelfrank.consent.permission import Circumstances
from shelfrank.consent.presets import preset_for
from shelfrank.consent.signals import Signals
from shelfrank.consent.store import MemoryChoiceStore
from shelfrank.consent.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from shelfrank.consent.policy import Policy
    from shelfrank.consent.receipts import Receipt
    from shelfrank.types import Language

# Old enough under any policy (`shelfrank.consent.reading.MINIMUM_AGES`): no guardian is needed.
_GROWN_UP: Final = Subject(age=21)

_SAMPLE_ID: Final = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class _Stopped:
    """A clock that stands still."""

    time: datetime

    def now(self) -> datetime:
        """Return the moment."""
        return self.time


def receipt_samples(policy: Policy, *, at: datetime) -> Mapping[str, bytes]:
    """Return receipts of a yes and of its withdrawal, for each purpose, by file name.

    Each is there to read in every language of the policy, and, in its first, in both formats for
    other tools.

    Args:
        policy: the policy that is asked under.
        at: the moment the samples are dated; aware.
    """
    files: dict[str, bytes] = {}
    for purpose in policy.purposes:
        for language in policy.languages:
            for receipt in _receipts(policy, purpose.id, language, at):
                name = f"receipt-{purpose.id}-{receipt.event}"
                files[f"{name}-{language}.txt"] = f"{receipt.as_text(language)}\n".encode()
                if language == policy.languages[0]:
                    files[f"{name}-27560.json"] = _json(receipt.as_27560())
                    files[f"{name}-kantara.json"] = _json(receipt.as_kantara())
    return files


def _receipts(policy: Policy, purpose: str, language: Language, at: datetime) -> Iterator[Receipt]:
    law = preset_for(policy.presets, on=at.date())
    consent = Consent(
        policy,
        MemoryChoiceStore(),
        _Stopped(at),
        lambda _: None,  # nothing was kept, so there is nothing to erase
        circumstances=Circumstances(preset=law, signals=Signals(), subject=_GROWN_UP),
    )
    notice = consent.notice(purpose, language=language)
    given = consent.grant(purpose, shown=notice)
    for receipt in (given, *consent.withdraw(purpose).receipts):
        yield replace(receipt, id=_SAMPLE_ID, person=_SAMPLE_ID)


def _json(value: Mapping[str, object]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
