"""The manifest, apart from everything that could refuse it for another reason."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.bundle.manifest import MAX_PARTS, FileEntry, Manifest, ModelInfo
from shelfrank.errors import BundleError, BundleFormatError, BundleVersionError, ModelMismatchError
from support.publisher import NOW, YEAR
from support.tiny_model import INFO

GOOD = Manifest(
    format=0,
    name="shop-14",
    version=7,
    issued_at=NOW,
    expires=NOW + YEAR,
    min_sdk=(0, 1),
    files=(
        FileEntry(path="catalog.bin", size=3, sha256="0" * 64, critical=True),
        FileEntry(path="model.onnx", size=4, sha256="f" * 64, critical=False),
    ),
    model=INFO,
)


def edited(edit) -> bytes:
    values = json.loads(GOOD.dump())
    edit(values)
    return json.dumps(values).encode()


def test_what_was_dumped_is_parsed_back():
    assert Manifest.parse(GOOD.dump()) == GOOD
    assert GOOD.sizes() == {"catalog.bin": 3, "model.onnx": 4}


@given(
    st.lists(
        st.from_regex("[a-z][a-z_]{0,8}", fullmatch=True),
        min_size=1,
        max_size=MAX_PARTS,
        unique=True,
    ),
    st.integers(1, 10**6),
    st.floats(0, 1),
)
def test_a_model_is_described_and_read_back(parts, n_items, tolerance):
    info = ModelInfo.standard(
        parts=tuple(parts), n_items=n_items, n_categories=0, tolerance=tolerance
    )

    assert ModelInfo.parse(json.dumps(info.to_json()).encode(), where="x") == info


def test_an_input_may_be_left_out():
    without = edited(lambda m: m["model"]["inputs"].pop())

    assert len(Manifest.parse(without).model.inputs) == 8


@pytest.mark.parametrize(
    ("edit", "error", "complaint"),
    [
        (lambda m: m.update(format=1), BundleVersionError, "reads 0"),
        (lambda m: m.update(version=0), BundleFormatError, "`version` must be"),
        (lambda m: m.update(name="a" * 64), BundleFormatError, "`name` must be"),
        (lambda m: m.update(issued_at=0), BundleFormatError, "`issued_at` must be"),
        (lambda m: m.update(min_sdk="1"), BundleFormatError, "`min_sdk` must be"),
        (lambda m: m["files"].reverse(), BundleFormatError, "ascending by path"),
        (lambda m: m["files"].insert(0, m["files"][0]), BundleFormatError, "none twice"),
        (lambda m: m["files"][0].update(path="../x"), BundleFormatError, "not the name of a file"),
        (lambda m: m["files"][0].update(path="manifest.json"), BundleFormatError, "not the name"),
        (lambda m: m["files"][0].update(path="manifest.sig.json"), BundleFormatError, "not the"),
        (lambda m: m["files"][0].update(size=2**40), BundleFormatError, "`size` must be"),
        (lambda m: m["files"][0].update(sha256="F" * 64), BundleFormatError, "`sha256` must be"),
        (lambda m: m["files"][0].update(critical=1), BundleFormatError, "`critical` must be"),
        (lambda m: m["model"].update(parts=[]), BundleError, "parts float32"),
        (lambda m: m["model"]["inputs"][0].update(name="gps"), ModelMismatchError, "input gps"),
        (lambda m: m["model"]["inputs"][0].update(type="float32"), ModelMismatchError, "float32"),
        (lambda m: m["model"]["inputs"][0].update(shape=["C"]), ModelMismatchError, "not give"),
        (lambda m: m["model"]["inputs"][0].update(shape=[0]), BundleFormatError, "must hold"),
        (lambda m: m["model"]["inputs"][0].update(shape=[True]), BundleFormatError, "must hold"),
        (lambda m: m["model"]["inputs"][0].update(type="string"), BundleFormatError, "string"),
        (lambda m: m["model"]["inputs"].append(m["model"]["inputs"][0]), BundleError, "twice"),
        (lambda m: m["model"]["outputs"].reverse(), ModelMismatchError, "must give score"),
    ],
    ids=range(22),
)
def test_a_manifest_outside_the_rules_is_refused_for_just_that(edit, error, complaint):
    with pytest.raises(error, match=complaint):
        Manifest.parse(edited(edit))
