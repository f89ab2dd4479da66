"""What a device refuses to open, and that nothing is changed by the attempt (R2, R5, P2, P8)."""

from __future__ import annotations

import json
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from shelfrank import Candidate, Device, Dropped, keys
from shelfrank.errors import (
    BundleError,
    BundleExpiredError,
    BundleFormatError,
    HistoryError,
    ModelMismatchError,
    PolicyError,
    RuntimeGuardError,
    SignatureError,
    WrongKeyError,
)
from shelfrank.types import RANK_PURPOSE
from support import corner_shop
from support.corner_shop import BREAD, MILK, TEA, Label
from support.home import Home, grant, order_of, outcome, policy
from support.publisher import BOB, Forgery, Publisher

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home whose device knows one purchase."""
    home = Home(tmp_path)
    with home.open() as device:
        grant(device)
        device.record("purchase", TEA)
    return home


def serves(device: Device) -> bool:
    """Say whether the device still knows the purchase and ranks by it."""
    page = device.rank()
    return page.mode == "personal" and TEA in page[0].contributions()


def still_serves(home: Home) -> bool:
    with home.open() as device:
        return serves(device)


def test_a_wrong_key_is_refused_and_changes_nothing(home: Home) -> None:
    before = home.files()

    with pytest.raises(WrongKeyError):
        home.open(key=keys.host(b"another secret of some length"))

    assert home.files() == before
    assert still_serves(home)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8, 0.999])
def test_a_bundle_with_one_byte_changed_is_refused_and_changes_nothing(
    home: Home, share: float
) -> None:
    assert home.bundle is not None
    before = home.files()
    changed = bytearray(home.bundle)
    changed[int(share * len(changed))] ^= 1

    with pytest.raises(BundleError):
        home.open(bundle=bytes(changed))

    assert home.files() == before
    assert still_serves(home)


def test_a_bundle_of_strangers_is_refused_and_changes_nothing(home: Home) -> None:
    before = home.files()

    with pytest.raises(SignatureError):
        home.open(trust=Publisher(BOB).trust)

    assert home.files() == before


def test_a_bundle_past_its_date_is_refused_where_it_never_served(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.clock.turn(days=4 * 365)

    with pytest.raises(BundleExpiredError):
        home.open()

    assert home.files() == {}


def test_a_bundle_whose_golden_vectors_do_not_match_is_refused_and_changes_nothing(
    home: Home,
) -> None:
    before = home.files()
    golden: dict[str, Any] = json.loads(corner_shop.verified().golden)
    golden["cases"][0]["parts"][0][0] += 0.01
    other = corner_shop.bundle_bytes(
        policy=policy(), files={"golden.json": json.dumps(golden).encode()}, version=2
    )

    with pytest.raises(ModelMismatchError, match="golden vector 0"):
        home.open(bundle=other)

    assert home.files() == before
    assert still_serves(home)


def test_a_refused_bundle_releases_the_history(home: Home) -> None:
    with pytest.raises(BundleError):
        home.open(bundle=b"no bundle")
    with home.open(bundle=None, trust=None) as device:
        assert device.consent.withdraw(RANK_PURPOSE).erased


def test_files_are_read_as_well_as_bytes(home: Home, tmp_path: Path) -> None:
    assert home.bundle is not None
    (tmp_path / "shop.shelfrank").write_bytes(home.bundle)
    (tmp_path / "root.json").write_bytes(corner_shop.TRUST)
    (tmp_path / "policy.toml").write_bytes(policy())

    with home.open(
        bundle=tmp_path / "shop.shelfrank",
        trust=str(tmp_path / "root.json"),
        policy=tmp_path / "policy.toml",
    ) as device:
        assert serves(device)


# --- Label and policy ---


def test_an_unprotected_label_is_refused_unless_told(home: Home) -> None:
    red = corner_shop.bundle_bytes(
        policy=policy(), label=Label(min_shoppers=5, unprotected=True), version=2
    )

    with pytest.raises(BundleError, match="unprotected") as caught:
        home.open(bundle=red)
    assert caught.value.hint is not None
    assert "allow_unprotected" in caught.value.hint

    with home.open(bundle=red, allow_unprotected=True) as device:
        assert serves(device)


def test_numbers_over_fewer_shoppers_than_the_policy_asks_are_refused(home: Home) -> None:
    with pytest.raises(BundleError, match="cover at least 20 shoppers, the policy wants 50"):
        home.open(policy=policy(min_shoppers=50))
    few = corner_shop.bundle_bytes(label=Label(min_shoppers=19), version=2)
    with pytest.raises(BundleError, match="cover at least 19 shoppers, the policy wants 20"):
        home.open(bundle=few, policy=policy(min_shoppers=20))
    with home.open(policy=policy(min_shoppers=20)) as device:
        assert device.rank().mode == "personal"


def test_a_policy_that_cannot_be_read_is_refused_and_changes_nothing(home: Home) -> None:
    before = home.files()
    with pytest.raises(PolicyError):
        home.open(policy=b"[policy")
    forgery = Forgery(files={"policy.toml": b"[policy"})
    bad = Publisher(name="corner-shop").bundle(version=2, forgery=forgery)
    with pytest.raises(PolicyError):
        home.open(bundle=bad)
    assert home.files() == before


def test_a_policy_that_excludes_categories_needs_a_catalog_that_has_them(home: Home) -> None:
    blind = corner_shop.bundle_bytes(
        policy=policy(), label=Label(stated={"has_categories": False}), version=2
    )

    with pytest.raises(PolicyError, match="catalog has none") as caught:
        home.open(bundle=blind)

    assert caught.value.hint is not None
    assert "no-categories" in caught.value.hint


# --- The runtime (P2) ---


def test_a_telemetry_switch_that_is_on_is_refused(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    before = home.files()

    with pytest.raises(RuntimeGuardError, match="ORT_DISABLE_TELEMETRY is '0', wanted '1'"):
        home.open()
    with pytest.raises(RuntimeGuardError):
        home.open(bundle=None, trust=None)

    assert home.files() == before


def test_a_switch_that_is_turned_on_later_makes_ranking_generic(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with home.open() as device:
        monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
        page = device.rank([MILK, BREAD])
        monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")

        assert outcome(page) == ("generic", "runtime_unguarded", "caller_order")
        assert order_of(page) == [MILK, BREAD]
        assert device.rank().mode == "personal"


def test_a_runtime_that_was_there_before_is_refused(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))

    with pytest.raises(RuntimeGuardError, match="imported before shelfrank"):
        home.open()


# --- What breaks later ---


def test_a_model_that_fails_at_run_leaves_the_callers_order(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with home.open() as device:
        assert device._ranker is not None

        def fail(_: object) -> None:
            raise ModelMismatchError("the graph failed (Fail)")

        monkeypatch.setattr(device._ranker._session, "run", fail)
        page = device.rank([MILK, TEA, BREAD], k=2)

        assert outcome(page) == ("generic", "model_failed", "caller_order")
        assert order_of(page) == [MILK, TEA]
        assert device.rank().items == ()
        assert page[0].why("de") == "Für alle gleich: ohne Ihre Daten gereiht."


def test_a_history_that_cannot_be_read_any_more_leaves_everybodys_ranking(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with home.open() as device:

        def fail(_: str) -> None:
            raise HistoryError("the disk failed")

        monkeypatch.setattr(device._history, "events", fail)
        page = device.rank()

    with Device.open(None, bundle=home.bundle, trust=corner_shop.TRUST, clock=home.clock) as device:
        generic = device.rank()
    assert outcome(page) == ("generic", "history_unavailable", "popular")
    assert order_of(page) == order_of(generic)


def test_a_bundle_that_is_no_file_is_a_clear_error(home: Home, tmp_path: Path) -> None:
    for wrong in (tmp_path / "nothing.shelfrank", tmp_path):
        with pytest.raises(BundleError):
            home.open(bundle=wrong)
    with pytest.raises(BundleFormatError):
        home.open(bundle=b"")


# --- Misuse: what, got, wanted ---


def test_a_key_that_is_no_provider_is_refused_by_its_type_alone(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="key is str, wanted one of shelfrank") as caught:
        Device.open(tmp_path / "p", bundle=None, trust=None, key="hunter2")  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)


def test_a_key_file_in_the_folder_it_locks_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "profile"

    with pytest.raises(ValueError, match="wanted it elsewhere"):
        Device.open(folder, bundle=None, trust=None, key=keys.file(folder / "deep" / "key"))
    assert not folder.exists()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"time": "2026-01-01"}, TypeError, "time is str, wanted an aware datetime"),
        ({"quantity": "2"}, TypeError, "quantity is str"),
        ({"quantity": True}, TypeError, "quantity is bool"),
        ({"quantity": -1}, ValueError, "quantity is negative"),
        ({"quantity": float("nan")}, ValueError, "quantity is negative or not finite"),
        ({"visit": "old"}, ValueError, "wanted current or new"),
    ],
)
def test_a_wrong_argument_of_record_is_named_and_stores_nothing(
    home: Home, arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    before = home.files()

    with home.open() as device, pytest.raises(error, match=words):
        device.record("purchase", TEA, **arguments)

    assert home.files() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"k": "3"}, "k is str"),
        ({"k": 2.5}, "k is float"),
        ({"candidates": 5}, "candidates is int, wanted a list"),
    ],
)
def test_a_wrong_argument_of_rank_is_named(
    home: Home, arguments: dict[str, Any], words: str
) -> None:
    with home.open() as device, pytest.raises(TypeError, match=words):
        device.rank(**arguments)


def test_any_iterable_of_candidates_is_ranked(home: Home) -> None:
    with home.open() as device:
        assert order_of(device.rank(c for c in (TEA, MILK))) == order_of(device.rank([TEA, MILK]))


@pytest.mark.parametrize("wrong", [{"item_id": 5}, {"item_id": "a", "category": 5}])
def test_a_candidate_of_something_else_than_text_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="is int, wanted text"):
        Candidate(**wrong)


def test_without_a_policy_nothing_is_kept_and_the_reason_says_so(tmp_path: Path) -> None:
    home = Home(tmp_path, bundle_bytes=corner_shop.bundle_bytes())

    with home.open() as device:
        assert device.record("purchase", TEA) == Dropped("no_policy")
    assert home.files() == {}
