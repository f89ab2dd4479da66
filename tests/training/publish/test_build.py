"""Building and signing: the same inputs, the same bytes, and nothing a device would refuse."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from shelfrank.bundle.archive import read_members, root_name
from shelfrank.bundle.verify import verify_bundle
from shelfrank.errors import BundleError, SignatureError
from shelfrank_training.errors import PublishError
from shelfrank_training.publish.build import build_bundle, sign_bundle, throwaway
from support.home import policy
from support.hostile_models import endless_loop
from support.publisher import ALICE, BOB, NOW, TRIO, YEAR, Publisher
from support.tiny_model import INFO, write_model_folder


@pytest.fixture
def folder(tmp_path):
    return write_model_folder(tmp_path / "model")


def build(folder, root, **changes):
    settings = {"name": "shop-14", "version": 1, "issued_at": NOW, "expires": NOW + YEAR}
    return build_bundle(folder, root=root, **(settings | changes))


def test_a_model_folder_becomes_a_bundle_a_device_accepts(folder):
    root = Publisher().trust

    signed = sign_bundle(build(folder, root), ALICE.bundle[0])

    bundle = verify_bundle(signed, trust=root, now=NOW)
    assert bundle.manifest.model == INFO
    passed_over = [entry.path for entry in bundle.manifest.files if not entry.critical]
    assert passed_over == ["model-card.json"]


def test_the_same_folder_gives_the_same_bytes(folder):
    root = Publisher().trust

    assert build(folder, root) == build(folder, root)


def test_a_bundle_is_not_trusted_before_it_is_signed(folder):
    root = Publisher().trust

    with pytest.raises(SignatureError, match="signed by 0 trusted keys, 1 are needed"):
        verify_bundle(build(folder, root), trust=root, now=NOW)


def test_a_policy_in_the_folder_travels(folder):
    (folder / "policy.toml").write_bytes(policy())

    assert read_members(build(folder, Publisher().trust))["policy.toml"] == policy()


def test_what_the_model_was_trained_on_stays_at_home(folder):
    described = json.loads((folder / "model.json").read_bytes()) | {"holdout": {"salt": "secret"}}
    (folder / "model.json").write_text(json.dumps(described))

    assert b"secret" not in build(folder, Publisher().trust)


@pytest.mark.parametrize("name", ["model.onnx", "catalog.bin", "label.json", "golden.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()

    with pytest.raises(PublishError, match=f"no readable {name}"):
        build(folder, Publisher().trust)


def test_a_model_that_a_device_would_refuse_is_not_built(folder):
    write_model_folder(folder, endless_loop())

    with pytest.raises(BundleError):
        build(folder, Publisher().trust)


@pytest.mark.parametrize("name", ["Shop", "../shop", "", "-shop"])
def test_a_name_that_a_device_would_refuse_is_not_built(folder, name):
    with pytest.raises(BundleError):
        build(folder, Publisher().trust, name=name)


def test_a_bundle_that_would_never_be_valid_is_not_built(folder):
    with pytest.raises(PublishError, match="not after its issue"):
        build(folder, Publisher().trust, expires=NOW)


def test_roots_that_a_device_could_not_walk_are_not_built(folder):
    publisher = Publisher()
    publisher.rotate(BOB)
    publisher.rotate(TRIO)

    build(folder, tuple(publisher.roots))
    with pytest.raises(SignatureError):
        build(folder, (publisher.roots[0], publisher.roots[2]))
    with pytest.raises(PublishError):
        build(folder, ())


def test_the_chain_of_roots_travels(folder):
    publisher = Publisher()
    publisher.rotate(BOB)

    members = read_members(build(folder, tuple(publisher.roots)))

    assert members[root_name(2)] == publisher.roots[1]


def test_owners_sign_in_any_order_and_twice_changes_nothing(folder):
    red, green, _ = TRIO.bundle
    unsigned = build(folder, Publisher(TRIO).trust)

    one = sign_bundle(sign_bundle(unsigned, red), green)
    other = sign_bundle(sign_bundle(sign_bundle(unsigned, green), red), green)

    assert one == other
    verify_bundle(one, trust=Publisher(TRIO).trust, now=NOW)


def test_a_key_that_may_not_sign_does_not(folder):
    unsigned = build(folder, Publisher().trust)

    for stranger in (ALICE.root[0], BOB.bundle[0]):
        with pytest.raises(PublishError, match="may not sign bundles"):
            sign_bundle(unsigned, stranger)


def test_a_damaged_bundle_is_not_signed(folder):
    data = build(folder, Publisher().trust)

    with pytest.raises(BundleError):
        sign_bundle(data[:-1], ALICE.bundle[0])


def test_a_throwaway_bundle_passes_the_devices_own_verification_just_now(folder):
    data, root = throwaway(folder, NOW)

    assert verify_bundle(data, trust=root, now=NOW).manifest.name == "throwaway"
    assert throwaway(folder, NOW)[1] != root
    with pytest.raises(BundleError):
        verify_bundle(data, trust=root, now=NOW + timedelta(days=2))
