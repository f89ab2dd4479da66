"""The policy: what may be kept about a shopper, for which purposes, in which words.

    policy = Policy.parse(Path("policy.toml").read_bytes())

A policy comes with the bundle, from the app, or both; with both, the stricter holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from shelfrank.consent.purposes import (
    AREAS,
    DEFAULT_AGES,
    DEFAULT_CONTEXT,
    FIELD_NAMES,
    GRANULARITIES,
    STRUCTURAL_FIELDS,
    SURFACES,
    Ages,
    Controller,
    Field,
    Purpose,
    Review,
    Sensitive,
    Text,
)
from shelfrank.errors import UnknownPurposeError
from shelfrank.types import KINDS, LANGUAGES, Language

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

__all__ = [
    "Ages",
    "Controller",
    "Field",
    "Policy",
    "Purpose",
    "Review",
    "Sensitive",
    "Text",
    "stricter",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy, parsed once; the same value makes the notice, the enforcement and the tests.

    Attributes:
        id: name of the policy; of a combined one, the names joined by ``+``.
        version: grows with every change; of a combined one, the higher.
        languages: languages every purpose has texts in.
        controllers: who answers for the data; more than one only in a combined policy.
        sensitive: what never enters.
        purposes: sorted by id.
        min_shoppers: what the label of a bundle must reach, in shoppers per published statistic.
        max_epsilon: what the label of a bundle may state at most; None without a wish. With one, a
            bundle without epsilon is refused: no promise is not a small one.
        must_exclude: categories that the label of a bundle must name as left out, each itself or by
            a path above it; in normal form, sorted, each once.
        contexts: the areas and channels there are; an event of any other is not recorded. Sorted.
        ages: from which age a shopper decides alone.
        presets: ids of the law presets the shop works under, sorted; none means that the region is
            not known, and then the strictest of all holds.
        reviews: who read it last, and when; sorted, more than one only in a combined policy.
    """

    id: str
    version: int
    languages: tuple[Language, ...]
    controllers: tuple[Controller, ...]
    sensitive: Sensitive
    purposes: tuple[Purpose, ...]
    min_shoppers: int
    max_epsilon: float | None = None
    must_exclude: tuple[str, ...] = ()
    contexts: tuple[str, ...] = (DEFAULT_CONTEXT,)
    ages: Ages = DEFAULT_AGES
    presets: tuple[str, ...] = ()
    reviews: tuple[Review, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Policy:
        """Parse a ``policy.toml``.

        Args:
            data: UTF-8 TOML as in ``sdk/docs/privacy.md``.

        Raises:
            PolicyError: anything missing, unknown, of the wrong type, contradictory, or about a
                location, a push message or data from elsewhere. Nothing else is ever raised.
        """
        from shelfrank.consent.reading import (
            parse_policy,
        )  # it makes Policies, so it imports this module

        return parse_policy(data)

    @property
    def controller(self) -> Controller:
        """The first of `controllers`; the only one unless the policy is combined."""
        return self.controllers[0]

    def purpose(self, purpose_id: str) -> Purpose:
        """Return the purpose of that id.

        Raises:
            UnknownPurposeError: the policy declares none.
        """
        for purpose in self.purposes:
            if purpose.id == purpose_id:
                return purpose
        declared = ", ".join(purpose.id for purpose in self.purposes) or "none"
        raise UnknownPurposeError(
            f"got purpose {purpose_id!r}, wanted one the policy declares: {declared}"
        )


def stricter(first: Policy, second: Policy) -> Policy:
    """Combine two policies so that whatever either forbids is forbidden.

    Purposes must be in both, with the same area and use case; kinds, surfaces, fields, contexts and
    languages are those in both; of retention, validity, granularity and the number of events the
    stricter holds, of the wait before asking again the longer, of `min_shoppers` and the age the
    higher, of `max_epsilon` the lower; sensitive categories, `must_exclude` and law presets are
    united, and if either names no preset, none is named: then the strictest holds. A purpose left
    without kinds, surfaces, contexts or a field no event can do without is gone. The result may
    have no purposes.

    The order never matters: the operation is commutative, associative and idempotent.
    """
    languages = _in_both(LANGUAGES, first.languages, second.languages)
    combined = (
        _stricter_purpose(one, other, languages)
        for one in first.purposes
        for other in second.purposes
        if one.id == other.id
    )
    return Policy(
        id="+".join(sorted({*first.id.split("+"), *second.id.split("+")})),
        version=max(first.version, second.version),
        languages=languages,
        controllers=tuple(sorted({*first.controllers, *second.controllers})),
        sensitive=_stricter_sensitive(first.sensitive, second.sensitive),
        purposes=tuple(purpose for purpose in combined if purpose is not None),
        min_shoppers=max(first.min_shoppers, second.min_shoppers),
        max_epsilon=min(
            (one for one in (first.max_epsilon, second.max_epsilon) if one is not None),
            default=None,
        ),
        must_exclude=tuple(sorted({*first.must_exclude, *second.must_exclude})),
        contexts=_in_both(first.contexts, first.contexts, second.contexts),
        ages=_stricter_ages(first.ages, second.ages),
        presets=_stricter_presets(first.presets, second.presets),
        reviews=tuple(sorted({*first.reviews, *second.reviews})),
    )


def _stricter_purpose(
    one: Purpose, other: Purpose, languages: tuple[Language, ...]
) -> Purpose | None:
    """Combine two purposes of one id; None if they are not the same thing or nothing is left."""
    kinds = _in_both(KINDS, one.kinds, other.kinds)
    surfaces = _in_both(SURFACES, one.surfaces, other.surfaces)
    contexts = _in_both(one.contexts, one.contexts, other.contexts)
    fields = _stricter_fields(one.fields, other.fields)
    kept = {field.name for field in fields}
    same = (one.area, one.use_case) == (other.area, other.use_case)
    left = same and kinds and surfaces and contexts and languages
    if not (left and kept.issuperset(STRUCTURAL_FIELDS)):
        return None
    return Purpose(
        id=one.id,
        area=one.area,
        use_case=one.use_case,
        surfaces=surfaces,
        kinds=kinds,
        fields=fields,
        granularity=max(one.granularity, other.granularity, key=GRANULARITIES.index),
        retention_days=min(one.retention_days, other.retention_days),
        validity_days=min(one.validity_days, other.validity_days),
        reask_days=max(one.reask_days, other.reask_days),
        benefit_type=min(one.benefit_type, other.benefit_type),
        texts={language: _text_in_force(one, other, language) for language in languages},
        contexts=contexts,
        max_events=min(
            (most for most in (one.max_events, other.max_events) if most is not None), default=None
        ),
        retention_reason=min(
            (purpose.retention_days, purpose.retention_reason) for purpose in (one, other)
        )[1],
        # What the one declares is more than what could be derived for the other.
        dpv=max(one.dpv, other.dpv),
        fideslang=max(one.fideslang, other.fideslang),
    )


def _text_in_force(one: Purpose, other: Purpose, language: Language) -> Text:
    """Return the text of the shorter retention: a number it spells out is the enforced one."""
    return min(
        (one, other), key=lambda purpose: (purpose.retention_days, purpose.texts[language])
    ).texts[language]


def _stricter_fields(one: tuple[Field, ...], other: tuple[Field, ...]) -> tuple[Field, ...]:
    """Return the fields in both; what either lets the shopper switch off can be switched off."""
    pairs = ((a, b) for a in one for b in other if (a.name, a.origin) == (b.name, b.origin))
    strict = [min(pair, key=lambda field: field.necessity == "required") for pair in pairs]
    return tuple(sorted(strict, key=lambda field: FIELD_NAMES.index(field.name)))


def _stricter_sensitive(one: Sensitive, other: Sensitive) -> Sensitive:
    exclude = "exclude" in {one.mode, other.mode}
    return Sensitive(
        mode="exclude" if exclude else "no-categories",
        categories=tuple(sorted({*one.categories, *other.categories})),
    )


def _stricter_ages(one: Ages, other: Ages) -> Ages:
    return Ages(
        minimum=max(one.minimum, other.minimum),
        unknown_is_minor=tuple(
            area for area in AREAS if area in {*one.unknown_is_minor, *other.unknown_is_minor}
        ),
    )


def _stricter_presets(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Unite the laws; where one side does not know the region, nobody does."""
    return tuple(sorted({*one, *other})) if one and other else ()


def _in_both(order: Iterable[T], one: tuple[T, ...], other: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(value for value in order if value in one and value in other)
