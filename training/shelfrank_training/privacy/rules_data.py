"""Rules on what is kept, for what, and who answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shelfrank.consent.purposes import ORIGINS
from shelfrank_training.privacy import phrases
from shelfrank_training.privacy.draft import as_list, as_text
from shelfrank_training.privacy.rules import Case, Fault, Rule
from shelfrank_training.privacy.uses import needless

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

# A year covers every season once.
LONG_RETENTION_DAYS: Final = 365

# "Analytics." is a word, not a reason.
MIN_REASON_WORDS: Final = 4

# Below it a published number is about few people; design.md 4.2 calls it amber.
AMBER_SHOPPERS: Final = 20

REVIEW_DAYS: Final = 365
"""How long a review, or a look at a law, is good for."""


def _readable(case: Case) -> Iterator[Fault]:
    if case.policy is None:
        yield Fault("the file", case.refusal, "a policy that a device takes")


def _controller(case: Case) -> Iterator[Fault]:
    for key in ("name", "contact"):
        value = as_text(case.draft.controller.get(key))
        if phrases.PLACEHOLDER_TEXT.search(value):
            got = repr(value) if value else "nothing"
            yield Fault(f"policy.controller.{key}", got, "who answers for the data")
    contact = as_text(case.draft.controller.get("contact"))
    reachable = any(mark in contact for mark in ("@", "://", "www.")) or (
        sum(char.isdigit() for char in contact) >= 5
    )
    if contact and not reachable:
        wanted = "an address, a page or a number that a shopper can use"
        yield Fault("policy.controller.contact", repr(contact), wanted)


def _apart(case: Case) -> Iterator[Fault]:
    seen: dict[tuple[str, str], str] = {}
    for purpose in case.draft.purposes():
        use = (purpose.text("area"), purpose.text("use_case").casefold().strip())
        first = seen.setdefault(use, purpose.name)
        if first != purpose.name:
            yield Fault(
                purpose.name, f"area and use of {first}", "a use of its own, or one purpose"
            )


def _own_data(case: Case) -> Iterator[Fault]:
    for purpose in case.draft.purposes():
        for row, field in enumerate(purpose.fields(), start=1):
            origin = as_text(field.get("origin"))
            if origin not in ORIGINS:
                where = f"{purpose.name} field {row}.origin"
                yield Fault(where, repr(origin), f"one of {', '.join(ORIGINS)}")
        for where, _, line in purpose.lines():
            if found := phrases.PARTNERS.search(line):
                yield Fault(where, f"{found[0]!r}", "the shop and this device alone")
    for where, word in case.draft.words():
        if where.endswith(f".{word}") and phrases.FOREIGN_KEYS.match(word):
            yield Fault(
                where, "somebody or somewhere else", "no such key: nothing leaves the device"
            )


def _no_location(case: Case) -> Iterator[Fault]:
    yield from _anywhere(case, phrases.LOCATION, "no word about it: the device cannot tell")


def _no_push(case: Case) -> Iterator[Fault]:
    yield from _anywhere(case, phrases.PUSH, "only what is seen when the shopper opens the app")


def _no_decision(case: Case) -> Iterator[Fault]:
    for purpose in case.draft.purposes():
        if found := phrases.DECISIONS.search(purpose.text("use_case")):
            yield Fault(f"{purpose.name}.use_case", f"{found[0]!r}", "what is shown first, no more")


def _fields_used(case: Case) -> Iterator[Fault]:
    for purpose in case.draft.purposes():
        kinds = [as_text(kind) for kind in as_list(purpose.values.get("kinds"))]
        for field in purpose.fields():
            reason = needless(as_text(field.get("name")), kinds)
            if reason:
                yield Fault(f"{purpose.name}.field", reason, "only what something uses")


def _retention_reason(case: Case) -> Iterator[Fault]:
    for purpose in case.draft.purposes():
        days = purpose.days("retention")
        if days is None or days <= LONG_RETENTION_DAYS:
            continue
        reason = purpose.text("retention_reason")
        where = f"{purpose.name}.retention_reason"
        wanted = f"why {days} days are needed, or at most P{LONG_RETENTION_DAYS}D"
        if len(reason.split()) < MIN_REASON_WORDS:
            yield Fault(where, repr(reason) if reason else "nothing", wanted)
        elif found := phrases.EMPTY_BENEFITS.search(reason):
            yield Fault(where, f"{found[0]!r}", wanted)


def _sensitive(case: Case) -> Iterator[Fault]:
    mode = as_text(case.draft.sensitive.get("mode"))
    listed = as_list(case.draft.sensitive.get("categories"))
    if mode == "no-categories":
        yield Fault(
            "sensitive.mode",
            "no-categories: nothing can be filtered",
            "a catalog with categories; the label says so in red",
            "warning",
        )
    elif not listed:
        wanted = "the catalog's paths for health, family, belief, money and so on"
        yield Fault("sensitive.categories", "none", wanted)


def _crowd(case: Case) -> Iterator[Fault]:
    number = case.draft.head.get("min_shoppers")
    if isinstance(number, int) and number < AMBER_SHOPPERS:
        yield Fault("policy.min_shoppers", f"{number}", f"at least {AMBER_SHOPPERS}", "warning")


def _reviewed(case: Case) -> Iterator[Fault]:
    if case.policy is None:
        return
    latest = max((review.on for review in case.policy.reviews), default=None)
    where, wanted = "policy.reviewed_on", f"a review of the last {REVIEW_DAYS} days"
    if latest is None:
        yield Fault(where, "nobody has signed it", wanted, "warning")
    elif latest > case.on:
        yield Fault(where, f"{latest}, which is to come", wanted)
    elif (case.on - latest).days > REVIEW_DAYS:
        yield Fault(where, f"{latest}", wanted, "warning")


def _anywhere(case: Case, words: re.Pattern[str], wanted: str) -> Iterator[Fault]:
    for where, word in case.draft.words():
        if found := words.search(word):
            yield Fault(where, f"{found[0]!r}", wanted)


RULES: Final = (
    Rule(
        "readable",
        "A device takes the policy.",
        "sdk/docs/privacy.md: reading is strict",
        _readable,
    ),
    Rule(
        "controller",
        "It says who answers for the data and how to reach them.",
        "GDPR Art. 13(1)(a)",
        _controller,
    ),
    Rule(
        "apart",
        "Purposes are separate: no two have the same area and use.",
        "GDPR Art. 5(1)(b), recital 32: one yes for each purpose",
        _apart,
    ),
    Rule(
        "own-data",
        "Only what the shopper said or did here is kept, and nobody else gets it.",
        "invariants P1 and P6; zero- and first-party data alone",
        _own_data,
    ),
    Rule(
        "no-location",
        "Nothing is about where the shopper is.",
        "invariant P6",
        _no_location,
    ),
    Rule(
        "no-push",
        "Nothing reaches out to the shopper.",
        "invariant P6",
        _no_push,
    ),
    Rule(
        "no-decision",
        "No use decides about the shopper: no price, credit or eligibility.",
        "GDPR Art. 22",
        _no_decision,
    ),
    Rule(
        "fields-used",
        "Every field is used by something.",
        "GDPR Art. 5(1)(c); shelfrank privacy inventory",
        _fields_used,
    ),
    Rule(
        "retention-reason",
        f"What is kept for more than {LONG_RETENTION_DAYS} days has a reason.",
        "GDPR Art. 5(1)(e)",
        _retention_reason,
    ),
    Rule(
        "sensitive",
        "The sensitive categories of the catalog are listed.",
        "invariant P5; GDPR Art. 9; CJEU C-21/23",
        _sensitive,
    ),
    Rule(
        "crowd",
        f"Published numbers cover at least {AMBER_SHOPPERS} shoppers.",
        "design: below it the label is amber",
        _crowd,
    ),
    Rule(
        "reviewed",
        "Somebody with the shoppers' interest in mind has read it within a year.",
        "the firm shows that it did",
        _reviewed,
    ),
)
"""In the order of the report."""
