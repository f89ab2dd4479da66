"""Exports written by earlier versions are read for ever, and what was refused stays refused.

Run this file to write the vectors of a new format: ``python test_vectors.py``. One that was
released is never written again: its salts and nonces are random, its readers are tested.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shelfrank import errors
from shelfrank.bundle.archive import read_members
from shelfrank.history.stretching import ARGON2ID, SCRYPT, Stretching
from shelfrank.rights.exported import ACTIVITIES, CONTAINER, HISTORY, MANIFEST
from shelfrank.rights.reading import read_export
from shelfrank.rights.sealing import plain_export, seal_export
from shelfrank.types import KINDS
from support.exports import changed, export_of, past_event

if TYPE_CHECKING:
    from shelfrank.history.events import PastEvent
    from shelfrank.rights.exported import BroughtEvent

VECTORS = Path(__file__).parents[2] / "vectors" / "export"
WORDS = "correct horse battery staple"
VECTOR_NAMES = sorted(VECTORS.glob("v*/*.txt"))


def golden_events() -> list[PastEvent]:
    """Return the events of the vectors: every kind, two visits, ids that are hard to carry."""
    ids = ("00042", "Brötchen №7", "<b>&amp;", "\u202egnp", "a/../b")
    return [
        past_event(
            ids[at],
            hours=30 * at,
            kind=kind,
            visit=at // 2,
            order=at % 2,
            quantity=1 + at / 4,
            purposes=("measure", "rank_products") if at % 2 else ("rank_products",),
            context="kiosk" if at == 3 else "",
        )
        for at, kind in enumerate(KINDS)
    ]


def as_lines(events: tuple[BroughtEvent, ...]) -> list[str]:
    return [
        f"{e.kind} {e.item_id!a} {e.time:%Y-%m-%dT%H:%M} {e.visit} {e.order} {e.quantity} "
        f"{e.context!r}"
        for e in events
    ]


def read_vector(path: Path) -> tuple[dict[str, list[str]], bytes]:
    """Return the fields before the file, and the file."""
    head, _, body = path.read_text(encoding="utf-8").partition("export:\n")
    fields: dict[str, list[str]] = {}
    for line in head.splitlines():
        name, _, value = line.partition(": ")
        fields.setdefault(name, []).append(value)
    return fields, base64.b64decode(body)


def test_there_are_vectors_of_both_kinds() -> None:
    expected = {read_vector(path)[0]["expect"][0] for path in VECTOR_NAMES}

    assert {"events", "ExportDamagedError", "WrongKeyError", "HistoryVersionError"} <= expected


@pytest.mark.parametrize("path", VECTOR_NAMES, ids=lambda path: path.stem)
def test_every_vector_is_read_or_refused_as_it_says(path: Path) -> None:
    fields, data = read_vector(path)
    (expect,), passphrase = fields["expect"], fields.get("passphrase", [None])[0]

    if expect == "events":
        assert as_lines(read_export(plain_export(data, passphrase))) == fields["event"]
        return
    with pytest.raises(errors.HistoryError) as caught:
        read_export(plain_export(data, passphrase))
    assert type(caught.value).__name__ == expect


def test_the_machine_readable_part_is_written_as_it_was() -> None:
    _, data = read_vector(VECTORS / "v1" / "plain.txt")
    then, now = read_members(data, CONTAINER), read_members(export_of(golden_events()), CONTAINER)

    for part in (ACTIVITIES, HISTORY):
        assert then[part] == now[part], part


def write_vectors() -> None:
    """Write every vector of format 1."""
    plain = export_of(golden_events())
    cheap = Stretching(function=1, time=1, memory_kib=64, lanes=1)
    argon2id, scrypt = seal_export(plain, WORDS, ARGON2ID), seal_export(plain, WORDS, SCRYPT)
    long = seal_export(plain * 30, WORDS, cheap)
    events = [f"event: {line}" for line in as_lines(read_export(plain))]
    good = ["expect: events", *events]
    damaged = "expect: ExportDamagedError"
    later = read_members(plain, CONTAINER)[MANIFEST].replace(b'"format": 1', b'"format": 2')

    def put(name: str, data: bytes, *lines: str) -> None:
        target = VECTORS / "v1" / f"{name}.txt"
        target.parent.mkdir(parents=True, exist_ok=True)
        body = base64.encodebytes(data).decode()
        target.write_text("\n".join([*lines, "export:", body]), encoding="utf-8")

    words, why = f"passphrase: {WORDS}", "why: {}".format
    put("plain", plain, why("every kind, two visits"), *good)
    put("argon2id", argon2id, why("3 passes, 64 MiB, 4 lanes"), words, *good)
    put("scrypt", scrypt, why("N = 2**16, r = 8, p = 2"), words, *good)
    put("wrong-passphrase", argon2id, why("another one"), "passphrase: x", "expect: WrongKeyError")
    put("no-passphrase", argon2id, why("none given"), "expect: KeyUnavailableError")
    put("plain-for-sealed", plain, why("a plain one, a passphrase given"), words, damaged)
    put("cut-between-chunks", long[: 96 + 65570], why("the last chunk is missing"), words, damaged)
    put("cut-in-zip", plain[:-1], why("the last byte is missing"), damaged)
    put("added-to-zip", plain + b"\0", why("a byte behind the directory"), damaged)
    edited = plain.replace(b"00042", b"00043")
    put("edited", edited, why("an id was changed, no checksum"), damaged)
    duplicate = changed(
        plain, ACTIVITIES, lambda data: data.replace(b'"visit": 1', b'"visit": 0, "visit": 1')
    )
    put("member-twice", duplicate, why("an event has a visit twice, digests match"), damaged)
    put(
        "later-format",
        changed(plain, MANIFEST, lambda _: later),
        why("format 2"),
        "expect: HistoryVersionError",
    )


if __name__ == "__main__":
    write_vectors()
