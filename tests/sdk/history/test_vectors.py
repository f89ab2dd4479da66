"""Histories of earlier versions must open for ever (from format 1 on; 0 was never released).

Run this file to write a vector for the present format: ``python test_vectors.py NAME``. One that
was released is never written again: its keys and nonces are random, its readers are tested.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shelfrank.errors import HistoryVersionError
from shelfrank.history.envelope import FORMAT
from shelfrank.history.providers import HostSecret
from shelfrank.types import KINDS
from support.histories import Profile, new_event

if TYPE_CHECKING:
    from shelfrank.history.store import History

VECTORS = Path(__file__).parents[2] / "vectors" / "history"
SECRET = bytes(range(32))
ERASED = "sku-99"


def test_there_are_vectors() -> None:
    assert list(VECTORS.glob("v*/*.txt"))


@pytest.mark.parametrize("path", sorted(VECTORS.glob("v[1-9]*/*.txt")), ids=lambda path: path.stem)
def test_a_history_of_every_format_opens(tmp_path: Path, path: Path) -> None:
    profile = Profile(tmp_path, HostSecret(SECRET))
    header = unpack(path, profile)

    with profile.open() as history:
        lines = as_lines(history)
        assert history.damaged == ()
        assert history.generation == 1

    assert lines == header["event"]


@pytest.mark.parametrize("path", sorted(VECTORS.glob("v0/*.txt")), ids=lambda path: path.stem)
def test_a_history_from_before_the_first_format_is_named_as_such(
    tmp_path: Path, path: Path
) -> None:
    profile = Profile(tmp_path, HostSecret(SECRET))
    unpack(path, profile)

    with pytest.raises(HistoryVersionError, match="format 0"):
        profile.open()


def unpack(path: Path, profile: Profile) -> dict[str, list[str]]:
    """Put the files of a vector into a profile; return its header."""
    header, files = read_vector(path)
    profile.folder.mkdir()
    for name, data in files.items():
        (profile.folder / name).write_bytes(data)
    return header


def as_lines(history: History) -> list[str]:
    return [
        f"{purpose} {e.kind} {e.item_id} {e.time:%Y-%m-%dT%H:%M} {e.visit} {e.order} {e.quantity} "
        f"{e.context!r}"
        for purpose in ("measure", "rank_products")
        for e in history.events(purpose)
    ]


def read_vector(path: Path) -> tuple[dict[str, list[str]], dict[str, bytes]]:
    """Return the fields of the header and the files."""
    header: dict[str, list[str]] = {}
    files: dict[str, bytes] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(": ")
        if name.startswith("history."):
            files[name] = base64.b64decode(value)
        else:
            header.setdefault(name, []).append(value)
    return header, files


def write_vector(name: str) -> None:
    """Write the history of 150 events, one erased, in the present format."""
    profile = Profile(Path(tempfile.mkdtemp()), HostSecret(SECRET))
    events = [
        new_event(
            f"sku-{number}" if number % 10 else f"Brötchen №{number}",
            minutes=number * (40 if number % 7 == 0 else 3),
            kind=KINDS[number % 5],
            quantity=1 + number % 3 / 2,
            purposes=("rank_products", "measure") if number % 4 == 0 else ("rank_products",),
            context=("", "shop", "kiosk")[number % 3],
        )
        for number in range(51, 201)
    ]
    with profile.open() as history:
        history.append(events)
        assert history.erase(lambda stored: stored.event.item_id == ERASED) == 1
        lines = as_lines(history)
    target = VECTORS / f"v{FORMAT}" / f"{name}.txt"
    target.parent.mkdir(parents=True, exist_ok=True)
    text = ["expect: events", "why: a block, a tail, two purposes, two contexts, one event erased"]
    text += [f"event: {line}" for line in lines]
    for path in (profile.database, profile.anchor):
        text.append(f"{path.name}: {base64.b64encode(path.read_bytes()).decode()}")
    target.write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_vector(sys.argv[1])
