"""Rules on the words that a shopper reads."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from shelfrank.consent.notice import write_notice
from shelfrank.consent.words import MAX_FIRST_LAYER_CHARS, faults, fill, length
from shelfrank_training.privacy import phrases
from shelfrank_training.privacy.draft import TEXT_PARTS
from shelfrank_training.privacy.rules import Case, Fault, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shelfrank_training.privacy.draft import DraftPurpose

# Guides on plain language ask for 15 to 20 words on average; a single one may be that long.
MAX_SENTENCE_WORDS: Final = 20

# A title stands on a button or above a switch.
MAX_TITLE_CHARS: Final = 60

# What a second layer may take: one screen of a phone, or two.
MAX_SECOND_LAYER_CHARS: Final = 1200

# "Faster shopping" says as little as it is long.
MIN_BENEFIT_WORDS: Final = 3

_SENTENCE_END: Final = re.compile(r"[.!?:;]+(?:\s|$)")

# Stands for a placeholder that no number is known for; only its length matters.
_UNKNOWN_DAYS: Final = 999


def _languages(case: Case) -> Iterator[Fault]:
    promised = case.draft.languages
    if not promised:
        yield Fault("policy.languages", "none", "at least one of de, nl, en")
    for purpose in case.draft.purposes():
        for where, _, line in purpose.lines():
            if not line.strip():
                yield Fault(where, "nothing", "words")
        written = {language for language, _ in purpose.texts()}
        for missing in [language for language in promised if language not in written]:
            yield Fault(f"{purpose.name}.text.{missing}", "nothing", "the texts")
        yield from _untranslated(purpose)


def _untranslated(purpose: DraftPurpose) -> Iterator[Fault]:
    for part in TEXT_PARTS:
        lines = Counter(getattr(text, part) for _, text in purpose.texts())
        for line, count in lines.items():
            if line.strip() and count > 1:
                where = f"{purpose.name}.text.*.{part}"
                yield Fault(where, f"{line!r} in several languages", "a translation")


def _short(case: Case) -> Iterator[Fault]:
    for purpose in case.draft.purposes():
        for language, text in purpose.texts():
            shown = fill(
                text,
                retention_days=purpose.days("retention") or _UNKNOWN_DAYS,
                validity_days=purpose.days("validity") or _UNKNOWN_DAYS,
            )
            if length(shown) > MAX_FIRST_LAYER_CHARS:
                got = f"{length(shown)} characters"
                where = f"{purpose.name}.text.{language}"
                yield Fault(where, got, f"at most {MAX_FIRST_LAYER_CHARS} together")
            if len(shown.title) > MAX_TITLE_CHARS:
                got = f"{len(shown.title)} characters"
                where = f"{purpose.name}.text.{language}.title"
                yield Fault(where, got, f"at most {MAX_TITLE_CHARS}")


def _second_layer(case: Case) -> Iterator[Fault]:
    if case.policy is None:
        return
    for purpose in case.policy.purposes:
        for language in case.policy.languages:
            notice = write_notice(case.policy, purpose, language, token="check")  # noqa: S106
            if len(notice.detail) > MAX_SECOND_LAYER_CHARS:
                yield Fault(
                    f"purpose {purpose.id} in {language}",
                    f"{len(notice.detail)} characters in the generated second layer",
                    f"at most {MAX_SECOND_LAYER_CHARS}: shorter names, fewer contexts",
                )


def _sentences(case: Case) -> Iterator[Fault]:
    for purpose in case.draft.purposes():
        for where, _, line in purpose.lines():
            for sentence in _SENTENCE_END.split(line):
                if (count := len(sentence.split())) > MAX_SENTENCE_WORDS:
                    yield Fault(
                        where, f"a sentence of {count} words", f"at most {MAX_SENTENCE_WORDS}"
                    )


def _plain(case: Case) -> Iterator[Fault]:
    yield from _found(case, phrases.JARGON, "words that everybody uses")


def _benefit_there(case: Case) -> Iterator[Fault]:
    for purpose in case.draft.purposes():
        for language, text in purpose.texts():
            count = len(text.benefit.split())
            if count < MIN_BENEFIT_WORDS:
                where = f"{purpose.name}.text.{language}.benefit"
                yield Fault(where, f"{count} words", "what the shopper gains, in a sentence")


def _benefit_own(case: Case) -> Iterator[Fault]:
    seen: dict[tuple[str, str], str] = {}
    for purpose in case.draft.purposes():
        for language, text in purpose.texts():
            said = " ".join(text.benefit.casefold().split()).rstrip(".! ")
            first = seen.setdefault((language, said), purpose.name)
            if said and first != purpose.name:
                where = f"{purpose.name}.text.{language}.benefit"
                yield Fault(where, f"the words of {first}", "the benefit of this very purpose")


def _benefit_real(case: Case) -> Iterator[Fault]:
    for purpose in case.draft.purposes():
        for language, text in purpose.texts():
            found = phrases.EMPTY_BENEFITS.search(text.benefit)
            if found:
                where = f"{purpose.name}.text.{language}.benefit"
                yield Fault(where, f"{found[0]!r}", "something a shopper can notice")


def _numbers(case: Case) -> Iterator[Fault]:
    for purpose in case.draft.purposes():
        retention = purpose.days("retention")
        if retention is None:
            continue  # `readable` says so
        for language, text in purpose.texts():
            for got, wanted in faults(text, retention_days=retention):
                yield Fault(f"{purpose.name}.text.{language}", got, wanted)
        yield from _durations(purpose, retention)


def _durations(purpose: DraftPurpose, retention: int) -> Iterator[Fault]:
    """Yield stretches of time, in words or other units, that are not those enforced."""
    validity = purpose.days("validity") or retention
    for where, language, line in purpose.lines():
        told = line.replace("{retention_days}", str(retention))
        told = told.replace("{validity_days}", str(validity))
        for written, days in phrases.durations(told, language):
            if days not in {retention, validity}:
                got = f"{written!r}, which is {days} days"
                yield Fault(where, got, f"{retention} days (kept) or {validity} (consent)")
        if found := phrases.FOREVER.search(line):
            yield Fault(where, f"{found[0]!r}", f"{retention} days, as is enforced")


def _leaving(case: Case) -> Iterator[Fault]:
    for where, word in case.draft.words():
        if phrases.WITHDRAWAL_KEYS.match(word) and where.endswith(f".{word}"):
            yield Fault(where, "a way out of its own", "none: withdrawing is one call, as granting")
    for purpose in case.draft.purposes():
        for where, _, line in purpose.lines():
            for sentence in _SENTENCE_END.split(line):
                effort = phrases.EFFORT.search(sentence)
                if effort and phrases.LEAVING.search(sentence):
                    wanted = "no step that a yes does not take"
                    yield Fault(where, f"{effort[0]!r} for a no", wanted)


def _no_threat(case: Case) -> Iterator[Fault]:
    for purpose in case.draft.purposes():
        for language, text in purpose.texts():
            found = phrases.PENALTIES.search(text.without)
            if found:
                where = f"{purpose.name}.text.{language}.without"
                yield Fault(where, f"{found[0]!r}", "what stays the same, without a threat")


def _no_reward(case: Case) -> Iterator[Fault]:
    yield from _found(case, phrases.REWARDS, "no payment for a yes")


def _found(case: Case, words: re.Pattern[str], wanted: str) -> Iterator[Fault]:
    for purpose in case.draft.purposes():
        for where, _, line in purpose.lines():
            if found := words.search(line):
                yield Fault(where, f"{found[0]!r}", wanted)


RULES: Final = (
    Rule(
        "languages",
        "Every purpose has all four texts in every language of the policy, each translated.",
        "privacy check, missing language; GDPR Art. 12",
        _languages,
    ),
    Rule(
        "short",
        f"Title, short, benefit and without have at most {MAX_FIRST_LAYER_CHARS} characters "
        f"together, the title at most {MAX_TITLE_CHARS}.",
        "endless notices are not read; ISO/IEC 29184",
        _short,
    ),
    Rule(
        "second-layer",
        f"The generated second layer has at most {MAX_SECOND_LAYER_CHARS} characters.",
        "ISO/IEC 29184, layered notices",
        _second_layer,
    ),
    Rule(
        "sentences",
        f"No sentence has more than {MAX_SENTENCE_WORDS} words.",
        "GDPR Art. 12: concise and easy to understand",
        _sentences,
    ),
    Rule(
        "plain",
        "The first layer is free of the words of lawyers and engineers.",
        "GDPR Art. 12: clear and plain language",
        _plain,
    ),
    Rule(
        "benefit-there",
        "Every purpose says what the shopper gains.",
        "no benefit, no reason to ask",
        _benefit_there,
    ),
    Rule(
        "benefit-own",
        "No two purposes promise the same benefit.",
        "a benefit copied is a benefit nobody thought about",
        _benefit_own,
    ),
    Rule(
        "benefit-real",
        "No benefit is an empty phrase, such as 'improve our services'.",
        "GDPR Art. 5(1)(b): specified purposes",
        _benefit_real,
    ),
    Rule(
        "numbers",
        "Every number and every stretch of time in a text is the one that is enforced.",
        "text and enforcement come from one file",
        _numbers,
    ),
    Rule(
        "leaving",
        "A no takes no more than a yes: nothing else is declared or told.",
        "GDPR Art. 7(3); 4 CCR 904-3 Rule 7.07; Cal. Civ. Code 1798.135(b)(2)(A)",
        _leaving,
    ),
    Rule(
        "no-threat",
        "What is said about a no is what stays the same, not what is lost.",
        "GDPR Art. 7(4); 4 CCR 904-3 Rule 7.03; Maine's law",
        _no_threat,
    ),
    Rule(
        "no-reward",
        "Nothing is paid for a yes.",
        "Maine's law; 4 CCR 904-3 Rule 7.03",
        _no_reward,
    ),
)
"""In the order of the report."""
