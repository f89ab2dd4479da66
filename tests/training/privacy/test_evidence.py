"""``shelfrank privacy evidence``: one folder for counsel, the same again from the same inputs."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from datetime import UTC, datetime

import pytest

from shelfrank import testing
from shelfrank_training.cli.main import run
from shelfrank_training.privacy.evidence import INDEX, Subject, gather
from shelfrank_training.privacy.promises import promises
from support.careful_shop import careful_policy, careless

AT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
NOTICES = {
    f"notice-{purpose}-{language}.txt"
    for purpose in ("rank_products", "sort_offers")
    for language in ("de", "nl", "en")
}


def of_policy(policy=None, **changes):
    given = {
        "policy": policy or careful_policy(),
        "bundle": None,
        "label": None,
        "presets": (),
        "tests": None,
        "at": AT,
    }
    return gather(Subject(**given | changes))


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shelfrank_training.cli.console.stderr.width", 400)
    (tmp_path / "good.toml").write_bytes(careful_policy())
    (tmp_path / "bad.toml").write_bytes(
        careless((("ages", "minimum"), 13), (("policy", "preset"), ["us_co"]))
    )
    (tmp_path / "demo.shelfrank").write_bytes(testing.demo_bundle())
    (tmp_path / "demo.toml").write_bytes(testing.demo_policy())
    (tmp_path / "root.json").write_bytes(testing.demo_root())
    (tmp_path / "junit.xml").write_bytes(b"<testsuites/>")
    return tmp_path


def told(*arguments):
    return run(["privacy", "evidence", *arguments, "--at", AT.isoformat()])


def read(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_it_holds_all_that_a_policy_alone_can_show():
    evidence = of_policy()

    assert evidence.sound
    receipts = {name for name in evidence.files if name.startswith("receipt-")}
    assert len(receipts) == 2 * 2 * 5
    assert set(evidence.files) - receipts == NOTICES | {
        INDEX, "policy.toml", "check.md", "check.json", "inventory.csv", "promises.md",
    }  # fmt: skip
    assert evidence.files["policy.toml"] == careful_policy()
    assert json.loads(evidence.files["check.json"])["passed"] is True
    rows = list(csv.DictReader(io.StringIO(evidence.files["inventory.csv"].decode())))
    assert (len(rows), rows[0]["used_by"]) == (10, "next, affinity, category, repeat")


def test_the_index_names_every_file_with_its_digest():
    files = of_policy().files
    rows = re.findall(
        r"^\| \[(.+)\]\((.+)\) \| .+ \| ([0-9a-f]{64}) \|$", files[INDEX].decode(), re.MULTILINE
    )

    assert {name for name, _, _ in rows} == set(files) - {INDEX}
    for name, link, digest in rows:
        assert link == name
        assert digest == hashlib.sha256(files[name]).hexdigest()


def test_the_index_says_what_counsel_asks_first():
    index = of_policy().files[INDEX].decode()

    assert "not legal advice" in index
    assert "The check passed, under us_va." in index
    assert "Reviewed by The data protection officer on 2026-10-01." in index
    assert "Kept for nothing: nothing." in index
    assert "Bundle: none was given." in index


def test_a_notice_has_both_layers_and_its_digest_and_no_token():
    notice = of_policy().files["notice-rank_products-en.txt"].decode()

    assert notice.startswith("Products in your order\nThis device keeps what you buy for 180 days.")
    assert "You can complain to: The authority." in notice
    assert re.search(r"\[SHA-256 [0-9a-f]{64}\]\n$", notice)
    assert "sample" not in notice


def test_the_promises_come_with_their_tests():
    page = of_policy().files["promises.md"].decode()

    for promise in (*promises("invariant"), *promises("beyond")):
        assert promise.says in page
        assert all(test in page for test in promise.tests)


@pytest.mark.usefixtures("place")
def test_the_same_inputs_give_the_same_bytes(place):
    arguments = ("good.toml", "demo.shelfrank", "--tests", "junit.xml")
    assert told(*arguments, "--out", "one") == 0
    assert told(*arguments, "--out", "two") == 0

    assert read(place / "one") == read(place / "two")
    assert (place / "one" / "tests.xml").read_bytes() == b"<testsuites/>"


@pytest.mark.usefixtures("place")
def test_with_a_bundle_label_and_policy_in_force_are_there(place):
    assert told("good.toml", "demo.shelfrank", "--trust", "root.json", "--out", "one") == 0

    files = read(place / "one")
    assert {"label.json", "label-de.html", "label-nl.html", "label-en.html"} <= set(files)
    assert files["bundle-policy.toml"] == testing.demo_policy()
    index = files[INDEX].decode()
    assert "demo version 1 (verified: signed by a trusted key)" in index
    assert "it carries another policy" in index
    # The bundle has no purpose sort_offers, so nobody is ever asked for it.
    assert not [name for name in files if "sort_offers" in name]


@pytest.mark.usefixtures("place")
def test_a_bundle_with_this_very_policy_needs_it_once(place):
    told("demo.toml", "demo.shelfrank", "--out", "one")

    files = read(place / "one")
    assert "bundle-policy.toml" not in files
    assert "it carries this very policy" in files[INDEX].decode()


@pytest.mark.usefixtures("place")
def test_what_fails_is_gathered_all_the_same_and_said(place, capsys):
    assert told("bad.toml", "--out", "one") == 1

    assert "a rule fails" in capsys.readouterr().err
    assert "**failed**" in (place / "one" / INDEX).read_text(encoding="utf-8")
    assert "law-age" in (place / "one" / "check.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("place")
def test_an_older_folder_is_replaced_only_when_told_and_nothing_else_ever(place, capsys):
    (place / "mine").mkdir()
    (place / "mine" / "letter.txt").touch()

    assert told("good.toml", "--out", "one") == 0
    assert told("good.toml", "--out", "one") == 1
    assert told("good.toml", "--out", "one", "--force") == 0
    assert told("good.toml", "--out", "mine", "--force") == 1
    assert "no evidence" in capsys.readouterr().err
    assert [path.name for path in (place / "mine").iterdir()] == ["letter.txt"]
