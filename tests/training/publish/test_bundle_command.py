"""``shelfrank bundle``, as a person at a terminal meets it."""

from __future__ import annotations

import io
import json
import sys

import pytest

from shelfrank.bundle.archive import read_members, write_members
from shelfrank_training.cli.main import run
from support import corner_shop
from support.home import policy
from support.labels import edited
from support.publisher import NOW, Forgery, Publisher
from support.tiny_model import write_model_folder


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Stand in a folder with a model and keys."""
    monkeypatch.chdir(tmp_path)
    write_model_folder(tmp_path / "model")
    assert run(["bundle", "keygen", "--out", "keys"]) == 0
    return tmp_path


def build(*more):
    given = ["--name", "shop-14", "--version", "3", "--out", "b.shelfrank"]
    return run(["bundle", "build", "model", *given, "--root", "keys/root.json", *more])


def sign(*more):
    return run(["bundle", "sign", "b.shelfrank", "--key-file", "keys/bundle.key", *more])


def verify(*more):
    return run(["bundle", "verify", "b.shelfrank", "--trust", "keys/root.json", *more])


@pytest.mark.usefixtures("place")
def test_keys_bundle_and_signature_verify():
    assert (build(), sign(), verify()) == (0, 0, 0)


def test_keys_are_for_their_owner_alone(place):
    for name in ("root.key", "bundle.key"):
        assert (place / "keys" / name).stat().st_mode & 0o777 == 0o600


def test_a_bundle_with_one_byte_changed_exits_1_and_says_what(place, capsys):
    build()
    sign()
    data = bytearray((place / "b.shelfrank").read_bytes())
    data[len(data) // 2] ^= 1
    (place / "b.shelfrank").write_bytes(data)
    capsys.readouterr()

    assert verify() == 1

    shown = capsys.readouterr()
    assert shown.out == ""
    assert "error: bundle member" in shown.err
    assert "Traceback" not in shown.err


@pytest.mark.usefixtures("place")
def test_an_unsigned_bundle_exits_1(capsys):
    build()

    assert verify() == 1
    assert "signed by 0 trusted keys" in capsys.readouterr().err


@pytest.mark.usefixtures("place")
def test_a_bundle_of_other_keys_exits_1(capsys):
    build()
    sign()
    run(["bundle", "keygen", "--out", "others"])

    code = run(["bundle", "verify", "b.shelfrank", "--trust", "others/root.json"])

    assert code == 1
    assert "signed by 0 trusted keys" in capsys.readouterr().err


@pytest.mark.usefixtures("place")
def test_an_expired_bundle_exits_1_as_of_that_moment(capsys):
    build("--issued-at", "2017-12-01", "--expires-days", "30")
    sign()

    assert verify("--at", "2017-12-30T23:59:59Z") == 0
    assert verify("--at", "2017-12-31") == 1
    assert "expired on 2017-12-31T00:00:00Z" in capsys.readouterr().err


def test_the_same_inputs_give_the_same_file(place):
    issued = ("--issued-at", "2017-12-01T00:00:00Z")
    build(*issued)
    first = (place / "b.shelfrank").read_bytes()

    build(*issued, "--force")

    assert (place / "b.shelfrank").read_bytes() == first


def test_nothing_is_overwritten_unless_told(place, capsys):
    root = (place / "keys" / "root.json").read_bytes()
    build()

    assert build() == 1
    assert run(["bundle", "keygen", "--out", "keys"]) == 1

    assert "--force" in capsys.readouterr().err
    assert (place / "keys" / "root.json").read_bytes() == root
    assert run(["bundle", "keygen", "--out", "keys", "--force"]) == 0
    assert (place / "keys" / "root.json").read_bytes() != root


def test_keys_are_not_half_written_when_one_name_is_taken(place):
    (place / "new").mkdir()
    (place / "new" / "bundle.key").write_text("mine")

    assert run(["bundle", "keygen", "--out", "new"]) == 1
    assert [path.name for path in (place / "new").iterdir()] == ["bundle.key"]


def test_a_passphrase_comes_from_a_file(place, capsys):
    (place / "pass").write_text("correct horse\n")
    run(["bundle", "keygen", "--out", "keys", "--force", "--passphrase-file", "pass"])
    build()

    assert sign() == 1
    assert sign("--passphrase-file", "pass") == 0
    assert verify() == 0
    shown = capsys.readouterr()
    assert "correct horse" not in shown.out + shown.err


def test_a_key_comes_from_standard_input(place, monkeypatch):
    build()
    key = (place / "keys" / "bundle.key").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(key)))

    assert run(["bundle", "sign", "b.shelfrank", "--key-file", "-"]) == 0
    assert verify() == 0


@pytest.mark.usefixtures("place")
def test_the_root_key_does_not_sign_bundles(capsys):
    build()

    assert run(["bundle", "sign", "b.shelfrank", "--key-file", "keys/root.key"]) == 1
    assert "hint: sign with the bundle key" in capsys.readouterr().err


def test_show_as_json_is_data_on_standard_output(place, capsys):
    build()
    sign()
    capsys.readouterr()

    assert run(["bundle", "show", "b.shelfrank", "--json"]) == 0

    shown = json.loads(capsys.readouterr().out)
    assert (shown["verified"], shown["name"], shown["version"]) == (False, "shop-14", 3)
    assert shown["parts"] == ["popularity", "affinity"]
    assert shown["label"]["privacy"]["min_shoppers"] == 50
    assert shown["size"] == (place / "b.shelfrank").stat().st_size
    assert len(shown["signers"]) == 1


@pytest.mark.usefixtures("place")
def test_show_as_table_names_label_parts_and_sizes(capsys):
    build()
    capsys.readouterr()

    assert run(["bundle", "show", "b.shelfrank"]) == 0

    shown = capsys.readouterr().err
    for expected in ("not verified", "popularity, affinity", "min_shoppers", "model.onnx", "471"):
        assert expected in shown


def test_an_escape_sequence_in_a_label_is_shown_and_not_obeyed(place, capsys):
    build()
    members = read_members((place / "b.shelfrank").read_bytes())
    hostile = {"\x1b[2J[red]": "x", "[bold]x": "\x1b[2J[red]"}
    members["label.json"] = edited(members["label.json"], "intended_use", hostile)
    (place / "b.shelfrank").write_bytes(write_members(members))
    capsys.readouterr()

    assert run(["bundle", "show", "b.shelfrank"]) == 0

    shown = capsys.readouterr().err
    assert "\x1b[2J" not in shown
    assert "[red]" in shown
    assert "[bold]x" in shown


def test_a_bundle_that_its_own_policy_refuses_is_refused(place, capsys):
    signed = Publisher().bundle(forgery=Forgery(files={"policy.toml": policy(min_shoppers=51)}))
    (place / "b.shelfrank").write_bytes(signed)
    (place / "keys" / "root.json").write_bytes(Publisher().trust)

    assert verify("--at", NOW.isoformat()) == 1
    assert "at least 50 shoppers, the policy wants 51" in capsys.readouterr().err
    assert verify("--at", NOW.isoformat(), "--allow-unprotected") == 0


def test_the_hint_of_a_refused_red_label_names_the_option(place, capsys):
    red = corner_shop.Label(min_shoppers=5, unprotected=True)
    (place / "b.shelfrank").write_bytes(corner_shop.bundle_bytes(label=red))
    (place / "keys" / "root.json").write_bytes(corner_shop.TRUST)

    assert verify("--at", NOW.isoformat()) == 1

    shown = capsys.readouterr().err
    assert "unprotected" in shown
    assert "hint: for research on public data, pass --allow-unprotected" in shown
    assert "allow_unprotected" not in shown
    assert verify("--at", NOW.isoformat(), "--allow-unprotected") == 0


@pytest.mark.usefixtures("place")
def test_verify_as_json_says_what_was_verified(capsys):
    build()
    sign()
    capsys.readouterr()

    assert verify("--json") == 0
    assert json.loads(capsys.readouterr().out)["verified"] is True


def test_a_folder_as_out_gets_the_usual_name(place):
    assert build("--out", ".") == 0
    assert (place / "shop-14-3.shelfrank").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "missing.shelfrank"],
        ["verify", "b.shelfrank"],
        ["build", "model"],
        ["sign", "b.shelfrank", "--key-file", "missing"],
        ["keygen"],
    ],
    ids=range(5),
)
@pytest.mark.usefixtures("place")
def test_wrong_use_exits_2(arguments):
    build()

    assert run(["bundle", *arguments]) == 2


@pytest.mark.usefixtures("place")
def test_a_time_that_is_none_is_wrong_use():
    assert build("--issued-at", "yesterday") == 2


@pytest.mark.usefixtures("place")
def test_key_and_passphrase_cannot_share_standard_input():
    build()

    code = run(
        ["bundle", "sign", "b.shelfrank", "--key-file", "-", "--passphrase-file", "-"],
    )

    assert code == 2
