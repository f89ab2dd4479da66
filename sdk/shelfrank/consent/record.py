"""The record of choices as bytes of one fixed size, and back.

Format 1: JSON in UTF-8, filled up with spaces, so that its size says nothing and it
can be overwritten in place. Times are whole seconds since 1970, UTC. What the choices agreed to
keep out is listed once and referred to by position, because most choices share it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final, get_args

from shelfrank.consent.purposes import (
    FIELD_NAMES,
    GRANULARITIES,
    ORIGINS,
    SURFACES,
)
from shelfrank.consent.reading import MAX_PURPOSES
from shelfrank.consent.rules import (
    ANSWERING,
    ANSWERS,
    ENDED,
    METHODS,
    Choice,
    Mark,
    Record,
    Status,
    Terms,
)
from shelfrank.consent.signals import GpcStatus
from shelfrank.consent.strict import MAX_DAYS, Table
from shelfrank.errors import ConsentError, PolicyError
from shelfrank.types import KINDS, LANGUAGES

FORMAT: Final = 1

# Sixteen purposes (900 bytes each) and a thousand excluded categories (15 bytes each) need 29 KiB.
RECORD_BYTES: Final = 31 * 1024

# A purpose that the policy dropped stays on record, so there can be more than one policy declares.
MAX_CHOICES: Final = 4 * MAX_PURPOSES

# One of the bundle, one of the app and the two combined; the rest is for shops that rename theirs.
MAX_POLICIES: Final = 16

MAX_GUARDIAN_CHARS: Final = 64
"""Enough for the id of a receipt; not enough to tell a story about a child."""

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
        "seen": _seconds(record.seen),
        "doubt": _seconds(record.doubt),
        "policies": [
            {"policy": policy_id, "version": version}
            for policy_id, version in sorted(record.policies.items())
        ],
        "gpc": record.gpc,
        "journal": record.journal.number if record.journal else 0,
        "journal_hash": record.journal.hash if record.journal else "",
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
    entries = table.integer("journal", at_least=0, at_most=2**62)
    entry_hash = table.text("journal_hash", max_chars=64, default="")
    record = Record(
        generation=table.integer("generation", at_least=0, at_most=2**62),
        clock=_moment(table, "clock"),
        seen=_moment_or_none(table, "seen"),
        doubt=_moment_or_none(table, "doubt"),
        policies={
            row.text("policy", max_chars=RECORD_BYTES): row.integer(
                "version", at_least=0, at_most=2**62
            )
            for row in table.tables("policies", at_least=0, at_most=MAX_POLICIES)
        },
        gpc=table.choice("gpc", get_args(GpcStatus)),
        journal=Mark(number=entries, hash=entry_hash) if entries else None,
        choices={
            row.identifier("purpose"): _to_choice(row, exclusions)
            for row in table.tables("choices", at_least=0, at_most=MAX_CHOICES)
        },
    )
    table.finish()
    return record


def _from_choice(choice: Choice, exclusions: list[tuple[str, ...]]) -> dict[str, object]:
    data: dict[str, object] = {
        "answer": choice.answer.value,
        "at": int(choice.at.timestamp()),
        "method": choice.method,
        "receipt": choice.receipt,
    }
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
        "guardian": choice.guardian,
        "told_of_gpc": int(choice.told_of_gpc),
        "paused": int(choice.paused),
        "ended": choice.ended,
        "use": terms.use,
        "controllers": terms.controllers,
        "kinds": terms.kinds,
        "fields": terms.fields,
        "surfaces": terms.surfaces,
        "contexts": terms.contexts,
        "granularity": terms.granularity,
        "retention_days": terms.retention_days,
        "max_events": terms.max_events or 0,
        "exclusion": exclusions.index(terms.excluded),
    }


def _to_choice(table: Table, exclusions: list[tuple[str, ...]]) -> Choice:
    answer = Status(table.choice("answer", [status.value for status in ANSWERS]))
    at = _moment(table, "at")
    # A yes is something a person gave; a no may have come from a signal.
    method = table.choice("method", ANSWERING if answer.permits else METHODS)
    receipt = table.text("receipt", max_chars=36, default="")
    if not answer.permits:
        table.finish()
        return Choice(answer=answer, at=at, method=method, receipt=receipt)
    position = table.integer("exclusion", at_least=0, at_most=len(exclusions) - 1)
    choice = Choice(
        answer=answer,
        at=at,
        until=_moment(table, "until"),
        language=table.choice("language", LANGUAGES),
        notice=table.text("notice", max_chars=64),
        policy=table.text("policy", max_chars=RECORD_BYTES),
        method=method,
        receipt=receipt,
        guardian=table.text("guardian", max_chars=MAX_GUARDIAN_CHARS, default=""),
        told_of_gpc=_flag(table, "told_of_gpc"),
        paused=_flag(table, "paused"),
        ended=table.choice("ended", ENDED),
        terms=Terms(
            use=table.text("use", max_chars=12),
            controllers=table.texts("controllers", max_count=RECORD_BYTES, max_chars=12),
            kinds=table.choices("kinds", KINDS),
            fields=table.choices("fields", _FIELD_TERMS),
            surfaces=table.choices("surfaces", SURFACES),
            contexts=table.texts("contexts", max_count=RECORD_BYTES, max_chars=64),
            granularity=table.choice("granularity", GRANULARITIES),
            retention_days=table.integer("retention_days", at_least=1, at_most=MAX_DAYS),
            excluded=exclusions[position],
            # A policy's bound is at least one event, so 0 is free to say that there is none.
            max_events=table.integer("max_events", at_least=0, at_most=2**62) or None,
        ),
    )
    table.finish()
    return choice


def _seconds(moment: datetime | None) -> int:
    """Return 0 for None: no device has been in use since 1970."""
    return 0 if moment is None else int(moment.timestamp())


def _flag(table: Table, key: str) -> bool:
    return table.integer(key, at_least=0, at_most=1) == 1


def _moment_or_none(table: Table, key: str) -> datetime | None:
    seconds = table.integer(key, at_least=0, at_most=_MAX_SECONDS)
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _moment(table: Table, key: str) -> datetime:
    return datetime.fromtimestamp(table.integer(key, at_least=0, at_most=_MAX_SECONDS), UTC)
