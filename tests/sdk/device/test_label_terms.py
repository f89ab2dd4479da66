"""What a policy asks of a label, a device enforces, before anything is touched (P8, R5)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import pytest

from shelfrank.errors import BundleError, BundleFormatError, LabelError
from support import corner_shop
from support.corner_shop import TEA, Label
from support.home import Home, grant, order_of, outcome, policy
from support.labels import edited, noisy_facts
from support.publisher import NOW, YEAR, Forgery, Publisher

if TYPE_CHECKING:
    from pathlib import Path

NOISE = noisy_facts()
NOISY = {
    name: getattr(NOISE, name)
    for name in ("tables", "mechanism", "epsilon", "delta", "accountant", "time_from")
}
LEFT_OUT = {"policy": ("corner-shop", 3), "excluded_categories": ("drug", "wine")}


DATES: Final = {"issued_at": NOW, "expires": NOW + YEAR}


@cache
def noisy() -> bytes:
    return corner_shop.bundle_bytes(label=Label(stated=NOISY | LEFT_OUT), version=2)


def asking(**asked: object) -> bytes:
    """Return the shop's policy with more that it asks for."""
    return policy(asked=asked)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home whose device knows one purchase."""
    home = Home(tmp_path)
    with home.open() as device:
        grant(device)
        device.record("purchase", TEA)
    return home


TERMS: dict[str, tuple[dict[str, object], str, object, object]] = {
    "min_shoppers": ({"min_shoppers": 21}, "min_shoppers", 20, 21),
    "max_epsilon": ({"max_epsilon": 0.5}, "max_epsilon", NOISE.epsilon, 0.5),
    "must_exclude": (
        {"must_exclude": ["Drug/Baby", "Spirits"]},
        "must_exclude",
        ("drug", "wine"),
        ("spirits",),
    ),
}


@pytest.mark.parametrize("case", TERMS)
def test_a_label_that_promises_less_is_refused_and_changes_nothing(home: Home, case: str) -> None:
    asked, term, got, wanted = TERMS[case]
    before = home.files()

    with pytest.raises(LabelError) as caught:
        home.open(bundle=noisy(), policy=asking(**asked))

    assert (caught.value.term, caught.value.got, caught.value.wanted) == (term, got, wanted)
    assert isinstance(caught.value, BundleError)
    assert home.files() == before
    with home.open() as device:
        assert device.rank().mode == "personal"


@pytest.mark.parametrize("case", TERMS)
def test_a_new_device_is_not_even_made(tmp_path: Path, case: str) -> None:
    home = Home(tmp_path, bundle_bytes=noisy())

    with pytest.raises(LabelError):
        home.open(policy=asking(**TERMS[case][0]))

    assert home.files() == {}


def test_a_label_that_keeps_all_terms_is_served(tmp_path: Path) -> None:
    home = Home(tmp_path, bundle_bytes=noisy())
    asked = asking(
        min_shoppers=20, max_epsilon=NOISE.epsilon, must_exclude=["Wine", "drug / BABY", "drug"]
    )

    with home.open(policy=asked) as device:
        grant(device)
        device.record("purchase", TEA)
        assert device.rank().mode == "personal"


def test_a_bundle_without_epsilon_does_not_satisfy_any(home: Home) -> None:
    with pytest.raises(LabelError, match="promises no epsilon, the policy wants at most 1000"):
        home.open(policy=asking(max_epsilon=1000))


def test_the_stricter_of_bundle_and_app_is_asked(home: Home) -> None:
    with pytest.raises(LabelError, match="wants wine left out"):
        home.open(policy=asking(must_exclude=["wine"]))


def test_without_the_bundle_the_device_opens_as_ever(home: Home) -> None:
    asked = asking(max_epsilon=0.5)

    with home.open(bundle=None, trust=None, policy=asked) as device:
        page = device.rank(["7", TEA])

        assert outcome(page) == ("generic", "no_bundle", "caller_order")
        assert order_of(page) == ["7", TEA]
        assert device.consent.withdraw("rank_products").erased


def test_research_takes_any_number_of_shoppers_and_any_epsilon(home: Home) -> None:
    few = corner_shop.bundle_bytes(label=Label(min_shoppers=5, unprotected=True), version=2)

    with home.open(bundle=few, policy=asking(max_epsilon=0.1), allow_unprotected=True) as device:
        assert device.rank().mode == "personal"
    with pytest.raises(LabelError, match="left out"):
        home.open(bundle=few, policy=asking(must_exclude=["drug"]), allow_unprotected=True)


def test_a_catalog_with_a_category_that_the_label_says_was_left_out_is_refused(
    home: Home,
) -> None:
    """Only a publisher who goes round the own tools can sign it; a device tells all the same."""
    before = home.files()
    label = Publisher(name="corner-shop").members(version=2, **DATES)["label.json"]
    for change in (
        ("policy", {"id": "corner-shop", "version": 3}),
        ("warnings", [{"code": "no_differential_privacy"}]),
        ("excluded", "categories", ["dairy"]),
    ):
        label = edited(label, *change)

    with pytest.raises(BundleFormatError, match="category dairy/milk was left out"):
        home.open(bundle=signed(label, version=2), policy=policy())

    assert home.files() == before


def test_a_label_of_another_version_of_the_line_is_refused(home: Home) -> None:
    """The label of bundle 2 in bundle 3: signed, and yet not what it says."""
    label = Publisher(name="corner-shop").members(version=2, **DATES)["label.json"]

    with pytest.raises(BundleFormatError, match="is for bundle corner-shop version 2, this is"):
        home.open(bundle=signed(label, version=3), policy=policy())


def signed(label: bytes, *, version: int) -> bytes:
    """Return a bundle of the line with another label, signed by the trusted key."""
    forgery = Forgery(files={"label.json": label})
    return Publisher(name="corner-shop").bundle(version=version, **DATES, forgery=forgery)
