"""Five lines that a customer reads in 20 seconds, and that promise no more than was done."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from shelfrank.bundle import label_truth
from shelfrank.bundle.label_truth import LEVELS
from shelfrank.bundle.label_words import WARNINGS, lines, warnings
from shelfrank.types import LANGUAGES
from support.claims import claims
from support.labels import facts, label, noisy_facts

# Adults read 238 words a minute (Brysbaert 2019, a review of 190 studies).
WORDS_IN_20_SECONDS = 238 // 3

SMALL, MODERATE, WIDE = (
    noisy_facts(tuple(rho * share for share in (0.5, 0.25, 0.25))) for rho in (0.016, 0.1, 0.5)
)
LABELS = {
    "threshold": label(),
    "few shoppers": label(facts(min_shoppers=10)),
    "unprotected": label(facts(min_shoppers=9, unprotected=True)),
    "alone": label(facts(min_shoppers=1, unprotected=True)),
    "no categories": label(facts(has_categories=False, excluded_categories=())),
    "no policy": label(facts(policy=None, excluded_categories=())),
    "many categories": label(facts(excluded_categories=tuple("abcdef"))),
    "not published": label(bundle=None),
    "small": label(SMALL),
    "moderate": label(MODERATE),
    "wide": label(WIDE),
}
WITHOUT_EPSILON = [name for name, made in LABELS.items() if made.epsilon is None]


def text(name, language):
    return "\n".join(": ".join(line) for line in lines(LABELS[name], language))


def test_a_label_in_english():
    assert text("threshold", "en") == (
        "Purpose: Puts this shop's products in your order, on your device.\n"
        "Learned from: Counts over 12,345 shoppers, 1 January 2025 to 31 December 2025; each "
        "counts at least 50.\n"
        "Cannot contain: Names, e-mail addresses, places, device ids, anyone's list of purchases. "
        "Left out: drug/baby, spirits.\n"
        "Protection: Counts below 50 shoppers are missing. Comparing counts can still point at "
        "few: this is not differential privacy.\n"
        "Until when: Devices take it up until 1 January 2027."
    )


def test_dates_numbers_and_epsilon_as_each_language_writes_them():
    german, dutch = text("moderate", "de"), text("moderate", "nl")

    assert "etwa 12.345 Personen, bis 31. Dezember 2025" in german
    assert "bewiesenen, mittleren Grenze (Epsilon 2,51, Delta 1e-6)" in german
    assert "ongeveer 12.345 klanten, tot en met 31 december 2025" in dutch
    assert "bewezen, middelmatige grens (epsilon 2,51, delta 1e-6)" in dutch


@pytest.mark.parametrize(("name", "word"), [("small", "small"), ("wide", "wide")])
def test_a_bound_is_called_what_it_is(name, word):
    assert f"within a proven, {word} bound (epsilon " in text(name, "en")


def test_the_limits_of_the_words_are_the_proposals_of_the_privacy_study():
    assert SMALL.epsilon <= 1 < MODERATE.epsilon <= 4 < WIDE.epsilon
    at_the_limit = noisy_facts((0.01, 0.001, 0.001), epsilon=1.0)
    assert "small bound (epsilon 1," in "".join(
        line.text for line in lines(label(at_the_limit), "en")
    )


def test_what_could_not_be_left_out_is_said():
    assert "Nothing could be left out by category." in text("no categories", "en")
    assert "No category was left out." in text("no policy", "en")
    assert "Left out: a, b, c, d and 2 more." in text("many categories", "en")


def test_a_count_of_one_shopper_is_called_that():
    assert "one may stand for a single shopper" in text("alone", "en")
    assert "Hardly any: for research on public data only." in text("alone", "en")


def test_what_is_not_published_has_no_date():
    assert "Not published yet." in text("not published", "en")


@pytest.mark.parametrize(("name", "language"), list(itertools.product(LABELS, LANGUAGES)))
def test_it_is_read_in_20_seconds(name, language):
    assert len(lines(LABELS[name], language)) == 5
    assert len(text(name, language).split()) <= WORDS_IN_20_SECONDS


@pytest.mark.parametrize(("name", "language"), list(itertools.product(WITHOUT_EPSILON, LANGUAGES)))
def test_without_epsilon_no_language_claims_differential_privacy(name, language):
    told = text(name, language) + "\n".join(warnings(LABELS[name], language))

    assert claims(told) == []
    assert "differen" in told.casefold()  # and each denies it


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["small", "moderate", "wide"])
def test_with_epsilon_nothing_is_called_anonymous(name, language):
    assert "anon" not in text(name, language).casefold()


@pytest.mark.parametrize(
    "claim",
    [
        "The data are anonymous.",
        "Protected by differential privacy.",
        "Geschützt durch Rauschen.",
        "Beschermd met differentiële privacy.",
        "noise was added",
        "within a proven bound",
    ],
)
def test_a_claim_would_be_found(claim):
    assert claims(claim)
    assert claims(f"This is not differential privacy. {claim}")


def test_every_warning_has_words_in_every_language_with_the_numbers_that_hold():
    assert set(WARNINGS) == set(LEVELS)
    assert all(set(texts) == set(LANGUAGES) for texts in WARNINGS.values())
    for language in LANGUAGES:
        assert str(label_truth.AMBER_MIN_SHOPPERS) in WARNINGS["few_shoppers"][language]
        assert f"{label_truth.MODERATE_EPSILON:g}" in WARNINGS["wide_bound"][language]


def test_warnings_are_told_in_their_order():
    told = warnings(label(facts(min_shoppers=9, unprotected=True)), "nl")

    assert [text.partition(":")[0] for text in told] == [
        "Onbeschermd",
        "Geen differentiële privacy",
    ]


def test_another_language_is_named():
    with pytest.raises(ValueError, match="language is 'fr', wanted one of de, nl, en"):
        lines(label(), "fr")  # type: ignore[arg-type]


def test_no_text_of_a_label_becomes_part_of_a_sentence_s_form():
    braces = label(facts(excluded_categories=("{paths}", "a{0}")))

    assert "Left out: {paths}, a{0}." in lines(braces, "en")[2].text


def test_several_sources_are_told_as_one():
    one = label()
    (source,) = one.sources
    two = replace(one, sources=(source, replace(source, shoppers=5, time_from=None)))

    assert "12,350 shoppers, up to 31 December 2025" in lines(two, "en")[1].text
