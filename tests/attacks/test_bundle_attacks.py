"""Bundles an attacker, a thief of keys or a careless publisher might offer; none changes anything.

Each test accepts a good bundle first, so that a refusal can only come from the attack.
"""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfrank.bundle import archive
from shelfrank.bundle.archive import read_members, root_name, write_members
from shelfrank.bundle.signature import ROOT_TYPE, dump_detached
from shelfrank.bundle.trust import RootEnvelope
from shelfrank.bundle.verify import verify_bundle
from shelfrank.errors import (
    BundleError,
    BundleExpiredError,
    BundleFormatError,
    ModelMismatchError,
    RollbackError,
    SignatureError,
)
from shelfrank_training.publish.catalog import CatalogRow, write_catalog
from shelfrank_training.publish.keys import make_root, role, sign_root
from support.hostile_models import HOSTILE_MODELS
from support.labels import edited
from support.publisher import ALICE, BOB, NOW, TRIO, YEAR, Forgery, Publisher, key


class Kiosk:
    """What a device keeps between updates, without a device."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.trust = publisher.trust
        self.installed = None
        self.serving = None

    def install(self, data: bytes) -> None:
        bundle = verify_bundle(data, trust=self.trust, now=NOW, installed=self.installed)
        self.installed, self.serving = bundle.mark(self.installed), bundle

    def refuses(self, data: bytes, error: type[BundleError] = BundleError) -> str:
        """Offer a bundle, see just this error and nothing changed; return the message."""
        before = (self.installed, self.serving)
        with pytest.raises(error) as caught:
            self.install(data)
        assert type(caught.value) is error or error is BundleError
        assert (self.installed, self.serving) == before
        return str(caught.value)


@pytest.fixture
def kiosk() -> Kiosk:
    device = Kiosk(Publisher())
    device.install(device.publisher.bundle(version=5))
    return device


def good_members(kiosk: Kiosk) -> dict[str, bytes]:
    return read_members(kiosk.publisher.bundle(version=6))


# Changed bytes


def test_every_byte_of_a_bundle_flipped_is_refused(kiosk):
    good = kiosk.publisher.bundle(version=6)

    for position in range(len(good)):
        changed = bytearray(good)
        changed[position] ^= 1 << position % 8
        kiosk.refuses(bytes(changed))

    kiosk.install(good)


@pytest.mark.slow
def test_every_byte_of_every_member_flipped_under_a_repaired_container_is_refused(kiosk):
    # The checksums of the container hide everything behind them: here they are made right again.
    members = good_members(kiosk)

    for name, data in members.items():
        for position in range(len(data)):
            changed = bytearray(data)
            changed[position] ^= 1 << position % 8
            kiosk.refuses(write_members({**members, name: bytes(changed)}))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_manifest_a_thief_of_keys_signs_is_accepted_or_refused_with_a_typed_error(data):
    def change(raw):
        changed = bytearray(raw)
        position = data.draw(st.integers(0, len(raw) - 1))
        changed[position] = data.draw(st.integers(0, 255))
        return bytes(changed)

    publisher = Publisher()
    offered = publisher.bundle(forgery=Forgery(raw_manifest=change))

    with contextlib.suppress(BundleError):
        verify_bundle(offered, trust=publisher.trust, now=NOW)


# Signatures


def test_a_bundle_nobody_signed_is_refused(kiosk):
    kiosk.refuses(kiosk.publisher.bundle(version=6, forgery=Forgery(signers=())), SignatureError)


def test_a_bundle_signed_by_a_stranger_is_refused(kiosk):
    forgery = Forgery(signers=BOB.bundle)

    kiosk.refuses(kiosk.publisher.bundle(version=6, forgery=forgery), SignatureError)


def test_a_bundle_with_the_strangers_own_root_is_refused(kiosk):
    kiosk.refuses(Publisher(BOB).bundle(version=6), SignatureError)


def test_a_bundle_signed_by_the_root_key_is_refused(kiosk):
    forgery = Forgery(signers=ALICE.root)

    kiosk.refuses(kiosk.publisher.bundle(version=6, forgery=forgery), SignatureError)


def test_a_manifest_signed_as_a_root_is_refused(kiosk):
    forgery = Forgery(payload_type=ROOT_TYPE)

    kiosk.refuses(kiosk.publisher.bundle(version=6, forgery=forgery), SignatureError)


def test_a_stranger_who_writes_the_owners_key_id_is_refused(kiosk):
    members = good_members(kiosk)
    raw = members["manifest.json"]
    forged = key("mallory").sign(raw, payload_type=ROOT_TYPE)
    named = type(forged)(key_id=ALICE.bundle[0].key_id, value=forged.value)

    kiosk.refuses(
        write_members({**members, "manifest.sig.json": dump_detached([named])}), SignatureError
    )


def test_signatures_below_the_threshold_are_refused():
    device = Kiosk(Publisher(TRIO))
    device.install(device.publisher.bundle(version=5))
    lone = Forgery(signers=TRIO.bundle[:1])

    device.refuses(device.publisher.bundle(version=6, forgery=lone), SignatureError)


def test_the_same_key_twice_does_not_reach_a_threshold_of_two():
    device = Kiosk(Publisher(TRIO))
    device.install(device.publisher.bundle(version=5))
    twice = Forgery(signers=TRIO.bundle[:1] * 2)

    assert "twice" in device.refuses(
        device.publisher.bundle(version=6, forgery=twice), BundleFormatError
    )


def test_one_good_signature_does_not_cover_for_a_bad_one_beside_it():
    device = Kiosk(Publisher(TRIO))
    device.install(device.publisher.bundle(version=5))
    members = read_members(device.publisher.bundle(version=6))
    red, green, blue = TRIO.bundle
    raw = members["manifest.json"]
    signatures = [signer.sign(raw, payload_type="x") for signer in (blue,)]
    kind = "application/vnd.shelfrank.bundle-manifest.v0+json"
    signatures += [signer.sign(raw, payload_type=kind) for signer in (red, green)]

    device.refuses(
        write_members({**members, "manifest.sig.json": dump_detached(signatures)}), SignatureError
    )


# Roots


def test_a_new_root_the_old_owners_did_not_sign_is_refused(kiosk):
    kiosk.publisher.add_root(BOB, signers=BOB.root)

    message = kiosk.refuses(kiosk.publisher.bundle(version=6), SignatureError)

    assert "by the keys of roots/1.json" in message


def test_a_new_root_the_new_owners_did_not_sign_is_refused(kiosk):
    kiosk.publisher.add_root(BOB, signers=ALICE.root)

    message = kiosk.refuses(kiosk.publisher.bundle(version=6), SignatureError)

    assert "by its own keys" in message


def test_a_new_root_signed_by_the_bundle_key_is_refused(kiosk):
    kiosk.publisher.add_root(BOB, signers=(*ALICE.bundle, *BOB.root))

    kiosk.refuses(kiosk.publisher.bundle(version=6), SignatureError)


def test_a_new_root_below_the_old_threshold_is_refused():
    device = Kiosk(Publisher(TRIO))
    device.install(device.publisher.bundle(version=5))
    device.publisher.add_root(BOB, signers=(TRIO.root[0], *BOB.root))

    device.refuses(device.publisher.bundle(version=6), SignatureError)


def test_a_gap_between_roots_is_refused(kiosk):
    kiosk.publisher.rotate(BOB)
    kiosk.publisher.rotate(TRIO)
    forgery = Forgery(files={root_name(2): None})

    kiosk.refuses(kiosk.publisher.bundle(version=6, forgery=forgery), SignatureError)


def test_a_root_that_claims_another_version_than_its_name_is_refused(kiosk):
    kiosk.publisher.add_root(BOB, signers=(*ALICE.root, *BOB.root), version=3)

    kiosk.refuses(kiosk.publisher.bundle(version=6), BundleFormatError)


def test_the_first_root_offered_again_under_the_next_name_is_refused(kiosk):
    again = Forgery(files={root_name(2): kiosk.publisher.trust})

    kiosk.refuses(kiosk.publisher.bundle(version=6, forgery=again), BundleFormatError)


def test_a_last_root_that_has_expired_is_refused(kiosk):
    kiosk.publisher.add_root(BOB, signers=(*ALICE.root, *BOB.root), expires=NOW - timedelta(days=1))

    kiosk.refuses(kiosk.publisher.bundle(version=6), BundleExpiredError)


def test_a_root_whose_key_ids_are_not_those_of_its_keys_is_refused(kiosk):
    # Two names for one key would let one owner reach a threshold of two.
    def rename(payload):
        return payload.replace(BOB.root[0].key_id.encode(), b"0" * 16)

    kiosk.publisher.roots.append(forged_root(rename))

    assert "not the id" in kiosk.refuses(kiosk.publisher.bundle(version=6), BundleFormatError)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"threshold": 1', b'"threshold": 0'),
        (b'"threshold": 1', b'"threshold": 2'),
        (b'"threshold": 1', b'"threshold": true'),
        (b'"type": "ed25519"', b'"type": "none"'),
        (b'"roles"', b'"rules"'),
        (b'"version": 2', b'"version": 2, "version": 2'),
        (b'"version": 2', b'"version": 2.0'),
        (b'"public": "', b'"public": "AA'),
    ],
    ids=range(8),
)
def test_a_root_that_breaks_the_rules_is_refused_even_when_signed(kiosk, old, new):
    def change(payload):
        assert old in payload
        return payload.replace(old, new)

    kiosk.publisher.roots.append(forged_root(change))

    kiosk.refuses(kiosk.publisher.bundle(version=6), BundleFormatError)


def test_roots_without_end_are_refused(kiosk):
    extra = {root_name(i): b"{}" for i in range(2, 70)}

    with pytest.raises(BundleFormatError):
        write_members({**good_members(kiosk), **extra})


def test_a_trusted_root_that_is_damaged_is_refused(kiosk):
    kiosk.trust = kiosk.trust.replace(b"A", b"B")

    kiosk.refuses(kiosk.publisher.bundle(version=6))


# Time and versions


def test_an_old_bundle_replayed_is_refused(kiosk):
    kiosk.refuses(kiosk.publisher.bundle(version=4), RollbackError)


def test_another_bundle_under_the_installed_version_is_refused(kiosk):
    kiosk.refuses(kiosk.publisher.bundle(version=5, expires=NOW + 3 * YEAR), RollbackError)


def test_an_expired_bundle_is_refused(kiosk):
    kiosk.refuses(
        kiosk.publisher.bundle(version=6, expires=NOW - timedelta(seconds=1)), BundleExpiredError
    )


def test_a_bundle_of_another_shop_is_refused(kiosk):
    kiosk.refuses(Publisher(name="shop-15").bundle(version=6))


# Files


@pytest.mark.parametrize("name", ["model.onnx", "catalog.bin", "label.json", "golden.json"])
def test_a_needed_file_left_out_is_refused_signed_or_not(kiosk, name):
    for forgery in (Forgery(files={name: None}), Forgery(after={name: None})):
        message = kiosk.refuses(
            kiosk.publisher.bundle(version=6, forgery=forgery), BundleFormatError
        )
        assert name in message


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig.json"])
def test_a_bundle_without_manifest_or_signatures_is_refused(kiosk, name):
    forgery = Forgery(after={name: None})

    kiosk.refuses(kiosk.publisher.bundle(version=6, forgery=forgery), BundleFormatError)


@pytest.mark.parametrize("name", ["extra.bin", "policy.toml", "roots/2.json"])
def test_a_file_added_after_signing_is_refused(kiosk, name):
    forgery = Forgery(after={name: b"x"})

    kiosk.refuses(kiosk.publisher.bundle(version=6, forgery=forgery))


def test_a_policy_taken_out_after_signing_is_refused(kiosk):
    forgery = Forgery(files={"policy.toml": b"x"}, after={"policy.toml": None})

    kiosk.refuses(kiosk.publisher.bundle(version=6, forgery=forgery), BundleFormatError)


def test_a_file_changed_after_signing_is_refused(kiosk):
    label = good_members(kiosk)["label.json"]
    changed = edited(label, "privacy", "min_shoppers", 51)
    forgery = Forgery(after={"label.json": changed})

    kiosk.refuses(kiosk.publisher.bundle(version=6, forgery=forgery), BundleFormatError)


def test_files_of_two_bundles_mixed_are_refused(kiosk):
    other = write_catalog([CatalogRow(item_id=i) for i in "abc"])
    forgery = Forgery(after={"catalog.bin": other})

    kiosk.refuses(kiosk.publisher.bundle(version=6, forgery=forgery), BundleFormatError)


def test_a_catalog_that_does_not_fit_the_model_is_refused_even_when_signed(kiosk):
    small = write_catalog([CatalogRow(item_id="a")])
    forgery = Forgery(files={"catalog.bin": small})

    kiosk.refuses(kiosk.publisher.bundle(version=6, forgery=forgery), ModelMismatchError)


@pytest.mark.parametrize(
    "edit",
    [
        lambda m: m.pop("format"),
        lambda m: m.update(format="0"),
        lambda m: m.update(version=0),
        lambda m: m.update(version=2**53),
        lambda m: m.update(version=True),
        lambda m: m.update(name="../shop"),
        lambda m: m.update(name=""),
        lambda m: m.update(expires="never"),
        lambda m: m.update(min_sdk="0.1.0"),
        lambda m: m.update(files=[]),
        lambda m: m.update(files=[m["files"][0], *m["files"]]),
        lambda m: m.update(files=m["files"][::-1]),
        lambda m: m["files"][0].update(size=m["files"][0]["size"] + 1),
        lambda m: m["files"][0].update(size=-1),
        lambda m: m["files"][0].update(sha256="0" * 64),
        lambda m: m["files"][0].update(sha256=m["files"][0]["sha256"].upper()),
        lambda m: m["files"][0].update(critical="no"),
        lambda m: m["files"][0].update(path="../catalog.bin"),
        lambda m: m["files"][0].update(path="manifest.json"),
        lambda m: m.update(model=None),
        lambda m: m["model"].update(parts=[]),
        lambda m: m["model"].update(parts=["popularity", "popularity"]),
        lambda m: m["model"].update(parts=["popularity"]),
        lambda m: m["model"].update(tolerance="0.1"),
        lambda m: m["model"].update(n_items=0),
        lambda m: m["model"]["inputs"].append(m["model"]["inputs"][0]),
        lambda m: m["model"]["inputs"][0].update(name="location"),
        lambda m: m["model"]["inputs"][0].update(type="float32"),
        lambda m: m["model"]["inputs"][0].update(shape=["E", "E"]),
        lambda m: m["model"]["outputs"].pop(),
    ],
    ids=range(30),
)
def test_a_manifest_that_breaks_the_rules_is_refused_even_when_signed(kiosk, edit):
    forgery = Forgery(edit_manifest=edit)

    kiosk.refuses(kiosk.publisher.bundle(version=6, forgery=forgery))


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace(b'"version": 6', b'"version": 6, "version": 7'),
        lambda raw: raw.replace(b'"version": 6', b'"version": NaN'),
        lambda raw: b"\xef\xbb\xbf" + raw,
        lambda raw: raw + b"{}",
        lambda _: b"[" * 60_000,
        lambda _: b"",
    ],
    ids=["duplicate", "nan", "bom", "two", "deep", "empty"],
)
def test_a_manifest_with_two_meanings_is_refused_even_when_signed(kiosk, change):
    forgery = Forgery(raw_manifest=change)

    kiosk.refuses(kiosk.publisher.bundle(version=6, forgery=forgery), BundleFormatError)


@pytest.mark.parametrize(
    "edit",
    [
        lambda _: b"",
        lambda _: b"[]",
        lambda label: edited(label, "label_version", "0"),
        lambda label: edited(label, "privacy", None),
        lambda label: edited(label, "privacy", "min_shoppers", 0),
        lambda label: edited(label, "privacy", "min_shoppers", "50"),
        lambda label: edited(label, "privacy", "unprotected", 0),
        lambda label: edited(label, "privacy", "epsilon", -1),
        lambda label: edited(label, "privacy", "delta", 1e-6),
        lambda label: edited(label, "privacy", "mechanism", "trust us"),
        lambda label: edited(label, "bundle", None),
        lambda label: edited(label, "bundle", "version", 7),
    ],
    ids=range(12),
)
def test_a_label_that_promises_nothing_readable_is_refused_even_when_signed(kiosk, edit):
    label = good_members(kiosk)["label.json"]
    forgery = Forgery(files={"label.json": edit(label)})
    bundle = kiosk.publisher.bundle(version=6, forgery=forgery)

    kiosk.refuses(bundle, BundleFormatError)


@pytest.mark.parametrize(
    ("place", "value"),
    [("sha256", "0" * 64), ("parts", ["popularity"]), ("inputs_on_device", [])],
)
def test_a_label_of_another_graph_is_refused_even_when_signed(kiosk, place, value):
    label = good_members(kiosk)["label.json"]
    forgery = Forgery(files={"label.json": edited(label, "model", place, value)})
    bundle = kiosk.publisher.bundle(version=6, forgery=forgery)

    message = kiosk.refuses(bundle, ModelMismatchError)

    assert "label.json describes a graph of" in message


@pytest.mark.parametrize("golden", [b"", b"[]", b'{"a": NaN}'])
def test_golden_vectors_that_cannot_be_read_are_refused_even_when_signed(kiosk, golden):
    forgery = Forgery(files={"golden.json": golden})

    kiosk.refuses(kiosk.publisher.bundle(version=6, forgery=forgery), BundleFormatError)


# Archives


def zipped(members, **options):
    """Write members with the standard library's writer, which this format does not follow."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as out:
        for name, data in members.items():
            out.writestr(name, data)
    return buffer.getvalue()


def test_an_ordinary_zip_of_the_same_members_is_refused(kiosk):
    kiosk.refuses(zipped(good_members(kiosk)), BundleFormatError)


def test_a_compressed_bundle_is_refused(kiosk):
    message = kiosk.refuses(
        zipped(good_members(kiosk), compression=zipfile.ZIP_DEFLATED), BundleFormatError
    )

    assert "stored" in message


def test_a_zip_bomb_is_refused_by_its_header(kiosk):
    bomb = zipped({"a.bin": bytes(10_000_000)}, compression=zipfile.ZIP_DEFLATED)

    kiosk.refuses(bomb, BundleFormatError)


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a\\b", "c:\\evil", "Model.onnx", "sub/x", "a/../b", "ä"]
)
def test_a_member_with_a_dangerous_name_is_refused(kiosk, name):
    kiosk.refuses(zipped({name: b"x", **good_members(kiosk)}), BundleFormatError)


def test_a_symbolic_link_is_refused(kiosk):
    good = kiosk.publisher.bundle(version=6)
    directory = good.index(b"PK\x01\x02")
    linked = bytearray(good)
    struct.pack_into("<I", linked, directory + 38, 0o120777 << 16)

    kiosk.refuses(bytes(linked), BundleFormatError)


def test_a_member_given_twice_is_refused(kiosk):
    good = kiosk.publisher.bundle(version=6)
    one = write_members({"catalog.bin": b"x"})
    first = one[: one.index(b"PK\x01\x02")]

    assert "twice" in kiosk.refuses(first + good, BundleFormatError)


def test_members_out_of_order_are_refused(kiosk):
    one = write_members({"zz.bin": b"x"})
    first = one[: one.index(b"PK\x01\x02")]

    kiosk.refuses(first + kiosk.publisher.bundle(version=6), BundleFormatError)


@pytest.mark.parametrize(
    "change",
    [
        lambda good: good + b"x",
        lambda good: good + good,
        lambda good: b"x" + good,
        lambda good: b"MZ" + good[2:],
        lambda good: good[:-1],
        lambda good: good[: good.index(b"PK\x01\x02")],
        lambda good: good[: good.index(b"PK\x05\x06")],
        lambda _: b"",
        lambda good: good[-22:],
        lambda good: good[:-2] + b"\x03\x00end",
    ],
    ids=range(10),
)
def test_a_container_with_more_or_less_than_its_members_is_refused(kiosk, change):
    kiosk.refuses(change(kiosk.publisher.bundle(version=6)), BundleFormatError)


def test_a_directory_that_names_other_members_than_there_are_is_refused(kiosk):
    good = kiosk.publisher.bundle(version=6)
    directory = good.index(b"PK\x01\x02")

    kiosk.refuses(
        good[:directory] + good[directory:].replace(b"label.json", b"lapel.json"),
        BundleFormatError,
    )


def test_a_bundle_without_end_is_refused_before_it_is_read(kiosk, monkeypatch):
    good = kiosk.publisher.bundle(version=6)
    monkeypatch.setattr(archive, "MAX_BUNDLE_BYTES", len(good) - 1)

    assert "at most" in kiosk.refuses(good, BundleFormatError)


# Graphs


@pytest.mark.parametrize("hostile", HOSTILE_MODELS, ids=lambda make: make.__name__)
def test_a_hostile_graph_is_refused_even_when_signed(kiosk, hostile):
    forgery = Forgery(files={"model.onnx": hostile()})

    message = kiosk.refuses(kiosk.publisher.bundle(version=6, forgery=forgery))

    assert "model" in message


@pytest.mark.parametrize("hostile", HOSTILE_MODELS, ids=lambda make: make.__name__)
def test_a_hostile_graph_differs_from_the_good_one(kiosk, hostile):
    assert hostile() != good_members(kiosk)["model.onnx"]


def forged_root(change):
    """Return root 2 for BOB with a changed payload, signed by old and new owners all the same."""
    root = make_root(
        version=2,
        expires=NOW + YEAR,
        root_role=role(BOB.root),
        bundle_role=role(BOB.bundle),
    )
    payload = change(RootEnvelope.parse(root, where="root").payload)
    envelope = RootEnvelope(payload=payload, signatures=()).dump()
    return sign_root(sign_root(envelope, ALICE.root[0]), BOB.root[0])
