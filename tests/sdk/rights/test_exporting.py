"""Taking the history along: everything, readable, in one file, and nowhere else."""

from __future__ import annotations

import html
import json
import os
import re
import stat
import zipfile
from datetime import timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank import Device
from shelfrank.bundle.archive import read_members
from shelfrank.consent.purposes import GRANULARITIES
from shelfrank.consent.rules import Status
from shelfrank.errors import HistoryError
from shelfrank.history.events import MAX_ORDER, MAX_PAST_VISIT
from shelfrank.rights.exported import CONTAINER, WISHES
from shelfrank.rights.own import Exported
from shelfrank.rights.reading import read_export
from shelfrank.rights.words import WORDS
from shelfrank.rights.writing import write_export
from shelfrank.types import KINDS, LANGUAGES, RANK_PURPOSE
from shelfrank.wishes.wishes import Wishes, as_lists
from support.corner_shop import BREAD, MILK, TEA, TRUST
from support.exports import export_of, history_of, past_event, takeaway
from support.histories import START, Profile, new_event
from support.home import SECRET, Home, grant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shelfrank.history.events import PastEvent
    from shelfrank.types import Language

PARTS = ["choices.json", "history.json", "history.jsonld", "manifest.json", "readme.html"]
OFFERS = "sort_offers"
HOUR = timedelta(hours=1)
BY_HEART = "correct horse"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def device(home: Home) -> Iterator[Device]:
    with home.open() as device:
        grant(device)
        grant(device, OFFERS)
        device.record("view", TEA)
        home.clock.turn(days=1)
        device.record("purchase", BREAD, quantity=2.5)
        device.consent.withdraw(OFFERS)
        yield device


def parts_of(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


class Page(HTMLParser):
    """What a browser would make of a page: its tags, its attributes, the text of its cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.rows: list[list[str]] = []
        self.text: list[str] = []
        self._in_cell = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self._in_cell:
            self.rows[-1][-1] += data


# --- What is in it ---


def test_any_zip_program_opens_it_and_every_event_is_in_all_three_forms(
    device: Device, tmp_path: Path
) -> None:
    assert device.history.export(tmp_path / "mine.zip") == Exported(events=2, unreadable=0)

    parts = parts_of(tmp_path / "mine.zip")
    assert list(parts) == PARTS
    readable = json.loads(parts["history.json"])["events"]
    assert readable[1] == {
        "time": "2017-12-02T09:00:00Z",
        "kind": "purchase",
        "item_id": BREAD,
        "title": "Rye bread",
        "category": "Bakery/Bread",
        "quantity": 2.5,
        "visit": 1,
        "order": 0,
        "purposes": [RANK_PURPOSE],
        "context": "shop",
    }
    activities = json.loads(parts["history.jsonld"])
    assert activities["totalItems"] == len(activities["orderedItems"]) == 2
    assert activities["orderedItems"][0] == {
        "type": "View",
        "published": "2017-12-01T09:00:00Z",
        "object": {
            "type": "Product",
            "sku": TEA,
            "name": "Canary tea",
            "category": "Drinks/Hot",
        },
        "quantity": 1,
        "visit": 0,
        "order": 0,
        "purpose": [RANK_PURPOSE],
        "channel": "shop",
    }
    page = Page(parts["readme.html"])
    assert [
        "2017-12-02 09:00",
        "bought",
        "Rye bread",
        BREAD,
        "Bakery/Bread",
        "2.5",
        "shop",
        "Title",
    ] in (page.rows)


def test_every_kind_has_a_word_in_the_vocabulary_it_stands_in() -> None:
    export = export_of([past_event(kind, kind=kind, order=at) for at, kind in enumerate(KINDS)])

    activities = json.loads(read_members(export, CONTAINER)["history.jsonld"])

    kinds = {a["object"]["sku"]: a["type"] for a in activities["orderedItems"]}
    assert kinds == {
        "view": "View",
        "cart": "Add",
        "purchase": "BuyAction",
        "like": "Like",
        "dislike": "Dislike",
    }
    context = activities["@context"]
    assert context[0] == "https://www.w3.org/ns/activitystreams"
    assert context[1]["BuyAction"] == "schema:BuyAction"
    said = {name for a in activities["orderedItems"] for name in (*a, *a["object"])}
    assert said <= {*context[1], "type", "published", "object", "name"}


def test_the_choices_are_told_as_they_are_now(home: Home, device: Device, tmp_path: Path) -> None:
    device.history.export(tmp_path / "mine.zip")
    given, withdrawn = json.loads(parts_of(tmp_path / "mine.zip")["choices.json"])["choices"]

    assert (given["purpose"], given["status"], given["dpv"]) == (
        RANK_PURPOSE,
        "given",
        "dpv:ConsentGiven",
    )
    assert (given["answered"], given["until"]) == ("2017-12-01T09:30:00Z", "2018-12-01T09:30:00Z")
    assert (withdrawn["purpose"], withdrawn["status"]) == (OFFERS, "withdrawn")

    home.clock.turn(days=400)
    device.history.export(tmp_path / "later.zip")
    later = json.loads(parts_of(tmp_path / "later.zip")["choices.json"])["choices"]
    assert later[0]["status"] == "expired"


def test_a_device_that_was_never_asked_exports_that(home: Home, tmp_path: Path) -> None:
    with home.open() as device:
        assert device.history.export(tmp_path / "mine.zip") == Exported(events=0, unreadable=0)

    parts = parts_of(tmp_path / "mine.zip")
    choices = json.loads(parts["choices.json"])["choices"]
    assert [choice["status"] for choice in choices] == ["unknown", "unknown"]
    assert "Nothing is kept." in parts["readme.html"]
    assert not home.folder.exists()


def test_the_manifest_names_every_other_part_and_the_moment(device: Device, tmp_path: Path) -> None:
    device.history.export(tmp_path / "mine.zip", language="nl")

    manifest = json.loads(parts_of(tmp_path / "mine.zip")["manifest.json"])

    assert manifest["format"] == 1
    assert manifest["created"] == "2017-12-02T09:30:00Z"
    assert manifest["language"] == "nl"
    assert manifest["counts"] == {"events": 2, "unreadable": 0}
    assert [part["name"] for part in manifest["parts"]] == sorted({*PARTS} - {"manifest.json"})


def test_the_same_history_makes_the_same_bytes(device: Device, tmp_path: Path) -> None:
    device.history.export(tmp_path / "one.zip")
    device.history.export(tmp_path / "two.zip")

    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_without_bundle_and_policy_events_keep_their_ids(
    home: Home, device: Device, tmp_path: Path
) -> None:
    device.close()
    with home.open(bundle=None, trust=None) as bare:
        assert bare.history.export(tmp_path / "mine.zip").events == 2

    parts = parts_of(tmp_path / "mine.zip")
    assert [event["item_id"] for event in json.loads(parts["history.json"])["events"]] == [
        TEA,
        BREAD,
    ]
    assert "title" not in parts["history.json"]
    assert TEA in parts["readme.html"]


def test_a_guest_at_a_kiosk_takes_the_session_along_and_nothing_stays(
    home: Home, tmp_path: Path
) -> None:
    with Device.open(None, bundle=home.bundle, trust=TRUST, clock=home.clock) as guest:
        grant(guest)
        guest.record("view", TEA)
        assert guest.history.export(tmp_path / "mine", passphrase=BY_HEART).events == 1

    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    with home.open() as own:
        grant(own)
        assert own.history.import_(tmp_path / "mine", passphrase=BY_HEART).stored == 1


def test_damaged_events_are_left_out_and_counted(tmp_path: Path) -> None:
    profile = Profile(tmp_path)
    with profile.open() as history:
        history.append([new_event("mine", minutes=minute) for minute in range(130)])
        database = history._storage.attach()
        assert database is not None
        with database.writing() as connection:
            connection.execute("UPDATE block SET sealed = zeroblob(length(sealed))")

    home = Home(tmp_path, key=profile.key)
    with home.open() as device:
        assert device.history.export(tmp_path / "mine.zip") == Exported(events=2, unreadable=128)

    parts = parts_of(tmp_path / "mine.zip")
    assert json.loads(parts["history.json"])["unreadable"] == 128
    assert json.loads(parts["manifest.json"])["counts"] == {"events": 2, "unreadable": 128}
    assert "128 more entries are damaged" in parts["readme.html"]


# --- The page ---


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_speaks_the_shoppers_language(
    device: Device, tmp_path: Path, language: Language
) -> None:
    device.history.export(tmp_path / "mine.zip", language=language)

    page = parts_of(tmp_path / "mine.zip")["readme.html"]

    assert f'<html lang="{language}">' in page
    for text in (
        WORDS[language].title,
        WORDS[language].kinds["purchase"],
        WORDS[language].days.format(180),
        WORDS[language].granularities["hour"],
        WORDS[language].statuses["WITHDRAWN"],
        WORDS[language].move,
        "privacy@shop.example",
    ):
        assert text in html.unescape(page)
    for part in PARTS:
        assert f"<code>{part}</code>" in page


def test_every_language_has_a_word_for_everything() -> None:
    assert set(WORDS) == set(LANGUAGES)
    for words in WORDS.values():
        assert set(words.kinds) == set(KINDS)
        assert set(words.statuses) == {status.name for status in Status}
        assert set(words.granularities) == set(GRANULARITIES)
        assert set(words.files) == {*PARTS, WISHES}
        assert set(words.wish_sorts) == set(as_lists(Wishes()))
        assert len(words.purpose_columns) == 8
        assert len(words.event_columns) == 8


def test_the_page_needs_and_fetches_nothing(device: Device, tmp_path: Path) -> None:
    device.history.export(tmp_path / "mine.zip")
    text = parts_of(tmp_path / "mine.zip")["readme.html"]

    page = Page(text)

    assert {"script", "link", "img", "iframe", "object", "a", "form", "base"} & set(page.tags) == (
        set()
    )
    assert not [name for name, _ in page.attributes if name in {"src", "href", "style", "onload"}]
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    assert "http:" not in text
    assert "https:" not in text
    assert "url(" not in text


HOSTILE = (
    '"><script>alert(1)</script>',
    "</td></tr></table><h1>Bank</h1>",
    "<img src=x onerror=alert(1)>",
    "&lt;b&gt;",
    "'; DROP TABLE block; --",
    "\u202egnp.exe",
    "a\x00b\x1b[31mc\x7f",
    "{title}",
    "]]>",
)


@pytest.mark.parametrize("item_id", HOSTILE, ids=ascii)
def test_an_item_is_text_on_the_page_whatever_it_is_called(item_id: str) -> None:
    text = page_about(item_id)

    page = Page(text)

    assert page.tags == Page(page_about("plain")).tags
    assert page.rows[1][3] == re.sub(r"[\x00-\x08\x0e-\x1f\x7f]", "\ufffd", item_id)
    assert "\x00" not in text


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_no_text_whatever_makes_a_tag(text: str) -> None:
    plain, page = Page(page_about("plain")), Page(page_about(text))

    assert page.tags == plain.tags
    assert page.attributes == plain.attributes


def page_about(item_id: str) -> str:
    events = history_of([past_event(item_id)]).stored()
    return read_members(write_export(takeaway(events)), CONTAINER)["readme.html"].decode()


# --- The file ---


def test_the_file_is_for_its_owner_alone(device: Device, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        device.history.export(tmp_path / "mine.zip")
    finally:
        os.umask(old)

    assert stat.S_IMODE((tmp_path / "mine.zip").stat().st_mode) == 0o600


def test_a_file_that_is_there_stays_unless_told(device: Device, tmp_path: Path) -> None:
    path = tmp_path / "mine.zip"
    path.write_text("a letter")

    with pytest.raises(FileExistsError, match="overwrite=True"):
        device.history.export(path)
    assert path.read_text() == "a letter"

    device.history.export(path, overwrite=True)
    assert list(parts_of(path)) == PARTS


def test_a_failing_disk_leaves_what_was_there_and_no_piece(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.zip"
    path.write_text("a letter")
    before = sorted(tmp_path.iterdir())

    def fail(*_: object) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("shelfrank.history.files.os.fsync", fail)
    with pytest.raises(OSError, match="no space"):
        device.history.export(path, overwrite=True)

    assert path.read_text() == "a letter"
    assert sorted(tmp_path.iterdir()) == before


def test_nothing_of_the_device_can_be_overwritten(
    home: Home, device: Device, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(home.folder / "history.db")
    before = home.files()

    for path in (home.folder / "history.db", home.folder / "mine.zip", link):
        with pytest.raises(ValueError, match="in the folder of the device"):
            device.history.export(path, overwrite=True)

    assert home.files() == before
    device.record("view", MILK)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"language": "fr"}, "language is 'fr'"),
        ({"passphrase": ""}, "passphrase is empty"),
    ],
)
def test_misuse_writes_nothing(
    device: Device, tmp_path: Path, changes: dict[str, str], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        device.history.export(tmp_path / "mine.zip", **changes)  # type: ignore[arg-type]

    assert not (tmp_path / "mine.zip").exists()


def test_a_folder_that_is_not_there_is_not_made(device: Device, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        device.history.export(tmp_path / "usb" / "mine.zip")

    assert not (tmp_path / "usb").exists()


def test_a_history_too_long_for_one_file_is_said_so(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shelfrank.rights.exported.MAX_PART_BYTES", 300)

    with pytest.raises(HistoryError, match="too long for one export"):
        device.history.export(tmp_path / "mine.zip")


class Watched:
    """Everything that reaches the disk while something runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.written: list[bytes] = []
        write = os.write

        def watched(handle: int, data: bytes) -> int:
            self.written.append(bytes(data))
            return write(handle, data)

        monkeypatch.setattr("shelfrank.history.files.os.write", watched)


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_a_sealed_export_puts_no_plain_text_on_the_disk_at_any_moment(
    home: Home,
    device: Device,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    passphrase: str | None,
) -> None:
    watched = Watched(monkeypatch)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))

    device.history.export(tmp_path / "mine", passphrase=passphrase)

    everything = b"".join([*watched.written, *home.files().values()])
    found = [c for c in (TEA.encode(), b"Canary tea", b"readme.html", SECRET) if c in everything]
    # Without a passphrase the same search finds all but the key: it can fail.
    assert found == ([] if passphrase else [TEA.encode(), b"Canary tea", b"readme.html"])
    assert list((tmp_path / "temporary").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"profile", "mine", "temporary"}


# --- There and back ---

purposes = st.sets(st.sampled_from(["rank", "offers", "measure"]), min_size=1).map(frozenset)
item_ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
past_events = st.lists(
    st.builds(
        lambda item_id, hours, kind, visit, order, quantity, purposes: past_event(
            item_id,
            hours=hours,
            kind=kind,
            visit=visit,
            order=order,
            quantity=quantity,
            purposes=tuple(purposes),
        ),
        item_ids,
        st.integers(-10_000, 10_000) | st.floats(-100, 100),
        st.sampled_from(KINDS),
        st.integers(0, 5) | st.integers(0, MAX_PAST_VISIT),
        st.integers(0, MAX_ORDER),
        st.floats(0, 1e6, width=32),
        purposes,
    ),
    max_size=140,
)


@given(past_events)
def test_what_was_taken_along_arrives_as_it_was(events: list[PastEvent]) -> None:
    before = history_of(events).stored()

    brought = read_export(write_export(takeaway(before)))

    arrived = history_of(
        [
            past_event(
                event.item_id,
                hours=(event.time - START) / HOUR,
                kind=event.kind,
                visit=event.visit,
                order=event.order,
                quantity=event.quantity,
            )
            for event in brought
        ]
    )
    assert [stored.event for stored in arrived.stored()] == [stored.event for stored in before]
