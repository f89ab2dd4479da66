"""``python -m shelfrank`` does with a key alone what the shopper may want without the app."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from shelfrank import keys
from shelfrank.__main__ import main
from support import keyrings
from support.corner_shop import BREAD, TEA
from support.exports import past_event
from support.histories import Profile, new_event
from support.home import Home, grant
from support.keyrings import SystemVault

if TYPE_CHECKING:
    from pathlib import Path

DONE, FAILED, WRONG_USE = 0, 1, 2
WORDS = "correct horse"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Return a home whose device has two events under a key file, and is closed."""
    home = Home(tmp_path, key=keys.file(tmp_path / "key"))
    monkeypatch.setattr("shelfrank.__main__.SystemClock", lambda: home.clock)
    with home.open() as device:
        grant(device)
        device.record("view", TEA)
        device.record("purchase", BREAD)
    return home


@pytest.fixture
def command(home: Home) -> list[str]:
    return [str(home.folder), "--key-file", str(home.root / "key")]


def test_verify_says_that_all_is_there(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", *command]) == DONE
    assert capsys.readouterr() == ("2 events, 0 unreadable\n", "")

    assert main(["verify", *command, "--json"]) == DONE
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "events": 2,
        "unreadable": 0,
        "damaged": [],
        "whole": True,
        "error": None,
    }


def test_verify_changes_nothing(home: Home, command: list[str]) -> None:
    before = home.files()

    main(["verify", *command])

    assert home.files() == before


def test_verify_names_what_is_damaged_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = Profile(tmp_path)
    with profile.open() as history:
        history.append([new_event("mine", minutes=minute) for minute in range(130)])
        database = history._storage.attach()
        assert database is not None
        with database.writing() as connection:
            connection.execute("UPDATE block SET sealed = zeroblob(length(sealed))")
    arguments = ["verify", str(profile.folder), "--key-file", str(profile.key_path)]

    assert main(arguments) == FAILED
    assert capsys.readouterr().out == (
        "2 events, 128 unreadable\ndamaged: events number 0 to 127\n"
    )
    assert main([*arguments, "--json"]) == FAILED
    assert json.loads(capsys.readouterr().out)["damaged"] == [{"first": 0, "last": 127}]


def test_verify_tells_a_wrong_key_from_damage(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    keys.file(home.root / "other").wrap(bytes(32), bytes(16))

    arguments = [str(home.folder), "--key-file", str(home.root / "other"), "--json"]
    assert main(["verify", *arguments]) == FAILED

    printed = capsys.readouterr()
    assert json.loads(printed.out)["error"] == "WrongKeyError"
    assert printed.err.startswith("error: there is no key for this history")


def test_export_writes_what_the_app_would_without_titles(
    home: Home, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = home.root / "mine.zip"

    assert main(["export", *command, "--out", str(out), "--language", "nl", "--json"]) == DONE

    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"events": 2, "unreadable": 0}
    assert printed.err == "exported 2 events, 0 unreadable\n"
    with zipfile.ZipFile(out) as archive:
        page = archive.read("readme.html").decode()
        choices = json.loads(archive.read("choices.json"))["choices"]
    assert TEA in page
    assert "Wat is onthouden (2)" in page
    # Without a policy nobody knows what the yes was for; it is told as it was given.
    assert [(choice["purpose"], choice["status"]) for choice in choices] == [
        ("rank_products", "given")
    ]


def test_an_export_without_a_policy_tells_a_yes_that_ran_out(
    home: Home, command: list[str]
) -> None:
    home.clock.turn(days=366)
    assert main(["export", *command, "--out", str(home.root / "mine.zip")]) == DONE

    with zipfile.ZipFile(home.root / "mine.zip") as archive:
        (choice,) = json.loads(archive.read("choices.json"))["choices"]
    assert choice["status"] == "expired"


def test_what_is_due_goes_before_an_export_as_at_every_opening(
    home: Home, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    home.clock.turn(days=800)
    home.confirm_the_clock()

    assert main(["export", *command, "--out", str(home.root / "mine.zip")]) == DONE

    assert capsys.readouterr().err == "exported 0 events, 0 unreadable\n"


def test_an_export_is_sealed_under_the_first_line_of_a_file_or_stdin(
    home: Home, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.root / "words").write_text(f"{WORDS}\nsecond line\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{WORDS}\n"))

    for name, source in (("one", str(home.root / "words")), ("two", "-")):
        out = home.root / name
        assert main(["export", *command, "--out", str(out), "--passphrase-file", source]) == DONE
        with home.open() as device:
            assert device.history.import_(out, passphrase=WORDS).already_here == 2


def test_export_overwrites_only_when_told(
    home: Home, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = home.root / "mine.zip"
    out.write_text("a letter")

    assert main(["export", *command, "--out", str(out)]) == FAILED
    assert "is there already" in capsys.readouterr().err
    assert out.read_text() == "a letter"

    assert main(["export", *command, "--out", str(out), "--overwrite"]) == DONE


def test_erase_removes_everything_and_the_key_first(
    home: Home, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["erase", *command, "--yes", "--json"]) == DONE

    assert json.loads(capsys.readouterr().out) == {"erased": True, "key_destroyed": True}
    assert list(home.files()) == []


@pytest.mark.parametrize("answer", ["", "yes\n", "no\n", "erase it\n"])
def test_erase_asks_and_takes_only_the_word_itself(
    home: Home, command: list[str], monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    before = home.files()
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))

    assert main(["erase", *command]) == FAILED

    assert home.files() == before
    monkeypatch.setattr(sys, "stdin", io.StringIO("erase\n"))
    assert main(["erase", *command]) == DONE


def test_erase_destroys_no_key_of_something_else(
    home: Home, command: list[str], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    other = Profile(tmp_path / "other")
    with other.open() as history:
        history.append([new_event()])
    before = home.files()

    assert main(["erase", str(tmp_path / "empty"), *command[1:], "--yes"]) == FAILED
    assert main(["erase", str(tmp_path / "nowhere"), *command[1:], "--yes"]) == FAILED
    assert main(["erase", command[0], "--key-file", str(other.key_path), "--yes"]) == FAILED

    assert home.files() == before


def test_erase_takes_what_does_not_open(home: Home, command: list[str]) -> None:
    (home.folder / "history.db").write_bytes(b"no database at all")

    assert main(["erase", *command, "--yes"]) == DONE
    assert list(home.files()) == []


@pytest.mark.parametrize("name", ["verify", "export", "erase"])
def test_a_folder_without_a_history_is_said_so_and_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    more = ["--out", str(tmp_path / "mine.zip")] if name == "export" else []

    arguments = [name, str(tmp_path / "nowhere"), "--key-file", str(tmp_path / "key"), *more]
    assert main(arguments) == FAILED

    assert "there is no device's history in" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_other_keys_open_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keyrings.install(monkeypatch, SystemVault())
    in_keyring = Profile(tmp_path / "one", keys.keyring("Shop", "shopper"))
    by_heart = Profile(tmp_path / "two", keys.passphrase(WORDS))
    for profile in (in_keyring, by_heart):
        with profile.open() as history:
            history.merge([past_event()])
    (tmp_path / "words").write_text(WORDS)

    assert main(["verify", str(in_keyring.folder), "--keyring", "Shop", "shopper"]) == DONE
    arguments = ["--key-passphrase-file", str(tmp_path / "words")]
    assert main(["verify", str(by_heart.folder), *arguments]) == DONE
    assert main(["erase", str(by_heart.folder), *arguments, "--yes"]) == DONE
    assert "whoever has an older copy" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [[], ["verify"], ["verify", "x"], ["export", "x", "--key-file", "y"], ["upload", "x"]],
    ids=" ".join,
)
def test_wrong_use_ends_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == WRONG_USE


def test_two_passphrases_cannot_both_come_from_stdin(home: Home) -> None:
    arguments = ["--key-passphrase-file", "-", "--passphrase-file", "-", "--out", "x"]

    assert main(["export", str(home.folder), *arguments]) == WRONG_USE


def test_as_a_process_it_keeps_data_and_talk_apart(command: list[str]) -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "shelfrank", "verify", *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout, done.stderr) == (DONE, "2 events, 0 unreadable\n", "")
