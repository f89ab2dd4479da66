"""The container: one canonical form, limits before anything else."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.bundle import archive
from shelfrank.bundle.archive import read_members, root_name, write_members
from shelfrank.errors import BundleFormatError

names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,8}(\.[a-z0-9_-]{1,4})?", fullmatch=True) | st.builds(
    root_name, st.integers(1, 999_999)
)
archives = st.dictionaries(names, st.binary(max_size=40), min_size=1, max_size=8)


@given(archives)
def test_what_was_written_is_read_back(members):
    assert read_members(write_members(members)) == members


@given(archives)
def test_the_order_of_members_does_not_change_the_bytes(members):
    backwards = dict(reversed(members.items()))

    assert write_members(backwards) == write_members(members)


@given(archives)
def test_any_zip_tool_can_open_a_bundle(members):
    with zipfile.ZipFile(io.BytesIO(write_members(members))) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist()} == members


@given(archives, st.data())
def test_every_truncation_is_refused(members, data):
    written = write_members(members)
    length = data.draw(st.integers(0, len(written) - 1))

    with pytest.raises(BundleFormatError):
        read_members(written[:length])


@given(archives, st.data())
def test_every_changed_byte_of_the_container_is_refused(members, data):
    written = bytearray(write_members(members))
    position = data.draw(st.integers(0, len(written) - 1))
    written[position] ^= data.draw(st.integers(1, 255))

    with pytest.raises(BundleFormatError):
        read_members(bytes(written))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_bundle_are_refused(data):
    with pytest.raises(BundleFormatError):
        read_members(b"PK\x03\x04" + data)


@pytest.mark.parametrize(
    "name",
    [
        "../model.onnx",
        "..",
        ".",
        ".hidden",
        "/etc/passwd",
        "c:model.onnx",
        "a\\b",
        "Model.onnx",
        "roots/0.json",
        "roots/01.json",
        "roots/1.json/x",
        "roots/",
        "sub/model.onnx",
        "",
        "a" * 65,
        "model.onnx\n",
        "modèl.onnx",
        "a..b",
    ],
)
def test_a_name_outside_the_rules_is_neither_written_nor_read(name):
    assert not archive.is_member_name(name)
    with pytest.raises(BundleFormatError):
        write_members({name: b""})


def test_a_member_above_its_limit_is_refused_by_its_stated_size_alone():
    # Only the header says 64 KiB + 1: nothing of that size exists to be read.
    written = bytearray(write_members({archive.MANIFEST: b"{}"}))
    size = (64 * 1024 + 1).to_bytes(4, "little")
    written[18:22] = written[22:26] = size

    with pytest.raises(BundleFormatError, match=r"65,537 bytes, at most 65,536 are read"):
        read_members(bytes(written))


def test_a_member_at_its_limit_is_read_and_one_byte_more_is_not():
    limit = archive.member_limit(archive.MANIFEST)

    assert read_members(write_members({archive.MANIFEST: bytes(limit)}))
    with pytest.raises(BundleFormatError):
        write_members({archive.MANIFEST: bytes(limit + 1)})


def test_thirty_two_members_and_sixty_four_roots_are_read_and_one_more_is_not():
    members = {f"m{i}": b"" for i in range(32)}
    roots = {root_name(i): b"" for i in range(1, 65)}

    assert len(read_members(write_members(members | roots))) == 96
    with pytest.raises(BundleFormatError):
        write_members(members | roots | {"m32": b""})
    with pytest.raises(BundleFormatError):
        write_members(members | roots | {"roots/65.json": b""})


@pytest.mark.parametrize("name", ["m32", "roots/65.json"])
def test_more_members_than_allowed_are_refused_by_the_reader_too(monkeypatch, name):
    members = {f"m{i}": b"" for i in range(32)} | {root_name(i): b"" for i in range(1, 65)}
    with monkeypatch.context() as careless:
        careless.setattr(archive, "MAX_MEMBERS", 99)
        careless.setattr(archive, "MAX_ROOTS", 99)
        written = write_members(members | {name: b""})

    with pytest.raises(BundleFormatError, match="more than 32 members or more than 64 roots"):
        read_members(written)


def test_a_member_that_ends_behind_the_file_is_named():
    written = write_members({"a": b"1234"})

    with pytest.raises(BundleFormatError, match="ends inside member a"):
        read_members(written[:33])


def test_a_file_above_the_limit_is_refused_before_it_is_looked_at(monkeypatch):
    monkeypatch.setattr(archive, "MAX_BUNDLE_BYTES", 100)

    with pytest.raises(BundleFormatError, match="101 bytes, at most 100"):
        read_members(bytes(101))
