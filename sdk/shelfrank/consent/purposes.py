"""What a policy declares: purposes, their texts, who answers for them, what is too sensitive.

These are values. They are made by `shelfrank.consent.reading` or by
`shelfrank.consent.policy.stricter`, and what they cannot express cannot be asked of a shopper:
there is no field for a place, no surface for a push message and no origin but what the shopper said
or did here (invariant P6).
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shelfrank.types import Kind, Language

Area = Literal["sales", "marketing", "service", "measurement"]
AREAS: Final[tuple[Area, ...]] = get_args(Area)

Surface = Literal["products", "offers", "navigation", "text"]
SURFACES: Final[tuple[Surface, ...]] = get_args(Surface)

Granularity = Literal["minute", "hour", "day"]
GRANULARITIES: Final[tuple[Granularity, ...]] = get_args(Granularity)
"""How exactly a time is kept, from fine to coarse."""

FieldName = Literal["item", "kind", "time", "visit", "quantity", "brand", "category", "feedback"]
FIELD_NAMES: Final[tuple[FieldName, ...]] = get_args(FieldName)

STRUCTURAL_FIELDS: Final[tuple[FieldName, ...]] = ("item", "kind", "time", "visit")
"""No event can be stored without these, so a purpose that keeps events must own up to them."""

PREFERENCE_FIELDS: Final[tuple[FieldName, ...]] = ("brand", "category", "feedback")
"""What the shopper says outright: brands and categories they prefer, and what they think of an
item. Only ever declared: one that was worked out from events would be an inference, and none is
stored."""

DEFAULT_CONTEXT: Final = "shop"
"""The one context of a policy that names none."""

Origin = Literal["declared", "observed"]
ORIGINS: Final[tuple[Origin, ...]] = get_args(Origin)

Necessity = Literal["optional", "required"]
NECESSITIES: Final[tuple[Necessity, ...]] = get_args(Necessity)

BenefitType = Literal["relevance", "convenience", "savings", "service"]
BENEFIT_TYPES: Final[tuple[BenefitType, ...]] = get_args(BenefitType)

SensitiveMode = Literal["exclude", "no-categories"]
SENSITIVE_MODES: Final[tuple[SensitiveMode, ...]] = get_args(SensitiveMode)

# Colorado (since October 2025) and Connecticut (since July 2026) protect everyone under 18; a
# policy that says nothing is as strict as they are.
DEFAULT_MINIMUM_AGE: Final = 18

# Where nobody knows how old a shopper is, ranking on their own device may be asked for; what serves
# the shop rather than the shopper may not.
ADULTS_ONLY: Final[tuple[Area, ...]] = ("marketing", "measurement")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Controller:
    """Who answers for the data, as the notice names them.

    Attributes:
        name: the firm.
        contact: where a shopper can turn.
        address: postal address, or empty.
        authority: the supervisory authority in charge, or empty.
    """

    name: str
    contact: str
    address: str = ""
    authority: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitive:
    """Which categories never enter a history or an aggregate (invariant P5).

    Attributes:
        mode: ``exclude``: the catalog has categories and those listed are kept out;
            ``no-categories``: the catalog has none, so nothing can be filtered.
        categories: paths in normal form (`normal_category`), sorted, each once.
    """

    mode: SensitiveMode
    categories: tuple[str, ...] = ()

    def covers(self, category: str | None) -> bool:
        """Whether an item of `category` must be kept out.

        A listed path covers itself and everything below it, in any case and spacing. Fails closed:
        without a category an item cannot be shown not to be sensitive, and a category that turns up
        under ``no-categories`` was never judged. A path *shorter* than every listed one is not
        covered: list the department itself where its items may be sensitive.

        Args:
            category: the path of the catalog, segments separated by ``/``; None or empty when
                unknown.
        """
        path = normal_category(category or "")
        if self.mode == "no-categories":
            return path != ""
        return path == "" or any(
            path == listed or path.startswith(listed + "/") for listed in self.categories
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """From which age a shopper decides alone.

    Attributes:
        minimum: years; below it a guardian must agree.
        unknown_is_minor: areas where a shopper of unknown age counts as below `minimum`; at least
            `ADULTS_ONLY`, in the order of `AREAS`.
    """

    minimum: int = DEFAULT_MINIMUM_AGE
    unknown_is_minor: tuple[Area, ...] = ADULTS_ONLY

    def needs_guardian(self, area: Area, *, age: int | None, law: int = 0) -> bool:
        """Whether a purpose of `area` needs a guardian's yes.

        Args:
            area: of the purpose.
            age: in full years; None where nobody knows.
            law: the age that the law preset in force asks for (`Preset.minor_age`); the higher
                holds.
        """
        if age is None:
            return area in self.unknown_is_minor
        return age < max(self.minimum, law)


DEFAULT_AGES: Final = Ages()
"""What holds where a policy says nothing about ages."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Review:
    """Who last read a policy with the shoppers' interest in mind, and when.

    Attributes:
        by: a person or an office.
        on: the day.
    """

    by: str
    on: date


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Field:
    """One thing a purpose keeps about an event.

    Attributes:
        name: what is kept.
        origin: ``declared`` by the shopper or ``observed`` on this device; nothing else exists.
            `PREFERENCE_FIELDS` are always declared.
        necessity: whether the purpose works without it.
    """

    name: FieldName
    origin: Origin
    necessity: Necessity


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Text:
    """What a shopper reads first, in one language; together at most 280 characters.

    ``{retention_days}`` and ``{validity_days}`` stand for the numbers that are enforced.

    Attributes:
        title: a few words.
        short: what is done and what is kept.
        benefit: what the shopper gains.
        without: what stays the same without it.
    """

    title: str
    short: str
    benefit: str
    without: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """One reason to keep something, which a shopper can allow or not.

    Attributes:
        id: stable name, used in code and records.
        area: functional area.
        use_case: what it is for, in a few words.
        surfaces: where the result may be seen.
        kinds: the kinds of events it may keep, in the order of `shelfrank.types.KINDS`.
        fields: what it keeps of each event, sorted by name.
        granularity: how exactly times are kept.
        retention_days: events older than this are not used and are erased.
        validity_days: a grant ends after this and must be asked anew.
        reask_days: after a refusal, the app is not told to ask again before this.
        benefit_type: what sort of gain the shopper is promised.
        texts: what is shown, per language.
        contexts: areas and channels of the shop whose events it may read, such as ``shop`` or
            ``kiosk``; sorted, each once.
        max_events: how many events are kept at most, the newest; None without such a bound.
        retention_reason: why it takes so long; empty where nobody said.
        dpv: the purpose's term in the Data Privacy Vocabulary as the policy declares it, or empty;
            `shelfrank.consent.vocabulary.purpose_terms` derives it then.
        fideslang: the same in Fides' taxonomy.
    """

    id: str
    area: Area
    use_case: str
    surfaces: tuple[Surface, ...]
    kinds: tuple[Kind, ...]
    fields: tuple[Field, ...]
    granularity: Granularity
    retention_days: int
    validity_days: int
    reask_days: int
    benefit_type: BenefitType
    texts: Mapping[Language, Text] = field(hash=False)
    contexts: tuple[str, ...] = (DEFAULT_CONTEXT,)
    max_events: int | None = None
    retention_reason: str = ""
    dpv: str = ""
    fideslang: str = ""

    def coarsen(self, time: datetime) -> datetime:
        """Return `time` as exactly as may be kept: the start of its minute, hour or day, in UTC.

        Raises:
            ValueError: `time` is naive.
        """
        floor = in_utc(time).replace(second=0, microsecond=0)
        if self.granularity == "minute":
            return floor
        floor = floor.replace(minute=0)
        return floor if self.granularity == "hour" else floor.replace(hour=0)

    def keeps(self, time: datetime, *, now: datetime) -> bool:
        """Whether an event of `time` is still within the retention at `now`.

        Args:
            time: aware; as stored, so already coarse.
            now: aware; the device's distrustful clock (`Consent.effective_now`), not the wall
                clock.
        """
        return in_utc(now) - in_utc(time) < timedelta(days=self.retention_days)

    def has_field(self, name: FieldName) -> bool:
        """Whether the purpose keeps `name` of an event."""
        return any(kept.name == name for kept in self.fields)

    def reads(self, context: str) -> bool:
        """Whether an event of `context` may be used; data stay in the context they came from."""
        return context in self.contexts

    def material_hash(self) -> str:
        """Return the SHA-256 (hex) over everything but the words: what a shopper agrees to."""
        material = {
            "id": self.id,
            "area": self.area,
            "use_case": self.use_case,
            "surfaces": self.surfaces,
            "kinds": self.kinds,
            "fields": [(kept.name, kept.origin, kept.necessity) for kept in self.fields],
            "granularity": self.granularity,
            "retention_days": self.retention_days,
            "contexts": self.contexts,
            "max_events": self.max_events,
        }
        return hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()


def normal_category(path: str) -> str:
    """Return `path` as it is compared: Unicode NFKC, case folded, single spaces, no empty segments.

    >>> normal_category(" Drug GM / CHRISTMAS  SEASONAL/")
    'drug gm/christmas seasonal'
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())
    segments = (" ".join(segment.split()) for segment in folded.split("/"))
    return "/".join(segment for segment in segments if segment)


def in_utc(time: datetime) -> datetime:
    """Return `time` in UTC.

    Raises:
        ValueError: it is naive, so it is not known which moment is meant.
    """
    if time.tzinfo is None:
        raise ValueError("got a time without a time zone, wanted an aware one")
    return time.astimezone(UTC)
