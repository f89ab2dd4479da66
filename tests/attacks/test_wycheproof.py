"""Wycheproof's vectors through the code that seals, opens, derives and verifies (vectors' README).

The history chooses nonces and associated data itself, and the bundle what is signed around a
payload; these choices are replaced by the vector's, and nothing else.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from shelfrank.bundle import signature
from shelfrank.errors import HistoryDamagedError, SignatureError
from shelfrank.history import envelope
from support.faults.guards import without

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

VECTORS = Path(__file__).parent.parent / "vectors" / "wycheproof"


def vectors(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((VECTORS / name).read_text(encoding="ascii"))
    return found


class Anywhere(envelope.Place):
    """A place whose associated data are a vector's."""

    def __init__(self, associated_data: bytes) -> None:
        object.__setattr__(self, "store_id", bytes(16))
        object.__setattr__(self, "kind", "slot")
        object.__setattr__(self, "position", associated_data)

    def associated_data(self, header: bytes) -> bytes:  # noqa: ARG002 the vector's instead
        return self.position


class Fixed(bytes):
    """Bytes that stay what they are, whatever is added."""

    __slots__ = ()

    def __add__(self, other: object) -> Fixed:
        return self


def opens(vector: dict[str, Any]) -> bool:
    """Open a vector as the history would; say whether that succeeds, and rightly."""
    key, place = envelope.SealKey(bytes.fromhex(vector["key"])), Anywhere(_of(vector, "aad"))
    header = bytes([envelope.ENVELOPE_VERSION, envelope.AES_256_GCM]) + key.key_id
    sealed = header + _of(vector, "iv") + _of(vector, "ct") + _of(vector, "tag")
    try:
        return envelope.open_sealed(key, sealed, place) == _of(vector, "msg")
    except HistoryDamagedError:
        return False


def seals_alike(vector: dict[str, Any], patch: pytest.MonkeyPatch) -> bool:
    """Seal a vector's message as the history would, with its nonce."""
    key, place = envelope.SealKey(bytes.fromhex(vector["key"])), Anywhere(_of(vector, "aad"))
    patch.setattr(envelope, "os", SimpleNamespace(urandom=lambda _: _of(vector, "iv")))
    sealed = envelope.seal(key, _of(vector, "msg"), place)
    patch.undo()
    body = _of(vector, "iv") + _of(vector, "ct") + _of(vector, "tag")
    return sealed[envelope.HEADER_BYTES :] == body


def derives(vector: dict[str, Any], patch: pytest.MonkeyPatch) -> bool:
    """Derive as the history does, with a vector's info and length."""
    patch.setattr(envelope, "LABEL", Fixed(_of(vector, "info")))
    patch.setattr(envelope, "KEY_BYTES", vector["size"])
    try:
        return envelope.derive(_of(vector, "ikm"), _of(vector, "salt"), "") == _of(vector, "okm")
    except ValueError:
        return False
    finally:
        patch.undo()


def verifies(vector: dict[str, Any], patch: pytest.MonkeyPatch) -> bool:
    """Verify as a bundle is verified, the vector's message being all that was signed."""
    patch.setattr(signature, "pae", lambda _, payload: payload)
    role = signature.Role(keys={"k": _of(vector, "pk")}, threshold=1)
    signatures = [signature.Signature(key_id="k", value=_of(vector, "sig"))]
    try:
        signature.verify_role(
            role, _of(vector, "msg"), payload_type="t", signatures=signatures, what="vector"
        )
    except SignatureError:
        return False
    finally:
        patch.undo()
    return True


def disagreements(
    found: list[dict[str, Any]], accepts: Callable[[dict[str, Any]], bool]
) -> list[int]:
    """Return the vectors about which the code says something else than they do."""
    return [v["tcId"] for v in found if accepts(v) != (v["result"] == "valid")]


def test_envelopes_open_as_the_vectors_of_aes_gcm_say() -> None:
    found = vectors("aes_256_gcm.json")

    assert len(found) == 66
    assert disagreements(found, opens) == []


def test_envelopes_are_sealed_as_the_vectors_of_aes_gcm_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [vector for vector in vectors("aes_256_gcm.json") if vector["result"] == "valid"]

    assert len(found) == 39
    assert disagreements(found, lambda vector: seals_alike(vector, monkeypatch)) == []


def test_keys_are_derived_as_the_vectors_of_hkdf_say(monkeypatch: pytest.MonkeyPatch) -> None:
    found = vectors("hkdf_sha256.json")

    assert len(found) == 86
    assert disagreements(found, lambda vector: derives(vector, monkeypatch)) == []


def test_bundles_are_verified_as_the_vectors_of_ed25519_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = vectors("ed25519.json")

    assert len(found) == 151
    assert disagreements(found, lambda vector: verifies(vector, monkeypatch)) == []


def test_the_vectors_convict_an_envelope_that_ignores_its_tag() -> None:
    found = vectors("aes_256_gcm.json")

    with without("authentication"):
        wrong = disagreements(found, opens)

    assert len(wrong) == sum(vector["result"] == "invalid" for vector in found) == 27


def _of(vector: dict[str, Any], field: str) -> bytes:
    return bytes.fromhex(vector[field])
