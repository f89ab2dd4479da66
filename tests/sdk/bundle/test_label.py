"""A label is read strictly, and statements that cannot be true together are refused."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.bundle.label import Label
from shelfrank.bundle.label_truth import LEVELS, PROTECTED_MIN_SHOPPERS, gaussian_delta
from shelfrank.consent.reading import MIN_SHOPPERS_FLOOR
from shelfrank.errors import (
    BundleError,
    BundleFormatError,
    BundleVersionError,
    LabelError,
    ModelMismatchError,
)
from shelfrank_training.aggregates.settings import UNPROTECTED_MIN_SHOPPERS
from shelfrank_training.publish.label import label_bytes, make_label
from support.labels import BUNDLE, MODEL, edited, epsilon_of, facts, label, noisy_facts
from support.shopper import policy

PLAIN = label_bytes(make_label(facts(), model=MODEL, bundle=BUNDLE))
NOISY = label_bytes(make_label(noisy_facts(), model=MODEL, bundle=BUNDLE))


def test_a_label_says_what_was_done():
    read = Label.parse(PLAIN)

    assert read.bundle == BUNDLE
    assert read.model == MODEL
    assert (read.min_shoppers, read.unprotected, read.mechanism) == (50, False, "threshold")
    assert (read.epsilon, read.delta, read.ledger) == (None, None, None)
    assert read.policy == ("corner-shop", 3)
    assert read.excluded_categories == ("drug/baby", "spirits")
    assert [(source.shoppers, source.time_from) for source in read.sources] == [
        (12_345, facts().time_from)
    ]
    assert [(table.name, table.rows, table.noise) for table in read.tables] == [
        ("items", 61, ()),
        ("pairs", 1597, ()),
        ("next", 1818, ()),
    ]
    assert read.raw == json.loads(PLAIN)


def test_a_label_with_noise_says_what_it_cost():
    read, info = Label.parse(NOISY), noisy_facts()

    assert (read.epsilon, read.delta) == (info.epsilon, info.delta)
    assert [len(table.noise) for table in read.tables] == [2, 1, 0]
    assert read.ledger is not None
    assert (read.ledger.epsilon_spent, read.ledger.epsilon_limit) == (2.0, 4.0)


def test_another_label_version_is_named():
    with pytest.raises(BundleVersionError) as caught:
        Label.parse(edited(PLAIN, "label_version", 9))

    assert (caught.value.offered, caught.value.supported) == (9, (0,))


# --- What cannot be true together ---

CONTRADICTIONS = {
    "few shoppers, and protected": (
        PLAIN,
        [("privacy", "min_shoppers", 9)],
        "min_shoppers is 9, below 10, and unprotected is false",
    ),
    "a table over fewer shoppers": (
        PLAIN,
        [("aggregates", 1, "min_shoppers", 49)],
        "table pairs covers at least 49 shoppers, the label promises 50",
    ),
    "a table twice": (PLAIN, [("aggregates", 1, "table", "items")], "table items is there twice"),
    "no source": (PLAIN, [("sources", [])], "numbers without a source"),
    "a source turned round": (
        PLAIN,
        [("sources", 0, "to", "2024-01-01T00:00:00Z")],
        "ends before it starts",
    ),
    "a bundle turned round": (
        PLAIN,
        [("bundle", "valid_until", "2026-01-01T00:00:00Z")],
        "ends before it is made",
    ),
    "categories left out of none": (
        PLAIN,
        [("excluded", "has_categories", False)],
        "left out of a catalog that has none",
    ),
    "categories left out by nobody": (PLAIN, [("policy", None)], "without a policy that names"),
    "a warning withheld": (PLAIN, [("warnings", [])], "the warnings are none, its own"),
    "a warning too many": (
        NOISY,
        [("warnings", [{"code": "unprotected"}])],
        "the warnings are unprotected, its own statements call for none",
    ),
    "delta without epsilon": (PLAIN, [("privacy", "delta", 1e-6)], "delta is stated without"),
    "a mechanism without epsilon": (
        PLAIN,
        [("privacy", "mechanism", "gaussian_threshold")],
        "mechanism is gaussian_threshold and epsilon is not stated",
    ),
    "a ledger without epsilon": (
        PLAIN,
        [("privacy", "ledger", {"epsilon_spent": 1, "epsilon_limit": 2})],
        "a ledger is kept without epsilon",
    ),
    "noise without epsilon": (
        PLAIN,
        [("aggregates", 0, "noise", json.loads(NOISY)["aggregates"][0]["noise"])],
        "table items has noise and the release no epsilon",
    ),
    "a threshold called privacy": (
        NOISY,
        [("privacy", "mechanism", "threshold")],
        "a threshold alone is not differential privacy",
    ),
    "an epsilon of nothing": (NOISY, [("privacy", "epsilon", 0)], "epsilon must be above 0"),
    "no delta": (NOISY, [("privacy", "delta", None)], "with delta in"),
    "a delta of one": (NOISY, [("privacy", "delta", 1)], "with delta in"),
    "a delta that permits publishing one shopper": (
        NOISY,
        [("privacy", "delta", 3e-4)],
        "delta is 0.0003, more than one over the number of shoppers, 12345",
    ),
    "a ledger overspent": (
        NOISY,
        [("privacy", "ledger", "epsilon_spent", 4.5)],
        "the ledger has spent 4.5 of 4",
    ),
    "rows without noise": (
        NOISY,
        [("aggregates", 2, "rows", 1)],
        "table next has rows and no noise, and epsilon is stated",
    ),
    "an epsilon below that of a table": (
        NOISY,
        [("privacy", "epsilon", 0.75)],
        "table items alone has epsilon 0.7",
    ),
    "an epsilon below what the tables cost together": (
        label_bytes(make_label(noisy_facts((0.01, 0.01, 0.01)), model=MODEL, bundle=BUNDLE)),
        [("privacy", "epsilon", 0.9)],
        "the tables cost rho 0.03 together, for which epsilon 0.9 at delta 1e-06 is too little",
    ),
    "a rho below what its noise costs": (
        NOISY,
        [("aggregates", 1, "noise", 0, "rho", 0.001)],
        "table pairs states rho 0.001, its own noise costs 0.002",
    ),
    "an epsilon of a table below its rho": (
        NOISY,
        [("aggregates", 1, "noise", 0, "epsilon", 0.1)],
        "table pairs states epsilon 0.1, less than rho 0.002 permits",
    ),
    "deltas that add up to more": (
        NOISY,
        [("aggregates", 1, "noise", 0, "delta", 1e-6)],
        "the tables' deltas add up to 1.1e-06, the release states 1e-06",
    ),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_label_that_contradicts_itself_is_refused(case):
    data, edits, words = CONTRADICTIONS[case]
    Label.parse(data)
    for edit in edits:
        data = edited(data, *edit)

    with pytest.raises(BundleFormatError, match="contradicts itself") as caught:
        Label.parse(data)

    assert words in str(caught.value)


@pytest.mark.parametrize(("data", "said"), [(PLAIN, True), (NOISY, False)])
def test_whether_it_is_differential_privacy_follows_from_epsilon_alone(data, said):
    with pytest.raises(BundleFormatError, match="differential_privacy` is not what epsilon says"):
        Label.parse(edited(data, "privacy", "differential_privacy", said))


def test_the_two_groups_of_shoppers_do_not_add_up():
    """Tables of part B are of other shoppers: the larger cost counts, not the sum."""
    both = noisy_facts((0.01, 0.004, 0.014))
    stated = epsilon_of(0.014, both.delta / 2)
    of_other_shoppers = replace(
        both,
        epsilon=stated,
        tables={"items": both.tables["items"], "outcomes": both.tables["pairs"]},
    )
    of_the_same = replace(of_other_shoppers, tables=dict(both.tables))

    assert label(of_other_shoppers).epsilon == stated
    with pytest.raises(BundleFormatError, match="is too little"):
        label(of_the_same)


def test_the_other_group_s_cost_must_be_covered_too():
    three = noisy_facts((0.01, 0.01, 0.01))
    passes = (*three.tables["items"].noise, *three.tables["pairs"].noise)
    outcomes = replace(three.tables["pairs"], noise=passes)

    label(replace(three, tables={"outcomes": outcomes}))
    with pytest.raises(BundleFormatError, match=r"epsilon 0\.9 at delta 1e-06 is too little"):
        label(replace(three, tables={"outcomes": outcomes}, epsilon=0.9))


@given(
    st.lists(st.floats(1e-6, 2.0), min_size=3, max_size=3),
    st.floats(1e-12, 1e-5),
)
def test_what_a_sound_accountant_states_is_never_refused(rhos, delta):
    assert label(noisy_facts(rhos, delta=delta)).delta == delta


@given(st.floats(1e-3, 5.0), st.floats(1e-12, 1e-5))
def test_half_of_what_the_loosest_accountant_states_cannot_be_true(rho, delta):
    assert gaussian_delta(epsilon_of(rho, delta) / 2, rho) > 1.1 * delta


@pytest.mark.parametrize(
    ("epsilon", "rho", "delta"),
    # The same formula, with the normal distribution of scipy.stats.
    [(1.0, 0.5, 0.12693673750664397), (1.0, 0.02, 1.7546333e-08), (0.1, 0.02, 0.041481688)],
)
def test_the_exact_delta_of_gaussian_noise(epsilon, rho, delta):
    assert gaussian_delta(epsilon, rho) == pytest.approx(delta, rel=1e-7)


@given(st.floats(0, 1e6), st.floats(1e-300, 1e9))
def test_the_exact_delta_is_a_share_whatever_is_asked(epsilon, rho):
    found = gaussian_delta(epsilon, rho)

    assert math.isfinite(found)
    assert -1e-12 <= found <= 1 + 1e-12


def test_the_floor_is_one_number_in_policy_training_and_label():
    assert PROTECTED_MIN_SHOPPERS == MIN_SHOPPERS_FLOOR == UNPROTECTED_MIN_SHOPPERS


WARNED = {
    "unprotected": {"min_shoppers": 9, "unprotected": True},
    "no_categories": {"has_categories": False, "excluded_categories": ()},
    "few_shoppers": {"min_shoppers": 19},
    "no_policy": {"policy": None, "excluded_categories": ()},
}


@pytest.mark.parametrize("code", WARNED)
def test_each_warning_stands_where_it_applies(code):
    warned = label(facts(**WARNED[code])).warnings

    assert code in warned
    assert "no_differential_privacy" in warned
    assert list(warned) == sorted(warned, key=list(LEVELS).index)
    assert code not in label().warnings


def test_without_categories_no_policy_could_have_filtered_anything():
    blind = facts(policy=None, has_categories=False, excluded_categories=())

    assert label(blind).warnings == ("no_categories", "no_differential_privacy")


def test_the_bound_is_called_wide_above_four():
    wide, narrow = noisy_facts((0.3, 0.1, 0.1)), noisy_facts((0.1, 0.05, 0.05))

    assert wide.epsilon > 4 > narrow.epsilon
    assert label(wide).warnings == ("wide_bound",)
    assert label(narrow).warnings == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def places(value, prefix=()):
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [*([prefix] if prefix else []), *(p for k, v in pairs for p in places(v, (*prefix, k)))]


@given(st.sampled_from([PLAIN, NOISY]), st.data())
def test_any_value_at_any_place_is_read_or_refused(data, draw):
    place = draw.draw(st.sampled_from(places(json.loads(data))))

    with suppress(BundleError):
        Label.parse(edited(data, *place, draw.draw(JSON)))


# --- What a policy asks for ---


def refused(read, **asked):
    """Return the error for a policy with some keys of its own."""
    with pytest.raises(LabelError) as caught:
        read.require(replace(policy(), **asked))
    return caught.value


def test_a_label_that_keeps_the_policy_passes_at_the_very_limit():
    read = label(noisy_facts())

    read.require(None)
    read.require(
        replace(policy(), min_shoppers=50, max_epsilon=read.epsilon, must_exclude=("spirits",))
    )


def test_fewer_shoppers_than_asked_for_are_refused():
    error = refused(label(), min_shoppers=51)

    assert (error.term, error.got, error.wanted) == ("min_shoppers", 50, 51)


def test_a_larger_epsilon_than_asked_for_is_refused():
    read = label(noisy_facts())

    error = refused(read, max_epsilon=read.epsilon - 1e-9)

    assert (error.term, error.got, error.wanted) == (
        "max_epsilon",
        read.epsilon,
        read.epsilon - 1e-9,
    )


def test_no_epsilon_is_not_a_small_one():
    error = refused(label(), max_epsilon=1000.0)

    assert (error.term, error.got, error.wanted) == ("max_epsilon", None, 1000.0)
    assert "promises no epsilon, the policy wants at most 1000" in str(error)


def test_a_category_that_was_not_left_out_is_refused():
    error = refused(label(), must_exclude=("drug", "drug/baby/food", "spirits"))

    assert (error.term, error.wanted) == ("must_exclude", ("drug",))
    assert error.got == ("drug/baby", "spirits")


def test_a_path_above_covers_and_a_name_that_only_starts_alike_does_not():
    read = label()

    assert [read.excludes(path) for path in ("spirits", "spirits/gin", "spirits2", "drug")] == [
        True,
        True,
        False,
        False,
    ]


def test_an_unprotected_label_is_refused_even_without_a_policy_unless_told():
    read = label(facts(min_shoppers=9, unprotected=True))

    with pytest.raises(LabelError, match="unprotected") as caught:
        read.require(None)
    assert (caught.value.term, caught.value.got, caught.value.wanted) == ("unprotected", 9, 10)
    read.require(replace(policy(), max_epsilon=1.0), allow_unprotected=True)


def test_what_must_be_left_out_must_be_even_in_research():
    with pytest.raises(LabelError, match="wants tobacco left out"):
        label().require(replace(policy(), must_exclude=("tobacco",)), allow_unprotected=True)


# --- What it is the label of ---


def test_a_label_before_there_is_a_bundle_or_model_is_read_and_fits_none(good_manifest):
    model_only = label(bundle=None)
    neither = Label.parse(label_bytes(make_label(facts())))

    assert (model_only.bundle, neither.model) == (None, None)
    for early in (model_only, neither):
        with pytest.raises(BundleFormatError, match="is for bundle none, this is shop-14"):
            early.check_fits(good_manifest)


@pytest.mark.parametrize(
    "other",
    [
        {"name": "shop-15"},
        {"version": 4},
        {"created": BUNDLE.created - timedelta(days=1)},
        {"valid_until": BUNDLE.valid_until + timedelta(days=1)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_label_of_another_bundle_is_refused(good_manifest, other):
    label().check_fits(good_manifest)

    with pytest.raises(BundleFormatError, match="is for bundle shop-1"):
        label(bundle=replace(BUNDLE, **other)).check_fits(good_manifest)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"sha256": "1" * 64}, "SHA-256"),
        ({"parts": ("repeat", "popularity")}, "parts repeat, popularity"),
        ({"inputs": ("event_item",)}, "inputs event_item"),
    ],
)
def test_a_label_of_another_graph_is_refused(good_manifest, other, words):
    made = make_label(facts(), model=replace(MODEL, **other), bundle=BUNDLE)

    with pytest.raises(ModelMismatchError, match=words):
        Label.parse(label_bytes(made)).check_fits(good_manifest)


def test_a_label_of_no_graph_is_refused(good_manifest):
    made = label_bytes(make_label(facts(), bundle=BUNDLE))

    with pytest.raises(ModelMismatchError, match="describes no graph"):
        Label.parse(made).check_fits(good_manifest)


@pytest.fixture
def good_manifest():
    """Return the manifest that the label of the tests was made for."""
    from shelfrank.bundle.manifest import GRAPH_INPUTS, FileEntry, Manifest, ModelInfo

    whole = ModelInfo.standard(parts=MODEL.parts, n_items=1, n_categories=0, tolerance=0.0)
    inputs = tuple(spec for spec in GRAPH_INPUTS if spec.name in MODEL.inputs)
    return Manifest(
        format=0,
        name=BUNDLE.name,
        version=BUNDLE.version,
        issued_at=BUNDLE.created,
        expires=BUNDLE.valid_until,
        min_sdk=(0, 1),
        files=(FileEntry(path="model.onnx", size=1, sha256=MODEL.sha256, critical=True),),
        model=replace(whole, inputs=inputs),
    )
