"""Receipts: what the shopper was told and answered, to keep and to show. Never an item.

A receipt can be written as a record after ISO/IEC TS 27560:2023 in the profile of the W3C Data
Privacy Vocabulary (https://w3id.org/dpv/guides/consent-27560), as a Kantara Consent Receipt 1.1.0
for older tools, and as plain text.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, get_args

from shelfrank.consent.phrases import RECEIPT, describe_kinds, describe_method, describe_status
from shelfrank.consent.purposes import (
    AREAS,
    GRANULARITIES,
    SURFACES,
    Area,
    Controller,
    Granularity,
    Surface,
)
from shelfrank.consent.rules import METHODS, Method, Status
from shelfrank.types import KINDS, LANGUAGES

if TYPE_CHECKING:
    from shelfrank.consent.strict import Table
    from shelfrank.types import Kind, Language

ReceiptEvent = Literal["granted", "refused", "withdrawn", "paused", "resumed"]
RECEIPT_EVENTS: Final[tuple[ReceiptEvent, ...]] = get_args(ReceiptEvent)

_MAX_TEXT: Final = 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a purpose asked for when the shopper answered.

    Attributes:
        area: functional area.
        use_case: what for.
        surfaces: where the result may be seen.
        contexts: where in the shop events may come from; empty where the policy does not say.
        kinds: kinds of events.
        fields: ``name:origin`` of each thing kept of an event.
        granularity: how exactly times are kept.
        retention_days: how long events are kept.
        controllers: who answers.
        policy: ``id version``.
        presets: ids of the law presets that were in force.
        terms: what the purpose is called in the Data Privacy Vocabulary.
        data: the categories of personal data in it.
    """

    area: Area
    use_case: str
    surfaces: tuple[Surface, ...]
    contexts: tuple[str, ...]
    kinds: tuple[Kind, ...]
    fields: tuple[str, ...]
    granularity: Granularity
    retention_days: int
    controllers: tuple[Controller, ...]
    policy: str
    presets: tuple[str, ...]
    terms: tuple[str, ...]
    data: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One answer, as the shopper may keep it. The shop never needs it.

    Attributes:
        id: random.
        person: a random id of this journal; no customer number, and new after erasing.
        event: what the shopper did.
        status: how the purpose stands by it.
        purpose: its id.
        time: to the minute, UTC.
        until: end of a yes, to the minute, UTC; None for a no and for a yes for one visit.
        visit_only: the yes ends with the visit and was never on a disk.
        method: how the shopper said it.
        language: of the notice; None where none was shown.
        notice: SHA-256 (hex) of the notice, or empty.
        text: the whole notice as it was shown, or empty.
        guardian: by what a guardian's agreement can be shown, or empty.
        told_of_gpc: the notice said that Global Privacy Control is on.
        asked: what the purpose asked for; None where no policy was in force.
    """

    id: str
    person: str
    event: ReceiptEvent
    status: Status
    purpose: str
    time: datetime
    until: datetime | None = None
    visit_only: bool = False
    method: Method = "tap"
    language: Language | None = None
    notice: str = ""
    text: str = ""
    guardian: str = ""
    told_of_gpc: bool = False
    asked: Asked | None = None

    def __str__(self) -> str:
        return self.as_text(self.language or "en")

    def as_text(self, language: Language) -> str:
        """Return the receipt to read, in de, nl or en; the notice stays in its own language.

        Raises:
            ValueError: another language.
        """
        if language not in LANGUAGES:
            raise ValueError(f"got language {language!r}, wanted one of {', '.join(LANGUAGES)}")
        words = RECEIPT[language]
        lines = [
            words["title"],
            f"{words['purpose']}: {self.purpose}",
            f"{words['status']}: {describe_status(self.status, language)}",
            f"{words['time']}: {_shown(self.time)}",
        ]
        if self.until is not None:
            lines.append(f"{words['until']}: {_shown(self.until)}")
        if self.visit_only:
            lines.append(f"{words['until']}: {words['visit']}")
        lines.append(f"{words['method']}: {describe_method(self.method, language)}")
        if self.guardian:
            lines.append(f"{words['guardian']}: {self.guardian}")
        if self.asked is not None:
            parties = "; ".join(f"{c.name} ({c.contact})" for c in self.asked.controllers)
            lines += [
                f"{words['kept']}: {describe_kinds(self.asked.kinds, language)}",
                f"{words['retention']}: {words['days'].format(days=self.asked.retention_days)}",
                f"{words['controller']}: {parties}",
            ]
        lines += [f"{words['place']}: {words['device']}", words["leave"]]
        if self.text:
            lines += [f"{words['notice']} (SHA-256 {self.notice}):", self.text]
        lines.append(f"{words['id']}: {self.id}")
        return "\n".join(lines)

    def as_27560(self) -> dict[str, object]:
        """Return the record as JSON-LD after ISO/IEC TS 27560:2023, DPV profile.

        What is not known is left out: the standard's text itself is behind a paywall, so the fields
        are those of the DPV group's guide.
        """
        from shelfrank.consent.exchange import as_27560

        return as_27560(self)

    def as_kantara(self) -> dict[str, object]:
        """Return a Kantara Consent Receipt 1.1.0.

        That format has no refusal and no withdrawal: for those, `as_27560` says what happened, and
        this says a consent of type ``NOT GIVEN``.
        """
        from shelfrank.consent.exchange import as_kantara

        return as_kantara(self)


def receipt_to_json(receipt: Receipt) -> dict[str, object]:
    """Return the receipt as the journal keeps it; what is empty is left out."""
    asked = receipt.asked
    content: dict[str, object] = {
        "id": receipt.id,
        "person": receipt.person,
        "event": receipt.event,
        "status": receipt.status.value,
        "purpose": receipt.purpose,
        "time": int(receipt.time.timestamp()),
        "until": int(receipt.until.timestamp()) if receipt.until else 0,
        "visit_only": int(receipt.visit_only),
        "method": receipt.method,
        "language": receipt.language or "",
        "notice": receipt.notice,
        "text": receipt.text.split("\n") if receipt.text else [],
        "guardian": receipt.guardian,
        "told_of_gpc": int(receipt.told_of_gpc),
        "asked": {} if asked is None else _asked_to_json(asked),
    }
    return {name: value for name, value in content.items() if value not in ("", 0, [], {})}


def receipt_from_json(table: Table) -> Receipt:
    """Return the receipt that `receipt_to_json` wrote.

    Raises:
        PolicyError: it is none.
        ValueError: a time beyond the calendar.
    """
    until = table.integer("until", at_least=0, at_most=2**37, default=0)
    receipt = Receipt(
        id=table.text("id", max_chars=36),
        person=table.text("person", max_chars=36),
        event=table.choice("event", RECEIPT_EVENTS),
        status=Status(table.choice("status", [status.value for status in Status])),
        purpose=table.text("purpose", max_chars=64),
        time=_moment(table.integer("time", at_least=0, at_most=2**37)),
        until=_moment(until) if until else None,
        visit_only=table.integer("visit_only", at_least=0, at_most=1, default=0) == 1,
        method=table.choice("method", METHODS),
        language=table.choice("language", LANGUAGES) if table.has("language") else None,
        notice=table.text("notice", max_chars=64, default=""),
        text="\n".join(table.texts("text", max_count=64, max_chars=_MAX_TEXT)),
        guardian=table.text("guardian", max_chars=64, default=""),
        told_of_gpc=table.integer("told_of_gpc", at_least=0, at_most=1, default=0) == 1,
        asked=_asked_from_json(table.table("asked")) if table.has("asked") else None,
    )
    table.finish()
    return receipt


def _asked_to_json(asked: Asked) -> dict[str, object]:
    return {
        "area": asked.area,
        "use_case": asked.use_case,
        "surfaces": asked.surfaces,
        "contexts": asked.contexts,
        "kinds": asked.kinds,
        "fields": asked.fields,
        "granularity": asked.granularity,
        "retention_days": asked.retention_days,
        "policy": asked.policy,
        "presets": asked.presets,
        "terms": asked.terms,
        "data": asked.data,
        "controllers": [
            {
                name: value
                for name, value in (
                    ("name", party.name),
                    ("contact", party.contact),
                    ("address", party.address),
                    ("authority", party.authority),
                )
                if value
            }
            for party in asked.controllers
        ],
    }


def _asked_from_json(table: Table) -> Asked:
    def texts(key: str) -> tuple[str, ...]:
        return table.texts(key, max_count=64, max_chars=256)

    controllers = []
    for row in table.tables("controllers", at_least=1, at_most=16):
        controllers.append(
            Controller(
                name=row.text("name", max_chars=_MAX_TEXT),
                contact=row.text("contact", max_chars=_MAX_TEXT),
                address=row.text("address", max_chars=_MAX_TEXT, default=""),
                authority=row.text("authority", max_chars=_MAX_TEXT, default=""),
            )
        )
        row.finish()
    asked = Asked(
        area=table.choice("area", AREAS),
        use_case=table.text("use_case", max_chars=_MAX_TEXT),
        surfaces=table.choices("surfaces", SURFACES),
        contexts=texts("contexts"),
        kinds=table.choices("kinds", KINDS),
        fields=texts("fields"),
        granularity=table.choice("granularity", GRANULARITIES),
        retention_days=table.integer("retention_days", at_least=1, at_most=2**31),
        controllers=tuple(controllers),
        policy=table.text("policy", max_chars=_MAX_TEXT),
        presets=texts("presets"),
        terms=texts("terms"),
        data=texts("data"),
    )
    table.finish()
    return asked


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
