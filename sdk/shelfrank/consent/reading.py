"""From the bytes of a ``policy.toml`` to a `Policy`, or a `PolicyError` that names the place."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from shelfrank.consent.policy import Policy
from shelfrank.consent.purposes import (
    AREAS,
    BENEFIT_TYPES,
    FIELD_NAMES,
    GRANULARITIES,
    NECESSITIES,
    ORIGINS,
    SENSITIVE_MODES,
    STRUCTURAL_FIELDS,
    SURFACES,
    Controller,
    Field,
    Purpose,
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

# What is missing from the lists is missing on purpose (invariant P6); the hint says so.
_NO_OTHER_FIELD: Final = "there is no field for a location, for money, health or family"
_NO_OTHER_ORIGIN: Final = "what was inferred or comes from a third party is never stored"
_NO_OTHER_SURFACE: Final = "there is no push message, mail or other surface outside the shop's app"


def parse_policy(data: bytes) -> Policy:
    """Parse `data`; see `Policy.parse`."""
    root = read_toml(data)
    head = root.table("policy")
    languages = head.choices("languages", LANGUAGES)
    policy = Policy(
        id=head.identifier("id"),
        version=head.integer("version", at_least=1, at_most=2**31 - 1),
        languages=languages,
        controllers=(_controller(head.table("controller")),),
        sensitive=_sensitive(root.table("sensitive")),
        purposes=_purposes(root.tables("purpose", at_most=MAX_PURPOSES), languages),
        min_shoppers=head.integer(
            "min_shoppers",
            at_least=MIN_SHOPPERS_FLOOR,
            at_most=1_000_000,
            default=DEFAULT_MIN_SHOPPERS,
        ),
        max_epsilon=head.positive("max_epsilon", at_most=MAX_EPSILON),
        must_exclude=_categories(head, "must_exclude"),
    )
    head.finish()
    root.finish()
    return policy


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


def _purposes(tables: Sequence[Table], languages: tuple[Language, ...]) -> tuple[Purpose, ...]:
    purposes = [_purpose(table, languages) for table in tables]
    ids = [purpose.id for purpose in purposes]
    for purpose_id in ids:
        if ids.count(purpose_id) > 1:
            raise PolicyError(f"purpose {purpose_id}: got it twice, wanted each id once")
    return tuple(sorted(purposes, key=lambda purpose: purpose.id))


def _purpose(table: Table, languages: tuple[Language, ...]) -> Purpose:
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
    )
    table.finish()
    return purpose


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
