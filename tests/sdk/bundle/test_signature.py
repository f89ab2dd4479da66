"""DSSE and Ed25519: published examples, and one key counts once."""

from __future__ import annotations

import pytest

from shelfrank.bundle.signature import (
    MANIFEST_TYPE,
    ROOT_TYPE,
    Role,
    Signature,
    dump_detached,
    key_id,
    pae,
    parse_detached,
    verify_role,
)
from shelfrank.errors import BundleFormatError, SignatureError
from shelfrank_training.publish.keys import SigningKey, role
from support.publisher import key

# RFC 8032, section 7.1, test 3: seed, public key, message, signature.
SEED = bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
PUBLIC = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")


def test_the_published_example_of_dsse_is_met():
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_lengths_in_dsse_count_bytes():
    assert pae("é", "é".encode()) == b"DSSEv1 2 \xc3\xa9 2 \xc3\xa9"


def test_the_published_key_of_ed25519_is_met():
    assert SigningKey.from_seed(SEED).public == PUBLIC


def test_a_key_id_is_the_start_of_the_digest_of_the_key():
    assert key_id(b"") == "e3b0c44298fc1c14"  # SHA-256 of nothing, FIPS 180-4


def test_a_signature_counts_for_its_own_bytes_and_type_only():
    signer = key("a")
    signature = signer.sign(b"bytes", payload_type=MANIFEST_TYPE)

    check(role([signer]), b"bytes", [signature])
    with pytest.raises(SignatureError, match="does not match"):
        check(role([signer]), b"other", [signature])
    with pytest.raises(SignatureError, match="does not match"):
        check(role([signer]), b"bytes", [signature], payload_type=ROOT_TYPE)


def test_a_key_under_two_names_counts_once():
    signer = key("a")
    twice = Role(keys={"0" * 16: signer.public, "1" * 16: signer.public}, threshold=2)
    value = signer.sign(b"x", payload_type=MANIFEST_TYPE).value
    signatures = [Signature(key_id=name, value=value) for name in twice.keys]

    with pytest.raises(SignatureError, match="signed by 1 trusted keys, 2 are needed"):
        check(twice, b"x", signatures)


def test_a_public_key_that_is_no_point_refuses_and_does_not_break():
    broken = Role(keys={"0" * 16: b"\xff" * 32}, threshold=1)

    with pytest.raises(SignatureError):
        check(broken, b"x", [Signature(key_id="0" * 16, value=bytes(64))])


def test_the_order_of_signing_does_not_change_the_file():
    one, two = (key(name).sign(b"x", payload_type=MANIFEST_TYPE) for name in ("one", "two"))

    assert dump_detached([one, two]) == dump_detached([two, one])
    assert set(parse_detached(dump_detached([one, two]), where="x")) == {one, two}


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b" ",
        lambda data: data.replace(b"\n", b""),
        lambda data: data.replace(b'"sig"', b'"extra": 1, "sig"'),
        lambda data: data.replace(b"==", b"="),
        lambda data: data.replace(b"==", b"==\\n"),
        lambda data: data.replace(b"bundle-manifest", b"root"),
        lambda data: data.replace(b"keyid", b"KEYID"),
    ],
    ids=range(7),
)
def test_another_spelling_of_the_signature_file_is_refused(change):
    data = dump_detached([key("a").sign(b"x", payload_type=MANIFEST_TYPE)])
    assert change(data) != data

    with pytest.raises(BundleFormatError):
        parse_detached(change(data), where="x")


def test_signatures_of_another_type_of_document_are_refused():
    data = dump_detached(()).replace(MANIFEST_TYPE.encode(), ROOT_TYPE.encode())

    with pytest.raises(BundleFormatError, match="`payloadType` must be"):
        parse_detached(data, where="x")


def check(signers, payload, signatures, *, payload_type=MANIFEST_TYPE):
    verify_role(signers, payload, payload_type=payload_type, signatures=signatures, what="x")
