"""Roots, apart from the bundles that bring them."""

from __future__ import annotations

import base64
import json

import pytest

from shelfrank.bundle.signature import MANIFEST_TYPE, ROOT_TYPE
from shelfrank.bundle.trust import RootEnvelope, newest_root, read_anchor, walk_roots
from shelfrank.errors import BundleFormatError, BundleVersionError, SignatureError
from shelfrank_training.publish.keys import SigningKey, keygen, sign_root
from support.publisher import ALICE, BOB, NOW, YEAR, Publisher, key


def resigned(edit, signer: SigningKey = ALICE.root[0]) -> bytes:
    """Return root 1 with an edited payload, signed again by its owner."""
    values = json.loads(RootEnvelope.parse(Publisher().trust, where="x").payload)
    edit(values)
    envelope = RootEnvelope(payload=json.dumps(values).encode(), signatures=())
    return sign_root(envelope.dump(), signer)


def test_a_root_is_read():
    root = read_anchor(Publisher().trust)

    assert (root.version, root.name, root.expires) == (1, "roots/1.json", NOW + 5 * YEAR)
    assert root.bundle_role.keys == {k.key_id: k.public for k in ALICE.bundle}


def test_new_keys_differ_and_each_has_one_role():
    keys = keygen(expires=NOW)
    root = read_anchor(keys.root)

    assert set(root.root_role.keys) == {keys.root_key.key_id}
    assert set(root.bundle_role.keys) == {keys.bundle_key.key_id}
    assert keys.root_key.public != keys.bundle_key.public


def test_a_root_whose_own_keys_did_not_sign_it_is_refused_even_as_an_anchor():
    unsigned = RootEnvelope(
        payload=RootEnvelope.parse(Publisher().trust, where="x").payload, signatures=()
    )

    with pytest.raises(SignatureError):
        read_anchor(unsigned.dump())


def test_a_root_with_one_number_changed_is_refused_even_as_an_anchor():
    envelope = RootEnvelope.parse(Publisher().trust, where="x")
    changed = envelope.payload.replace(b'"version": 1', b'"version": 2')

    with pytest.raises(SignatureError, match="does not match"):
        read_anchor(RootEnvelope(payload=changed, signatures=envelope.signatures).dump())


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda r: r.update(version=0), "`version` must be"),
        (lambda r: r.update(version=10**6), "`version` must be"),
        (lambda r: r.update(expires="never"), "`expires` must be"),
        (lambda r: r["roles"].pop("root"), "`root` is missing"),
        (lambda r: r["roles"]["root"].update(keys=["0" * 16]), "which is not listed"),
        (lambda r: r["roles"]["root"].update(keys=r["roles"]["root"]["keys"] * 2), "twice"),
        (lambda r: r["roles"]["root"].update(threshold=2), "`threshold` must be"),
        (lambda r: r["roles"]["bundle"].update(threshold=0), "`threshold` must be"),
        (lambda r: r["keys"].update({f"{i:016}": {} for i in range(32)}), "more than 32 keys"),
        (lambda r: r["keys"].update(x={"type": "ed25519", "public": "AAAA"}), "32 bytes"),
    ],
    ids=range(10),
)
def test_a_root_outside_the_rules_is_refused_for_just_that(edit, complaint):
    with pytest.raises(BundleFormatError, match=complaint):
        read_anchor(resigned(edit))


def test_another_format_of_roots_is_named():
    with pytest.raises(BundleVersionError) as caught:
        read_anchor(resigned(lambda root: root.update(format=3)))

    assert (caught.value.offered, caught.value.supported) == (3, (0,))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b"\n",
        lambda data: data.replace(b"  ", b" "),
        lambda data: data.replace(b'"payload"', b'"more": 1, "payload"'),
    ],
    ids=range(3),
)
def test_another_spelling_of_an_envelope_is_refused(change):
    with pytest.raises(BundleFormatError, match="canonical form"):
        RootEnvelope.parse(change(Publisher().trust), where="x")


def test_a_document_of_another_type_is_no_root():
    data = Publisher().trust.replace(ROOT_TYPE.encode(), MANIFEST_TYPE.encode())

    with pytest.raises(BundleFormatError, match="`payloadType` must be"):
        read_anchor(data)


def test_a_root_in_a_payload_that_is_no_base64_is_refused():
    payload = base64.b64encode(RootEnvelope.parse(Publisher().trust, where="x").payload)

    with pytest.raises(BundleFormatError, match="not base64"):
        read_anchor(Publisher().trust.replace(payload, payload[:-1] + b"!"))


def test_walking_without_newer_roots_stays_where_it_was():
    anchor = read_anchor(Publisher().trust)

    assert walk_roots(anchor, {}) is anchor
    assert walk_roots(anchor, {"roots/1.json": b"not even looked at"}) is anchor


def test_the_newest_root_a_bundle_brings_is_found_by_number_and_not_by_name():
    publisher = Publisher()
    for _ in range(9):
        publisher.rotate(publisher.owners)
    members = {f"roots/{i}.json": root for i, root in enumerate(publisher.roots, start=1)}

    assert newest_root(members).version == 10
    assert walk_roots(read_anchor(publisher.trust), members).version == 10
    with pytest.raises(SignatureError, match="brings no root"):
        newest_root({})


def test_signing_a_root_twice_changes_nothing():
    root = Publisher(BOB).trust

    assert sign_root(sign_root(root, key("more")), key("more")) == sign_root(root, key("more"))
