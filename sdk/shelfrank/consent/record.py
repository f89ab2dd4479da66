"""The record of choices as bytes of one fixed size, and back.

Format 0 (unreleased): JSON in UTF-8, filled up with spaces, so that its size says nothing and it
can be overwritten in place. Times are whole seconds since 1970, UTC. What the choices agreed to
keep out is listed once and referred to by position, because most choices share it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

from shelfrank.consent.purposes import (
    FIELD_NAMES,
    GRANULARITIES,
    ORIGINS,
    SURFACES,
)
from shelfrank.consent.reading import MAX_PURPOSES
from shelfrank.consent.rules import ANSWERS, Choice, Record, Status, Terms
from shelfrank.consent.strict import MAX_DAYS, Table
from shelfrank.errors import ConsentError, PolicyError
from shelfrank.types import KINDS, LANGUAGES

FORMAT: Final = 0

# Sixteen purposes (700 bytes each) and a thousand excluded categories (15 bytes each) need 26 KiB.
RECORD_BYTES: Final = 31 * 1024

# A purpose that the policy dropped stays on record, so there can be more than one policy declares.
MAX_CHOICES: Final = 4 * MAX_PURPOSES

_MAX_SECONDS: Final = 253_402_300_799
"""The last second of the year 9999, where Python's calendar ends."""

_FIELD_TERMS: Final = sorted(
    f"{name}:{origin}{suffix}"
    for name in FIELD_NAMES
    for origin in ORIGINS
    for suffix in ("", ":required")
)


def encode(record: Record) -> bytes:
    """Return `record` as `RECORD_BYTES` bytes.

    Raises:
        ConsentError: it does not fit, which takes many policies with different long exclusion
            lists.
    """
    exclusions: list[tuple[str, ...]] = []
    choices = [
        {"purpose": purpose_id, **_from_choice(choice, exclusions)}
        for purpose_id, choice in sorted(record.choices.items())
    ]
    content = {
        "format": FORMAT,
        "generation": record.generation,
        "clock": int(record.clock.timestamp()),
        "exclusions": [{"excluded": excluded} for excluded in exclusions],
        "choices": choices,
    }
    data = json.dumps(content, separators=(",", ":")).encode()
    if len(data) > RECORD_BYTES:
        raise ConsentError(
            f"record of choices needs {len(data)} bytes, there are {RECORD_BYTES}",
            hint="withdraw purposes that are no longer used",
        )
    # What could not be read back must never replace what can.
    if decode(data) != record:
        raise ConsentError("record of choices: got one that would not read back the same")
    return data.ljust(RECORD_BYTES)


def decode(data: bytes) -> Record:
    """Return the record in `data`.

    Raises:
        ConsentError: not such a record, or one of a format this SDK does not read. Whoever catches
            it must treat every purpose as not asked.
    """
    try:
        content = json.loads(data)
        if not isinstance(content, dict):
            raise ConsentError("record of choices: got no table, wanted one")
        return _to_record(Table(content, where="record of choices"))
    except (PolicyError, ValueError, RecursionError) as error:
        raise ConsentError(f"record of choices cannot be read: {error}") from None


def _to_record(table: Table) -> Record:
    table.integer("format", at_least=FORMAT, at_most=FORMAT)
    exclusions = [
        row.texts("excluded", max_count=RECORD_BYTES, max_chars=12)
        for row in table.tables("exclusions", at_least=0, at_most=MAX_CHOICES)
    ]
    record = Record(
        generation=table.integer("generation", at_least=0, at_most=2**62),
        clock=_moment(table, "clock"),
        choices={
            row.identifier("purpose"): _to_choice(row, exclusions)
            for row in table.tables("choices", at_least=0, at_most=MAX_CHOICES)
        },
    )
    table.finish()
    return record


def _from_choice(choice: Choice, exclusions: list[tuple[str, ...]]) -> dict[str, object]:
    data: dict[str, object] = {"answer": choice.answer.value, "at": int(choice.at.timestamp())}
    if choice.terms is None or choice.until is None or choice.language is None:
        return data
    terms = choice.terms
    if terms.excluded not in exclusions:
        exclusions.append(terms.excluded)
    return data | {
        "until": int(choice.until.timestamp()),
        "language": choice.language,
        "notice": choice.notice,
        "policy": choice.policy,
        "use": terms.use,
        "controllers": terms.controllers,
        "kinds": terms.kinds,
        "fields": terms.fields,
        "surfaces": terms.surfaces,
        "granularity": terms.granularity,
        "retention_days": terms.retention_days,
        "exclusion": exclusions.index(terms.excluded),
    }


def _to_choice(table: Table, exclusions: list[tuple[str, ...]]) -> Choice:
    answer = Status(table.choice("answer", [status.value for status in ANSWERS]))
    at = _moment(table, "at")
    if not answer.permits:
        table.finish()
        return Choice(answer=answer, at=at)
    position = table.integer("exclusion", at_least=0, at_most=len(exclusions) - 1)
    choice = Choice(
        answer=answer,
        at=at,
        until=_moment(table, "until"),
        language=table.choice("language", LANGUAGES),
        notice=table.text("notice", max_chars=64),
        policy=table.text("policy", max_chars=RECORD_BYTES),
        terms=Terms(
            use=table.text("use", max_chars=12),
            controllers=table.texts("controllers", max_count=RECORD_BYTES, max_chars=12),
            kinds=table.choices("kinds", KINDS),
            fields=table.choices("fields", _FIELD_TERMS),
            surfaces=table.choices("surfaces", SURFACES),
            granularity=table.choice("granularity", GRANULARITIES),
            retention_days=table.integer("retention_days", at_least=1, at_most=MAX_DAYS),
            excluded=exclusions[position],
        ),
    )
    table.finish()
    return choice


def _moment(table: Table, key: str) -> datetime:
    return datetime.fromtimestamp(table.integer(key, at_least=0, at_most=_MAX_SECONDS), UTC)
