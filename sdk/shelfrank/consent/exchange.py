"""Receipts in formats that other tools read. Pure; static contexts, no JSON-LD library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shelfrank.consent.vocabulary import NAMESPACES, ORIGINS, PLACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from shelfrank.consent.purposes import Controller
    from shelfrank.consent.receipts import Asked, Receipt, ReceiptEvent
    from shelfrank.types import Kind

_CONTEXT: Final = {
    **NAMESPACES,
    "dct": "http://purl.org/dc/terms/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}

_KANTARA_DATA: Final[Mapping[Kind, str]] = {
    "view": "Internet",
    "cart": "Preferences",
    "purchase": "Purchasing habits",
    "like": "Preferences",
    "dislike": "Preferences",
}

_EVENTS: Final[Mapping[ReceiptEvent, str]] = {
    "granted": "dpv:ConsentGiven",
    "refused": "dpv:ConsentRefused",
    "withdrawn": "dpv:ConsentWithdrawn",
    "paused": "dpv:RightsExercise",
    "resumed": "dpv:RightsExercise",
}


def as_27560(receipt: Receipt) -> dict[str, object]:
    """Return a consent record after ISO/IEC TS 27560:2023 in the DPV's profile, as JSON-LD."""
    event: dict[str, object] = {
        "@type": _EVENTS[receipt.event],
        "dct:date": _time(receipt.time),
        "dpv:hasEntity": f"urn:uuid:{receipt.person}",
        "dpv:hasConsentStatus": receipt.status.dpv,
        "dpv:isIndicatedBy": "dpv:Guardian" if receipt.guardian else "dpv:DataSubject",
        "dpv:hasIndicationMethod": receipt.method,
    }
    if receipt.guardian:
        event["dct:references"] = receipt.guardian
    if receipt.until is not None:
        event["dpv:hasDuration"] = {
            "@type": "dpv:UntilTimeDuration",
            "@value": _time(receipt.until),
        }
    if receipt.visit_only:
        event["dpv:hasDuration"] = {"@type": "dpv:UntilEventDuration", "@value": "end of visit"}
    process: dict[str, object] = {
        "@type": "dpv:Process",
        "dct:identifier": receipt.purpose,
        "dpv:hasLegalBasis": "dpv:Consent",
        "dpv:hasLocation": PLACE,
        "dpv:hasRecipient": [],
        "dpv:hasWithdrawalMethod": "same screen, one tap",
    }
    if receipt.notice:
        process["dpv:hasNotice"] = {
            "@type": "dpv:ConsentNotice",
            "dct:language": receipt.language,
            "dpv:hasHash": {"@type": "SHA-256", "@value": receipt.notice},
            "dct:description": receipt.text,
        }
    if receipt.asked is not None:
        process |= _processing(receipt.asked)
    return {
        "@context": _CONTEXT,
        "@id": f"urn:uuid:{receipt.id}",
        "@type": ["dpv:ConsentRecord", "dpv:ConsentReceipt"],
        "dct:identifier": receipt.id,
        "dct:conformsTo": "https://w3id.org/dpv/guides/consent-27560#receipt-record",
        "dct:hasVersion": "ISO/IEC TS 27560:2023",
        "dpv:hasDataSubject": f"urn:uuid:{receipt.person}",
        "dpv:hasProcess": [process],
        "dpv:hasConsentEvent": [event],
    }


def as_kantara(receipt: Receipt) -> dict[str, object]:
    """Return a Kantara Consent Receipt 1.1.0 (schema of 2018)."""
    asked = receipt.asked
    given = receipt.status.permits
    purpose: dict[str, object] = {
        "purpose": receipt.purpose if asked is None else asked.use_case,
        "purposeCategory": ["5 - Personalize Experience"],
        "consentType": "EXPLICIT" if given else "NOT GIVEN",
        "piiCategory": [] if asked is None else _distinct(_KANTARA_DATA[k] for k in asked.kinds),
        "primaryPurpose": False,
        "termination": _termination(receipt),
        "thirdPartyDisclosure": False,
    }
    return {
        "version": "KI-CR-v1.1.0",
        "jurisdiction": "" if asked is None else " ".join(asked.presets),
        "consentTimestamp": int(receipt.time.timestamp()),
        "collectionMethod": receipt.method,
        "consentReceiptID": receipt.id,
        "language": receipt.language or "",
        "piiPrincipalId": receipt.person,
        "piiControllers": [] if asked is None else [_kantara_party(c) for c in asked.controllers],
        "policyUrl": "" if asked is None else f"urn:shelfrank:policy:{asked.policy}",
        "services": [{"service": receipt.purpose, "purposes": [purpose]}],
        "sensitive": False,
        "spiCat": [],
    }


def _processing(asked: Asked) -> dict[str, object]:
    return {
        "dpv:hasPurpose": list(asked.terms),
        "dct:description": asked.use_case,
        "dpv:hasPersonalData": list(asked.data),
        "dpv:hasDataSource": _distinct(
            term
            for origin, term in ORIGINS.items()
            for field in asked.fields
            if field.endswith(f":{origin}")
        ),
        "dpv:hasData": list(asked.fields),
        "dpv:hasStorageCondition": {
            "@type": "dpv:StorageCondition",
            "dpv:hasLocation": PLACE,
            "dpv:hasDuration": f"P{asked.retention_days}D",
            "dct:description": f"times are kept to the {asked.granularity}",
        },
        "dpv:hasDataController": [_party(controller) for controller in asked.controllers],
        "dpv:hasPolicy": asked.policy,
        "dpv:hasJurisdiction": list(asked.presets),
    }


def _party(controller: Controller) -> dict[str, object]:
    party: dict[str, object] = {
        "@type": "dpv:DataController",
        "dpv:hasName": controller.name,
        "dpv:hasContact": controller.contact,
    }
    if controller.address:
        party["dpv:hasAddress"] = controller.address
    if controller.authority:
        party["dpv:hasAuthority"] = controller.authority
    return party


def _kantara_party(controller: Controller) -> dict[str, object]:
    return {
        "piiController": controller.name,
        "contact": controller.contact,
        "address": {"streetAddress": controller.address},
        "email": controller.contact,
        "phone": "",
    }


def _termination(receipt: Receipt) -> str:
    if receipt.visit_only:
        return "end of visit"
    return _time(receipt.until) if receipt.until is not None else _time(receipt.time)


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%MZ")
