"""From the bytes of a ``policy.toml`` to a `Policy`, or a `PolicyError` that names the place."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from shelfrank.consent.policy import Policy
from shelfrank.consent.purposes import (
    ADULTS_ONLY,
    AREAS,
    BENEFIT_TYPES,
    DEFAULT_AGES,
    DEFAULT_CONTEXT,
    DEFAULT_MINIMUM_AGE,
    FIELD_NAMES,
    GRANULARITIES,
    NECESSITIES,
    ORIGINS,
    PREFERENCE_FIELDS,
    SENSITIVE_MODES,
    STRUCTURAL_FIELDS,
    SURFACES,
    Ages,
    Controller,
    Field,
    Purpose,
    Review,
    Sensitive,
    Text,
    normal_category,
)
from shelfrank.consent.strict import Table, read_toml
from shelfrank.consent.words import MAX_FIRST_LAYER_CHARS, faults, fill, length
from shelfrank.errors import PolicyError
from shelfrank.types import KINDS, LANGUAGES, Language

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A statistic over fewer shoppers is about people, not about products; below this only research data
# may be used, and no policy can ask a device to take it.
MIN_SHOPPERS_FLOOR: Final = 10
DEFAULT_MIN_SHOPPERS: Final = 50

# More would be one screen of questions after the other; the record of choices has room for these.
MAX_PURPOSES: Final = 16

# What no label states: it only tells a slip, such as a percentage, from a number that is meant.
MAX_EPSILON: Final = 1000.0

# Paths cover everything below them, so a thousand are far more than a department store needs; the
# record of choices has room for these.
MAX_SENSITIVE: Final = 1000

# Areas and channels of one shop. What a shopper agrees to names them, and the record of choices has
# room for eight short names per purpose.
MAX_CONTEXTS: Final = 8
MAX_CONTEXT_CHARS: Final = 24

# Laws that can hold at one place at a time are few; the bound is for hostile files.
MAX_PRESETS: Final = 32

# A kiosk's history of many years stays far below it; it only tells a slip from a number meant.
MAX_EVENTS: Final = 1_000_000

# No law we know lets someone younger decide alone, and none protects adults from themselves.
MINIMUM_AGES: Final = (13, 21)

_DPV: Final = re.compile(r"dpv:[A-Z][A-Za-z]{1,63}")
_FIDESLANG: Final = re.compile(r"[a-z][a-z_]{0,31}(?:\.[a-z][a-z_]{0,31}){0,7}")

# What is missing from the lists is missing on purpose (invariant P6); the hint says so.
_NO_OTHER_FIELD: Final = "there is no field for a location, for money, health or family"
_NO_OTHER_ORIGIN: Final = "what was inferred or comes from a third party is never stored"
_NO_OTHER_SURFACE: Final = "there is no push message, mail or other surface outside the shop's app"


def parse_policy(data: bytes) -> Policy:
    """Parse `data`; see `Policy.parse`."""
    root = read_toml(data)
    head = root.table("policy")
    languages = head.choices("languages", LANGUAGES)
    contexts = _declared_contexts(head)
    policy = Policy(
        id=head.identifier("id"),
        version=head.integer("version", at_least=1, at_most=2**31 - 1),
        languages=languages,
        controllers=(_controller(head.table("controller")),),
        sensitive=_sensitive(root.table("sensitive")),
        purposes=_purposes(root.tables("purpose", at_most=MAX_PURPOSES), languages, contexts),
        min_shoppers=head.integer(
            "min_shoppers",
            at_least=MIN_SHOPPERS_FLOOR,
            at_most=1_000_000,
            default=DEFAULT_MIN_SHOPPERS,
        ),
        max_epsilon=head.positive("max_epsilon", at_most=MAX_EPSILON),
        must_exclude=_categories(head, "must_exclude"),
        contexts=contexts,
        ages=_ages(root),
        presets=_presets(head),
        reviews=_reviews(head),
    )
    head.finish()
    root.finish()
    return policy


def _declared_contexts(head: Table) -> tuple[str, ...]:
    if not head.has("contexts"):
        return (DEFAULT_CONTEXT,)
    return head.identifiers("contexts", max_count=MAX_CONTEXTS, max_chars=MAX_CONTEXT_CHARS)


def _presets(head: Table) -> tuple[str, ...]:
    """Take the ids of law presets; which of them this SDK knows is not for the parser to say."""
    if not head.has("preset"):
        return ()
    return head.identifiers("preset", max_count=MAX_PRESETS, max_chars=64)


def _reviews(head: Table) -> tuple[Review, ...]:
    if not (head.has("reviewed_by") or head.has("reviewed_on")):
        return ()
    return (Review(by=head.text("reviewed_by", max_chars=200), on=head.day("reviewed_on")),)


def _ages(root: Table) -> Ages:
    if not root.has("ages"):
        return DEFAULT_AGES
    table = root.table("ages")
    youngest, oldest = MINIMUM_AGES
    minimum = table.integer(
        "minimum", at_least=youngest, at_most=oldest, default=DEFAULT_MINIMUM_AGE
    )
    more = (
        table.choices("unknown_is_minor", AREAS) if table.has("unknown_is_minor") else ADULTS_ONLY
    )
    missing = [area for area in ADULTS_ONLY if area not in more]
    if missing:
        table.refuse(
            "unknown_is_minor",
            got=f"no {' and no '.join(missing)}",
            wanted=f"at least {', '.join(ADULTS_ONLY)}",
        )
    table.finish()
    return Ages(minimum=minimum, unknown_is_minor=more)


def _controller(table: Table) -> Controller:
    controller = Controller(
        name=table.text("name", max_chars=200),
        contact=table.text("contact", max_chars=200),
        address=table.text("address", max_chars=300, default=""),
        authority=table.text("authority", max_chars=200, default=""),
    )
    table.finish()
    return controller


def _sensitive(table: Table) -> Sensitive:
    mode = table.choice("mode", SENSITIVE_MODES)
    categories = _categories(table, "categories")
    if mode == "exclude" and not categories:
        table.refuse(
            "categories",
            got="none",
            wanted='the categories to keep out, or mode = "no-categories"',
        )
    if mode == "no-categories" and categories:
        table.refuse("categories", got=f"{len(categories)}", wanted='none with "no-categories"')
    table.finish()
    return Sensitive(mode=mode, categories=categories)


def _categories(table: Table, key: str) -> tuple[str, ...]:
    """Take a list of category paths, in normal form, sorted, each once; it may be absent."""
    written = table.texts(key, max_count=MAX_SENSITIVE, max_chars=200)
    paths = {normal_category(path) for path in written}
    if "" in paths:
        table.refuse(key, got="a path without a name", wanted='paths such as "DRUG/BABY"')
    return tuple(sorted(paths))


def _purposes(
    tables: Sequence[Table], languages: tuple[Language, ...], contexts: tuple[str, ...]
) -> tuple[Purpose, ...]:
    purposes = [_purpose(table, languages, contexts) for table in tables]
    ids = [purpose.id for purpose in purposes]
    for purpose_id in ids:
        if ids.count(purpose_id) > 1:
            raise PolicyError(f"purpose {purpose_id}: got it twice, wanted each id once")
    return tuple(sorted(purposes, key=lambda purpose: purpose.id))


def _purpose(table: Table, languages: tuple[Language, ...], contexts: tuple[str, ...]) -> Purpose:
    purpose_id = table.identifier("id")
    table.where = f"purpose {purpose_id}"  # From here on a message can name the purpose.
    retention_days = table.days("retention")
    validity_days = table.days("validity")
    purpose = Purpose(
        id=purpose_id,
        area=table.choice("area", AREAS),
        use_case=table.text("use_case", max_chars=80),
        surfaces=table.choices("surfaces", SURFACES, hint=_NO_OTHER_SURFACE),
        kinds=table.choices("kinds", KINDS),
        fields=_fields(table),
        granularity=table.choice("granularity", GRANULARITIES),
        retention_days=retention_days,
        validity_days=validity_days,
        reask_days=table.days("reask", default=validity_days),
        benefit_type=table.choice("benefit_type", BENEFIT_TYPES),
        texts=_texts(table.table("text"), languages, retention_days, validity_days),
        contexts=_contexts(table, contexts),
        max_events=_max_events(table),
        retention_reason=table.text("retention_reason", max_chars=300, default=""),
        dpv=_term(table, "dpv", _DPV, "a term such as dpv:ProvideProductRecommendations"),
        fideslang=_term(table, "fideslang", _FIDESLANG, "a use such as personalize.content"),
    )
    table.finish()
    return purpose


def _contexts(table: Table, declared: tuple[str, ...]) -> tuple[str, ...]:
    if not table.has("contexts") and DEFAULT_CONTEXT in declared:
        return (DEFAULT_CONTEXT,)
    return table.choices("contexts", declared, hint="policy.contexts declares the names")


def _max_events(table: Table) -> int | None:
    if not table.has("max_events"):
        return None
    return table.integer("max_events", at_least=1, at_most=MAX_EVENTS)


def _term(table: Table, key: str, pattern: re.Pattern[str], wanted: str) -> str:
    """Take a term of a vocabulary; empty where the key is absent."""
    term = table.text(key, max_chars=300, default="")
    if term and not pattern.fullmatch(term):
        table.refuse(key, got=ascii(term), wanted=wanted)
    return term


def _fields(table: Table) -> tuple[Field, ...]:
    fields = [_field(entry) for entry in table.tables("field", at_most=len(FIELD_NAMES))]
    names = [field.name for field in fields]
    if len(names) != len(set(names)):
        table.refuse("field", got="a name twice", wanted="each field once")
    missing = [name for name in STRUCTURAL_FIELDS if name not in names]
    if missing:
        table.refuse(
            "field",
            got=f"no {', '.join(missing)}",
            wanted="every field that a stored event cannot do without",
        )
    return tuple(sorted(fields, key=lambda field: FIELD_NAMES.index(field.name)))


def _field(table: Table) -> Field:
    field = Field(
        name=table.choice("name", FIELD_NAMES, hint=_NO_OTHER_FIELD),
        origin=table.choice("origin", ORIGINS, hint=_NO_OTHER_ORIGIN),
        necessity=table.choice("necessity", NECESSITIES, default="required"),
    )
    if field.name in PREFERENCE_FIELDS and field.origin != "declared":
        table.refuse(
            "origin",
            got=f"{field.origin} for {field.name}",
            wanted="declared: a preference is what the shopper says",
            hint=_NO_OTHER_ORIGIN,
        )
    table.finish()
    return field


def _texts(
    table: Table, languages: tuple[Language, ...], retention_days: int, validity_days: int
) -> Mapping[Language, Text]:
    texts: dict[Language, Text] = {}
    for language in languages:
        text = _text(table.table(language))
        for got, wanted in faults(text, retention_days=retention_days):
            table.refuse(language, got=got, wanted=wanted)
        shown = fill(text, retention_days=retention_days, validity_days=validity_days)
        if length(shown) > MAX_FIRST_LAYER_CHARS:
            table.refuse(
                language,
                got=f"{length(shown)} characters in title, short, benefit and without",
                wanted=f"at most {MAX_FIRST_LAYER_CHARS} together",
            )
        texts[language] = text
    table.finish()
    return MappingProxyType(texts)


def _text(table: Table) -> Text:
    text = Text(
        title=table.text("title", max_chars=MAX_FIRST_LAYER_CHARS),
        short=table.text("short", max_chars=MAX_FIRST_LAYER_CHARS),
        benefit=table.text("benefit", max_chars=MAX_FIRST_LAYER_CHARS),
        without=table.text("without", max_chars=MAX_FIRST_LAYER_CHARS),
    )
    table.finish()
    return text
