"""An export is what a stranger hands over: anything wrong with it, and nothing of it is read."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.bundle import archive
from shelfrank.bundle.archive import read_members, write_members
from shelfrank.errors import ExportDamagedError, HistoryVersionError, ShelfrankError
from shelfrank.history.events import MAX_PAST_VISIT
from shelfrank.rights import exported
from shelfrank.rights.exported import ACTIVITIES, CONTAINER, HISTORY, MANIFEST, PARTS
from shelfrank.rights.reading import read_export
from support.exports import changed, export_of, past_event, relisted, with_event

if TYPE_CHECKING:
    from collections.abc import Callable

CANARY = "sku-canary-18"


@pytest.fixture(scope="module")
def export() -> bytes:
    return export_of(
        [
            past_event(CANARY, kind="purchase", quantity=2.5),
            past_event("00042", hours=30, visit=4, order=2),
        ]
    )


def refused(data: bytes, match: str | None = None) -> str:
    with pytest.raises(ExportDamagedError, match=match) as caught:
        read_export(data)
    assert CANARY not in str(caught.value)
    return str(caught.value)


def test_a_good_one_is_read(export: bytes) -> None:
    first, second = read_export(export)

    assert (first.kind, first.item_id, first.quantity) == ("purchase", CANARY, 2.5)
    assert (second.item_id, second.visit, second.order) == ("00042", 4, 2)
    assert repr(first) == "<BroughtEvent purchase>"


def test_every_flipped_byte_is_noticed(export: bytes) -> None:
    for at in range(len(export)):
        wrong = export[:at] + bytes([export[at] ^ 0xFF]) + export[at + 1 :]
        with pytest.raises((ExportDamagedError, HistoryVersionError)):
            read_export(wrong)


def test_every_cut_is_noticed(export: bytes) -> None:
    for size in range(len(export)):
        refused(export[:size])


def test_what_is_added_is_noticed(export: bytes) -> None:
    refused(export + b"\0", "directory")
    refused(b"\0" + export, "^no export: it does not start like a zip archive")


@given(st.binary(max_size=200))
def test_whatever_is_no_export_is_refused_with_a_type(data: bytes) -> None:
    with pytest.raises(ExportDamagedError):
        read_export(data)


@given(st.data())
def test_a_forged_part_gives_events_or_a_typed_error(data: st.DataObject) -> None:
    export = export_of([past_event(CANARY)])
    text = json.dumps(
        data.draw(
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(
                        st.sampled_from(
                            ["orderedItems", "totalItems", "type", "object", "sku", "published"]
                        ),
                        inner,
                        max_size=4,
                    )
                ),
            )
        )
    )
    part = data.draw(st.sampled_from([ACTIVITIES, MANIFEST]))
    members = read_members(export, CONTAINER)
    members[part] = text.encode()
    forged = relisted(members) if part == ACTIVITIES else write_members(members, CONTAINER)

    with pytest.raises(ShelfrankError):
        read_export(forged)


# --- The container ---


@pytest.mark.parametrize(
    "name", ["../history.jsonld", "/etc/passwd", "a\\b", "History.jsonld", "x/history.json"]
)
def test_a_name_that_leads_elsewhere_is_refused(
    export: bytes, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = read_members(export, CONTAINER)
    with monkeypatch.context() as careless:
        careless.setattr(archive, "_check_name", lambda *_: None)
        hostile = write_members({**members, name: b""}, CONTAINER)

    refused(hostile, "member called")


def test_a_part_that_is_there_twice_is_refused(export: bytes) -> None:
    members = read_members(export, CONTAINER)
    beside = write_members({**members, "readme.htmm": b"another page"}, CONTAINER)

    refused(beside.replace(b"readme.htmm", b"readme.html"), "is there twice")


def test_a_compressed_part_is_refused_so_that_nothing_can_explode() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("readme.html", bytes(10**7))

    assert len(file.getvalue()) < 10**6
    refused(file.getvalue(), "compressed or encrypted member")


def test_a_file_or_a_part_over_the_limit_is_refused(
    export: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = CONTAINER._replace(max_bytes=len(export) - 1)
    monkeypatch.setattr("shelfrank.rights.reading.CONTAINER", small)
    refused(export, "at most")

    monkeypatch.setattr("shelfrank.rights.reading.CONTAINER", CONTAINER)
    monkeypatch.setattr(exported, "MAX_PART_BYTES", 100)
    refused(export, "has .* bytes, at most 100")


# --- The manifest ---


@pytest.mark.parametrize("missing", [MANIFEST, *PARTS])
def test_a_part_that_is_missing_is_noticed(export: bytes, missing: str) -> None:
    members = read_members(export, CONTAINER)
    del members[missing]

    refused(write_members(members, CONTAINER), "has no manifest|are not those")


def test_a_part_that_is_missing_everywhere_is_noticed(export: bytes) -> None:
    members = read_members(export, CONTAINER)
    del members[HISTORY]

    refused(relisted(members), "are not those")


def test_a_part_that_is_not_listed_is_noticed(export: bytes) -> None:
    members = read_members(export, CONTAINER)

    refused(write_members({**members, "more.json": b"{}"}, CONTAINER), "are not those")


def test_a_part_that_a_later_sdk_lists_is_left_alone(export: bytes) -> None:
    members = read_members(export, CONTAINER)

    assert len(read_export(relisted({**members, "more.json": b"{}"}))) == 2


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_was_edited_is_named(export: bytes, part: str) -> None:
    members = read_members(export, CONTAINER)
    members[part] = members[part][:-1] + b" "

    refused(write_members(members, CONTAINER), f"^{re.escape(part)} .* damaged")


def edited_manifest(export: bytes, edit: Callable[[dict[str, object]], object]) -> bytes:
    members = read_members(export, CONTAINER)
    manifest = json.loads(members[MANIFEST])
    edit(manifest)
    return write_members({**members, MANIFEST: json.dumps(manifest).encode()}, CONTAINER)


@pytest.mark.parametrize("number", [0, 2, 99])
def test_another_format_number_is_told_from_damage(export: bytes, number: int) -> None:
    with pytest.raises(HistoryVersionError, match=f"has format {number}, this SDK reads 1"):
        read_export(edited_manifest(export, lambda manifest: manifest.update(format=number)))


@pytest.mark.parametrize("value", ["1", 1.0, True, None])
def test_a_format_that_is_no_number_is_damage(export: bytes, value: object) -> None:
    refused(edited_manifest(export, lambda manifest: manifest.update(format=value)), "no format")


@pytest.mark.parametrize(
    "change",
    [
        {"created": "yesterday"},
        {"counts": {}},
        {"counts": {"events": -1}},
        {"parts": {}},
        {"parts": [{"name": "history.json"}]},
    ],
)
def test_a_manifest_of_another_form_is_refused(export: bytes, change: dict[str, object]) -> None:
    refused(edited_manifest(export, lambda manifest: manifest.update(change)), "not as the format")


@pytest.mark.parametrize("events", [1, 3])
def test_the_numbers_of_events_must_agree(export: bytes, events: int) -> None:
    stated = {"counts": {"events": events, "unreadable": 0}}
    refused(edited_manifest(export, lambda manifest: manifest.update(stated)), "has 2 events")

    def another_total(data: bytes) -> bytes:
        return data.replace(b'"totalItems": 2', b'"totalItems": %d' % events)

    refused(changed(export, ACTIVITIES, another_total), "has 2 events")


# --- The events ---


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "Arrive"},
        {"type": ["View"]},
        {"type": ...},
        {"object": CANARY},
        {"sku": ...},
        {"sku": 18},
        {"sku": ""},
        {"sku": "x" * 513},
        {"sku": "ä" * 257},
        {"published": "2017-12-01"},
        {"published": "2017-12-01T09:00:00"},
        {"published": "2017-12-01T09:00:00+01:00"},
        {"published": "2017-02-30T09:00:00Z"},
        {"published": "٢٠١٧-12-01T09:00:00Z"},
        {"published": 1512118800},
        {"published": ...},
    ],
    ids=str,
)
def test_an_event_of_the_wrong_kind_item_or_time_is_refused(
    export: bytes, fields: dict[str, object]
) -> None:
    refused(with_event(export, **fields), "^event 1 of the export has a wrong kind, item or time")


@pytest.mark.parametrize(
    "fields",
    [
        {"visit": -1},
        {"visit": MAX_PAST_VISIT + 1},
        {"visit": 1.0},
        {"visit": True},
        {"visit": ...},
        {"order": -1},
        {"order": 65536},
        {"order": "0"},
        {"order": ...},
        {"quantity": -1},
        {"quantity": 1e39},
        {"quantity": 10**400},
        {"quantity": "2"},
        {"quantity": True},
        {"quantity": None},
    ],
    ids=str,
)
def test_an_event_with_a_number_out_of_range_is_refused(
    export: bytes, fields: dict[str, object]
) -> None:
    refused(with_event(export, **fields), "^event 1 of the export has a visit, order or quantity")


@pytest.mark.parametrize("channel", [7, None, ["kiosk"], "x" * 65, "ä" * 33], ids=str)
def test_an_event_with_a_channel_that_is_none_is_refused(export: bytes, channel: object) -> None:
    refused(
        with_event(export, channel=channel), "^event 1 of the export has a channel that is none"
    )


def test_the_last_of_every_range_is_taken(export: bytes) -> None:
    edge = with_event(
        export,
        sku="x" * 512,
        visit=MAX_PAST_VISIT,
        order=65535,
        quantity=0,
        published="9999-12-31T23:59:59.999999Z",
        unknown={"a": 1},
    )

    assert read_export(edge)[0].quantity == 0


@pytest.mark.parametrize(
    "text",
    [
        b'{"orderedItems": [], "orderedItems": [], "totalItems": 2}',
        b'{"orderedItems": NaN, "totalItems": 2}',
        b'{"orderedItems": [1e999], "totalItems": 1}',
        b'{"orderedItems": ["\\ud800"], "totalItems": 1}',
        b'{"orderedItems": "\xff", "totalItems": 1}',
        b'{"orderedItems": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"orderedItems": ' + b"9" * 5000 + b"}",
        b"[]",
        b"",
        b'{"a": "' + CANARY.encode(),
    ],
    ids=lambda text: str(text[:40]),
)
def test_what_is_no_strict_json_is_refused(export: bytes, text: bytes) -> None:
    refused(changed(export, ACTIVITIES, lambda _: text), "not strict JSON, or no object")


@pytest.mark.parametrize("value", ["{}", "null", '"orderedItems"'])
def test_events_that_are_no_list_are_refused(export: bytes, value: str) -> None:
    text = f'{{"orderedItems": {value}, "totalItems": 2}}'.encode()

    refused(changed(export, ACTIVITIES, lambda _: text), "no list of events")
