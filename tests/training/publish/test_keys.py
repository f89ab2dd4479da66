"""Private keys: for their owner alone, and never in a message."""

from __future__ import annotations

import io
import os
import sys

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from shelfrank_training.errors import PublishError
from shelfrank_training.publish.files import (
    PRIVATE_MODE,
    read_passphrase,
    read_secret,
    write_file,
)
from shelfrank_training.publish.keys import SigningKey, role
from support.publisher import key


@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_a_key_is_read_back_from_its_file(passphrase):
    signer = key("a")

    again = SigningKey.from_pem(signer.to_pem(passphrase=passphrase), passphrase=passphrase)

    assert (again.public, again.key_id) == (signer.public, signer.key_id)


def test_a_passphrase_hides_the_key():
    assert b"ENCRYPTED" in key("a").to_pem(passphrase=b"secret")


@pytest.mark.parametrize(
    ("made_with", "read_with"), [(b"one", b"two"), (b"one", None), (None, b"two")]
)
def test_a_wrong_missing_or_needless_passphrase_is_refused_without_repeating_it(
    made_with, read_with
):
    pem = key("a").to_pem(passphrase=made_with)

    with pytest.raises(PublishError) as caught:
        SigningKey.from_pem(pem, passphrase=read_with)

    assert "two" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\xff", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_file_that_is_no_key_is_refused(data):
    with pytest.raises(PublishError):
        SigningKey.from_pem(data)


def test_a_key_of_another_kind_is_refused():
    pem = X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )

    with pytest.raises(PublishError, match="another kind"):
        SigningKey.from_pem(pem)


def test_a_key_prints_its_id_only():
    signer = SigningKey.generate()

    assert repr(signer) == f"<SigningKey {signer.key_id}>"


@pytest.mark.parametrize("threshold", [0, 2])
def test_a_threshold_that_nobody_can_reach_is_refused(threshold):
    with pytest.raises(PublishError):
        role([key("a")], threshold=threshold)


def test_a_key_file_is_for_its_owner_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        write_file(tmp_path / "k", b"x", mode=PRIVATE_MODE)
        write_file(tmp_path / "k", b"y", mode=PRIVATE_MODE, force=True)
    finally:
        os.umask(before)

    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600


def test_a_file_is_not_overwritten_unless_told(tmp_path):
    write_file(tmp_path / "f", b"old")

    with pytest.raises(PublishError, match="exists already"):
        write_file(tmp_path / "f", b"new")
    assert (tmp_path / "f").read_bytes() == b"old"

    write_file(tmp_path / "f", b"new", force=True)
    assert (tmp_path / "f").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(PublishError, match="No space left"):
        write_file(tmp_path / "f", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path):
    with pytest.raises(PublishError, match="cannot be written"):
        write_file(tmp_path / "missing" / "f", b"x")


@pytest.mark.parametrize("data", [b"secret", b"secret\n", b"secret\r\n", b"secret\nmore\n"])
def test_a_passphrase_is_the_first_line(tmp_path, data):
    (tmp_path / "p").write_bytes(data)

    assert read_passphrase(str(tmp_path / "p")) == b"secret"


@pytest.mark.parametrize("data", [b"", b"\n", b"x" * 20_000])
def test_a_passphrase_that_is_empty_or_endless_is_refused(tmp_path, data):
    (tmp_path / "p").write_bytes(data)

    with pytest.raises(PublishError):
        read_passphrase(str(tmp_path / "p"))


def test_a_key_file_that_is_empty_or_missing_is_refused(tmp_path):
    (tmp_path / "empty").touch()

    for name in ("empty", "missing"):
        with pytest.raises(PublishError, match="key file"):
            read_secret(str(tmp_path / name), what="key file")


def test_a_secret_comes_from_standard_input_too(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"secret\n")))

    assert read_passphrase("-") == b"secret"
    assert read_passphrase(None) is None
