"""A shopper's device in tests: a clock to set, a real seal, a disk that can refuse, policies."""

from __future__ import annotations

import copy
import errno
import json
import os
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shelfrank.consent.permission import Circumstances
from shelfrank.consent.policy import Policy
from shelfrank.consent.presets import strictest
from shelfrank.consent.signals import Signals
from shelfrank.consent.subject import Subject
from shelfrank.errors import KeyUnavailableError, WrongKeyError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from shelfrank.consent.presets import Preset
    from shelfrank.consent.store import ChoiceStore
    from shelfrank.consent.subject import AgeGroup

START = datetime(2017, 12, 1, 9, 30, 15, tzinfo=UTC)

Data = dict[str, object]


class SetClock:
    """A clock that shows what it was set to."""

    def __init__(self, now: datetime = START) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def turn(self, **delta: float) -> None:
        self.time += timedelta(**delta)


class AesSealer:
    """AES-256-GCM under one key; `locked` is a keyring that nobody opened."""

    def __init__(self, key: bytes = bytes(32)) -> None:
        self._aes = AESGCM(key)
        self.locked = False

    def seal(self, plain: bytes, context: bytes) -> bytes:
        if self.locked:
            raise KeyUnavailableError("the keyring is locked")
        nonce = os.urandom(12)
        return nonce + self._aes.encrypt(nonce, plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        if self.locked:
            raise KeyUnavailableError("the keyring is locked")
        try:
            return self._aes.decrypt(sealed[:12], sealed[12:], context)
        except (InvalidTag, ValueError):
            raise WrongKeyError("not sealed with this key and context") from None


class RefusingDisk:
    """A store whose disk can turn read-only at any moment."""

    def __init__(self, store: ChoiceStore) -> None:
        self._store = store
        self.writable = True
        self.writes = 0

    def stamp(self) -> bytes:
        return self._store.stamp()

    def exclusive(self) -> AbstractContextManager[bool]:
        return self._store.exclusive()

    def read(self) -> bytes | None:
        return self._store.read()

    def write(self, record: bytes) -> None:
        self._must_be_writable()
        self.writes += 1
        self._store.write(record)

    def void(self) -> None:
        self._must_be_writable()
        self._store.void()

    def _must_be_writable(self) -> None:
        if not self.writable:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def adult(
    preset: Preset | None = None, *, gpc: bool = False, age: int | AgeGroup = "adult"
) -> Circumstances:
    """Return the circumstances of an adult under the strictest law, or of somebody else."""
    return Circumstances(
        preset=preset or strictest(), signals=Signals(gpc=gpc), subject=Subject(age=age)
    )


def policy_data() -> Data:
    """Return a good policy with two purposes, as nested tables to change."""
    return {
        "policy": {
            "id": "corner-shop",
            "version": 3,
            "languages": ["de", "nl", "en"],
            "min_shoppers": 20,
            "controller": {"name": "Corner Shop", "contact": "privacy@shop.example"},
        },
        "sensitive": {"mode": "exclude", "categories": ["Drug/Baby", "Spirits"]},
        "purpose": [
            purpose_data(),
            purpose_data(id="sort_offers", area="marketing", surfaces=["offers"]),
        ],
    }


def purpose_data(**changes: object) -> Data:
    """Return one good purpose as a table, with some keys changed."""
    words = {
        "title": "Title",
        "short": "We keep it for {retention_days} days.",
        "benefit": "You find things faster.",
        "without": "The order of everyone.",
    }
    fields = ["item", "kind", "time", "visit", "quantity"]
    purpose: Data = {
        "id": "rank_products",
        "area": "sales",
        "use_case": "product ranking",
        "surfaces": ["products", "navigation"],
        "kinds": ["view", "purchase", "like"],
        "granularity": "hour",
        "retention": "P180D",
        "validity": "P12M",
        "benefit_type": "relevance",
        "field": [{"name": name, "origin": "observed"} for name in fields],
        "text": {language: dict(words) for language in ("de", "nl", "en")},
    }
    return purpose | changes


def policy(data: Data | None = None, **first_purpose: object) -> Policy:
    """Parse `data`, or the good policy with some keys of its first purpose changed."""
    data = policy_data() if data is None else data
    if first_purpose:
        data = copy.deepcopy(data)
        purposes = data["purpose"]
        assert isinstance(purposes, list)
        purposes[0].update(first_purpose)
    return Policy.parse(to_toml(data))


def changed(path: Sequence[str | int], change: Callable[[object], object] | object) -> bytes:
    """Return the good policy as TOML with the value at `path` replaced; None removes it."""
    data = policy_data()
    here: object = data
    for step in path[:-1]:
        here = here[step]  # type: ignore[index]
    last = path[-1]
    assert isinstance(here, (dict, list))
    if change is None:
        del here[last]  # type: ignore[arg-type]
    else:
        here[last] = change  # type: ignore[index]
    return to_toml(data)


def to_toml(data: Data) -> bytes:
    """Write tables as TOML, one line per top-level key."""
    return "".join(f"{_key(key)} = {_inline(value)}\n" for key, value in data.items()).encode()


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return json.dumps(key, ensure_ascii=False).replace("\x7f", "\\u007f")
