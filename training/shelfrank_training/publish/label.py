"""Write the privacy label from what was done; nobody types one (bundle-format.md, section 8).

What is not known is not stated: on which legal basis events were collected, whether minors are
among the shoppers, how good the ranking is before it was measured.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from shelfrank.bundle import strict
from shelfrank.bundle.label import LABEL_VERSIONS
from shelfrank.bundle.label_truth import LEVELS, warnings_of
from shelfrank.bundle.label_words import WARNINGS
from shelfrank.types import LANGUAGES, RANK_PURPOSE
from shelfrank_training.errors import PublishError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shelfrank.bundle.label import LabelledBundle, LabelledModel
    from shelfrank.consent.policy import Policy
    from shelfrank.types import Language
    from shelfrank_training.aggregates.info import AggregatesInfo, TableInfo

INTENDED_USE: Final = ("rank products of this shop on the shopper's own device",)

OUT_OF_SCOPE: Final = (
    "prices that differ by shopper",
    "credit, eligibility or employment",
    "advertising for others",
    "identifying people",
    "conclusions about children, health, faith or politics",
)

NEVER_HELD: Final = (
    "shopper id",
    "name",
    "e-mail address",
    "postal address",
    "location",
    "device id",
    "age",
    "income",
)
"""No table of aggregates and no input of the graph has room for any of these."""

# What each input of the graph is made of on a device, and what it is when there is nothing to say.
_INPUTS: Final[Mapping[str, tuple[str, str]]] = {
    "event_item": ("history: item", "no event"),
    "event_kind": ("history: kind", "no event"),
    "event_age_days": ("history: time", "no event"),
    "event_visit": ("history: visit", "no event"),
    "event_rank": ("history: order", "no event"),
    "event_quantity": ("history: quantity", "no event"),
    "candidate": ("the app: items to rank", "the whole catalog"),
    "situation": ("history: whether a visit goes on", "0, no history"),
    "daypart": ("not read", "-1, unknown"),
}

# The same where popularity was learned by the time of day. A clock says nothing about a shopper, so
# no purpose stands behind it.
_DAYPART: Final = ("the device's clock: night, morning, afternoon or evening", "-1, unknown")

_BY_DAYPART: Final[Mapping[Language, str]] = {
    "de": "was in letzter Zeit zu dieser Tageszeit bei vielen beliebt ist",
    "nl": "wat de laatste tijd op dit moment van de dag bij velen geliefd is",
    "en": "what many shoppers took lately at this time of the day",
}

_PARAMETERS: Final[Mapping[str, Mapping[Language, str]]] = {
    "popularity": {
        "de": "was in letzter Zeit bei vielen beliebt ist",
        "nl": "wat de laatste tijd bij velen geliefd is",
        "en": "what many shoppers took lately",
    },
    "next": {
        "de": "was meist auf das folgt, was Sie sich gerade ansahen",
        "nl": "wat meestal volgt op wat je net bekeek",
        "en": "what usually follows what you just looked at",
    },
    "affinity": {
        "de": "was zu dem passt, was Sie mögen",
        "nl": "wat past bij wat je leuk vindt",
        "en": "what goes with what you like",
    },
    "category": {
        "de": "Warengruppen, die zu Ihren passen",
        "nl": "productgroepen die bij de jouwe passen",
        "en": "parts of the shop that go with yours",
    },
    "repeat": {
        "de": "was Sie immer wieder kaufen",
        "nl": "wat je steeds weer koopt",
        "en": "what you buy again and again",
    },
}

# Noise is drawn and added in whole thousandths of a shopper, so that no property of floating-point
# numbers can give data away.
_FLOATING_POINT_SAFE: Final[Mapping[str, bool]] = {"gaussian_threshold": True}

_COVERS: Final = (
    "all tables below",
    "the number of shoppers",
    "model.onnx",
    "golden.json",
    "which items are in catalog.bin",
)
_NOT_COVERED: Final = (
    "what the shop's catalog says about its items",
    "settings that people chose, such as min_shoppers and the time range",
)


def make_label(
    info: AggregatesInfo,
    *,
    model: LabelledModel | None = None,
    policy: Policy | None = None,
    bundle: LabelledBundle | None = None,
) -> dict[str, object]:
    """Return a label as JSON values.

    Args:
        info: how the aggregates came about.
        model: the graph that was fitted on them; None before there is one.
        policy: the one that travels with the model; who answers is taken from it.
        bundle: the bundle it will lie in; None before there is one.

    Raises:
        PublishError: the model has a part or input, or the release a mechanism, that a label has no
            true words for.
    """
    return {
        "label_version": LABEL_VERSIONS[-1],
        "bundle": None if bundle is None else _bundle(bundle),
        "model": None if model is None else _model(model, info),
        "controller": None if policy is None else _controller(policy),
        "policy": None
        if info.policy is None
        else {"id": info.policy[0], "version": info.policy[1]},
        "intended_use": list(INTENDED_USE),
        "out_of_scope": list(OUT_OF_SCOPE),
        "sources": [_source(info)],
        "excluded": _excluded(info),
        "aggregates": [_table(name, info, table) for name, table in info.tables.items()],
        "contribution_bounds": _bounds(info),
        "privacy": _privacy(info),
        "warnings": _warnings(info),
        "limitations": list(_limitations(info)),
        "main_parameters": {} if model is None else _parameters(model, info),
        "runtime": {
            "network": "none",
            "telemetry": "that of onnxruntime is switched off before its import, or nothing runs",
            "writes": ["the device's own folder, once the shopper has chosen"],
        },
    }


def label_bytes(label: Mapping[str, object]) -> bytes:
    """Return ``label.json``; the same label gives the same bytes."""
    text = json.dumps(label, indent=1, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def _bundle(bundle: LabelledBundle) -> dict[str, object]:
    return {
        "name": bundle.name,
        "version": bundle.version,
        "created": strict.format_time(bundle.created),
        "valid_until": strict.format_time(bundle.valid_until),
    }


def _model(model: LabelledModel, info: AggregatesInfo) -> dict[str, object]:
    return {
        "sha256": model.sha256,
        "parts": list(model.parts),
        "inputs_on_device": [_input(name, info) for name in model.inputs],
    }


def _input(name: str, info: AggregatesInfo) -> dict[str, object]:
    if name not in _INPUTS:
        raise PublishError(f"label has no words for the graph's input {name}")
    source, neutral = _INPUTS[name]
    if name == "daypart" and _reads_dayparts(info):
        source, neutral = _DAYPART
    purpose = RANK_PURPOSE if source.startswith("history") else None
    return {"input": name, "from": source, "purpose": purpose, "neutral": neutral}


def _reads_dayparts(info: AggregatesInfo) -> bool:
    """Say whether a model of these numbers asks for the time of day: if it could learn it."""
    dayparts = info.tables.get("dayparts")
    return dayparts is not None and dayparts.rows > 0


def _controller(policy: Policy) -> dict[str, object]:
    stated = asdict(policy.controller)
    return {name: value for name, value in stated.items() if value}


def _source(info: AggregatesInfo) -> dict[str, object]:
    return {
        "events": info.events_file,
        "catalog": info.catalog_file,
        "from": None if info.time_from is None else strict.format_time(info.time_from),
        "to": strict.format_time(info.time_to),
        "shoppers": info.shoppers,
        "shoppers_exact": info.epsilon is None,
    }


def _excluded(info: AggregatesInfo) -> dict[str, object]:
    return {
        "has_categories": info.has_categories,
        "categories": list(info.excluded_categories),
        "items": info.sensitive_items,
        # A count of events is a fact about shoppers: with epsilon it would have to be paid for.
        "events": info.sensitive_events if info.epsilon is None else None,
        "fields": list(NEVER_HELD),
    }


def _table(name: str, info: AggregatesInfo, table: TableInfo) -> dict[str, object]:
    return {
        "table": name,
        "unit": "distinct shoppers",
        "min_shoppers": info.min_shoppers,
        "rows": table.rows,
        "suppressed_share": table.suppressed_share,
        "rows_per_shopper": table.max_rows_per_shopper,
        "noise": [asdict(noise) for noise in table.noise],
    }


def _bounds(info: AggregatesInfo) -> dict[str, object]:
    """Return what one shopper contributes at most.

    With epsilon a shopper of many items counts in part, in more of them: what bounds each table is
    `l0`, `l2` and `linf` of its noise.
    """
    if info.epsilon is not None:
        items = info.tables.get("items")
        widest = info.max_items if items is None else items.max_rows_per_shopper
        return {"items": max(widest, info.max_items), "count_per_row": 1}
    return {
        "items": info.max_items,
        "visits": info.max_visits,
        "steps_apart": info.max_distance,
        "count_per_row": 1,
    }


def _privacy(info: AggregatesInfo) -> dict[str, object]:
    open_numbers = info.unprotected and info.epsilon is None
    stated: dict[str, object] = {
        "model": "none" if open_numbers else "central",
        "trusted_party": "whoever aggregates the events",
        "unit": "shopper",
        "min_shoppers": info.min_shoppers,
        "unprotected": info.unprotected,
        "mechanism": info.mechanism,
        "differential_privacy": info.epsilon is not None,
        "epsilon": info.epsilon,
        "delta": info.delta,
        "ledger": None,
    }
    if info.epsilon is None:
        return stated | {"statement": WARNINGS["no_differential_privacy"]["en"]}
    if info.mechanism not in _FLOATING_POINT_SAFE:
        raise PublishError(f"label has no words for the mechanism {info.mechanism}")
    accountant, _, implementation = (info.accountant or "").partition(", ")
    return stated | {
        "ledger": None if info.ledger is None else asdict(info.ledger),
        "adjacency": "add_or_remove_one",
        "accountant": accountant,
        "implementation": implementation,
        "floating_point_safe": _FLOATING_POINT_SAFE[info.mechanism],
        "sampling_amplification": False,
        "covers": list(_COVERS),
        "not_covered": list(_NOT_COVERED),
    }


def _warnings(info: AggregatesInfo) -> list[dict[str, object]]:
    codes = warnings_of(
        min_shoppers=info.min_shoppers,
        unprotected=info.unprotected,
        epsilon=info.epsilon,
        has_categories=info.has_categories,
        has_policy=info.policy is not None,
    )
    return [{"level": LEVELS[code], "code": code, "text": WARNINGS[code]["en"]} for code in codes]


def _limitations(info: AggregatesInfo) -> Iterator[str]:
    place = "by its category" if info.has_categories else "as any new item"
    yield f"an item that too few shoppers took has no number of its own and is ranked {place}"
    pairs = info.tables.get("pairs")
    if pairs is not None and pairs.suppressed_share:
        yield (
            f"{pairs.suppressed_share:.0%} of the pairs of items were too rare to keep: "
            "rare tastes are served less well"
        )
    empty = [name for name, table in info.tables.items() if not table.rows]
    if empty:
        yield f"nothing could be learned from {', '.join(empty)}: no row was published"
    if info.epsilon is None:
        yield "the difference between two numbers, or two bundles, can point at few shoppers"
    elif info.ledger is None:
        yield "no ledger was kept: what several bundles tell together is not bounded here"
    yield "on which legal basis the events were collected is not known here"


_LEARNED_FROM: Final = {
    "popularity": "items",
    "next": "next",
    "affinity": "pairs",
    "category": "categories",
}
"""The table without which a part adds nothing; one that is not here needs the history alone."""


def _parameters(model: LabelledModel, info: AggregatesInfo) -> dict[Language, list[str]]:
    """Return what ranks: parts that could learn something."""
    unknown = [part for part in model.parts if part not in _PARAMETERS]
    if unknown:
        raise PublishError(f"label has no words for the part {', '.join(unknown)}")
    empty = {name for name, table in info.tables.items() if table.rows == 0}
    live = [part for part in model.parts if _LEARNED_FROM.get(part) not in empty]
    words = dict(_PARAMETERS)
    if _reads_dayparts(info):
        words["popularity"] = _BY_DAYPART
    return {language: [words[part][language] for part in live] for language in LANGUAGES}
