"""Reading a file of unknown origin."""

from __future__ import annotations

import os

import pytest

from shelfrank.bundle import files
from shelfrank.bundle.files import read_bundle_file, read_root_file
from shelfrank.errors import BundleError, BundleFormatError


def test_a_file_is_read_whole(tmp_path):
    (tmp_path / "b").write_bytes(b"abc")

    assert read_bundle_file(tmp_path / "b") == b"abc"
    assert read_root_file(tmp_path / "b") == b"abc"


def test_a_file_at_the_limit_is_read_and_one_byte_more_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_BUNDLE_BYTES", 3)
    (tmp_path / "fits").write_bytes(b"abc")
    (tmp_path / "large").write_bytes(b"abcd")

    assert read_bundle_file(tmp_path / "fits") == b"abc"
    with pytest.raises(BundleFormatError, match="larger than 3 bytes"):
        read_bundle_file(tmp_path / "large")


def test_a_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(BundleError, match="cannot be read: No such file"):
        read_bundle_file(tmp_path / "missing")


def test_a_pipe_that_would_block_for_ever_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(BundleFormatError, match="not a regular file"):
        read_bundle_file(tmp_path / "pipe")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(BundleFormatError, match="not a regular file"):
        read_bundle_file(tmp_path)
