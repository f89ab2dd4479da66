"""Every example runs as its README says, and does what it is there to show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from support.examples import EXAMPLES, run, script

if TYPE_CHECKING:
    from pathlib import Path

APP = script("app/app.py")
FIRST_CHOICE = {"history.db", "history.anchor", "choices", "journal"}


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_there_is_a_test_for_every_example_and_each_has_a_readme() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}

    assert folders == {"quickstart", "train_on_your_data", "app", "kiosk", "consent"}
    assert all((EXAMPLES / name / "README.md").is_file() for name in folders)


def test_the_quickstart_asks_ranks_explains_and_forgets(tmp_path: Path) -> None:
    said = run("python", script("quickstart/quickstart.py"), folder=tmp_path)

    assert said.startswith("Products in your order\n")
    assert "tamper         Often follows “Espresso machine”.\n" in said
    assert said.endswith("generic: no_consent\n")
    assert files_in(tmp_path) == set()


@pytest.mark.parametrize(
    ("language", "yes", "title", "reason"),
    [
        ("de", "ja", "Produkte in Ihrer Reihenfolge", "Folgt oft auf „Espresso machine“."),
        ("nl", "ja", "Producten in jouw volgorde", "Volgt vaak op ‘Espresso machine’."),
        ("en", "yes", "Products in your order", "Often follows “Espresso machine”."),
    ],
)
def test_the_app_asks_in_the_shoppers_language_and_says_why(
    language: str, yes: str, title: str, reason: str, tmp_path: Path
) -> None:
    answers = f"yes?\n{yes}\nlook espresso-machine\nshow\nwhy 2\nquit\n"

    said = run("python", APP, "--language", language, folder=tmp_path, answers=answers)

    assert title in said
    assert reason in said


def test_the_app_keeps_nothing_before_a_yes_and_remembers_after_one(tmp_path: Path) -> None:
    said = run("python", APP, folder=tmp_path, answers="look teapot\nshow\nquit\n")
    assert "Not kept (no_consent)" in said
    assert files_in(tmp_path) == set()

    run("python", APP, folder=tmp_path, answers="yes?\nyes\nlook teapot\nquit\n")
    assert files_in(tmp_path) >= FIRST_CHOICE | {"profile.key"}

    said = run("python", APP, folder=tmp_path, answers="show\nwhy 2\nquit\n")
    assert "By your choices:" in said
    assert "Often follows “Teapot, 1.2 l”." in said


@pytest.mark.parametrize("answer", ["no", "", "perhaps", "ja"])
def test_the_app_takes_only_a_yes_for_a_yes(answer: str, tmp_path: Path) -> None:
    said = run("python", APP, folder=tmp_path, answers=f"yes?\n{answer}\nlook teapot\nshow\n")

    assert "Not kept (no_consent)" in said
    assert "The same for everyone:" in said


def test_the_app_forgets_on_withdrawal_and_leaves_nothing_after_erasing(tmp_path: Path) -> None:
    said = run(
        "python",
        APP,
        folder=tmp_path,
        answers="yes?\nyes\nlook teapot\nwithdraw\nshow\nwhy 9\nerase\nquit\n",
    )

    assert "Withdrawn. What was kept is erased." in said
    assert "The same for everyone:" in said
    assert files_in(tmp_path) == set()


def test_the_app_goes_on_without_a_bundle_it_does_not_trust(tmp_path: Path) -> None:
    run("python", APP, folder=tmp_path, answers="yes?\nyes\nlook teapot\nquit\n")
    bad = tmp_path / "bad.shelfrank"
    bad.write_bytes(b"not a bundle")
    root = EXAMPLES.parent / "sdk/shelfrank/testing/data/root.json"

    said = run(
        *("python", APP, "--bundle", str(bad), "--trust", str(root)),
        folder=tmp_path,
        answers="look mug\nshow\nyes?\nwithdraw\nerase\nquit\n",
    )

    assert "The catalogue cannot be used" in said
    assert "That did not work (got purpose 'rank_products', but no policy is in force)" in said
    assert "Withdrawn. What was kept is erased." in said
    assert "Everything about you is erased from this device." in said
    assert files_in(tmp_path) == {"bad.shelfrank"}


def test_the_app_offers_to_start_afresh_when_the_history_does_not_open(tmp_path: Path) -> None:
    run("python", APP, folder=tmp_path, answers="yes?\nyes\nlook teapot\nquit\n")
    (tmp_path / "profile.key").write_bytes(b"x" * 32)

    said = run("python", APP, folder=tmp_path, answers="yes\nshow\nquit\n")

    assert "What was kept cannot be opened" in said
    assert "The same for everyone:" in said


def test_a_kiosk_guest_leaves_nothing_for_the_next_one(tmp_path: Path) -> None:
    first, second = run("python", script("kiosk/kiosk.py"), folder=tmp_path).split("\n\n")

    assert "tamper           Nach Ihren Vorlieben in diesem Laden." in first
    assert "first guest has left: True" in first
    assert "Espresso machine" not in first  # A bystander does not learn what was looked at.
    assert "tamper" not in second
    assert "Op dit moment bij velen geliefd." in second
    assert files_in(tmp_path) == set()


def test_notice_receipt_overview_and_journal_read_in_three_languages(tmp_path: Path) -> None:
    said = run("python", script("consent/consent.py"), folder=tmp_path)

    for language, notice, receipt, overview, journal in (
        ("de", "Produkte in Ihrer", "Beleg über Ihre", ": erlaubt, seit", "zurückgenommen"),
        ("nl", "Producten in jouw", "Bewijs van je", ": toegestaan, sinds", "ingetrokken"),
        ("en", "Products in your", "Receipt for your", ": allowed, since", "withdrawn"),
    ):
        assert f"[{language}] {notice}" in said
        assert f"[{language}] {receipt}" in said
        assert f"{overview} 2026-01-15" in said
        assert f"2026-01-15 10:00  {journal}: rank_products" in said
    assert "espresso" not in said
    assert files_in(tmp_path) == set()


def test_the_consent_example_shows_the_record_for_other_tools(tmp_path: Path) -> None:
    said = run("python", script("consent/consent.py"), "--record", folder=tmp_path)

    record = said[said.index("\n{") : said.index("\n}") + 2]
    assert json.loads(record)["dct:hasVersion"] == "ISO/IEC TS 27560:2023"


@pytest.mark.slow
def test_the_training_example_ends_with_a_bundle_that_an_app_takes(tmp_path: Path) -> None:
    run("sh", script("train_on_your_data/train.sh"), "shop", folder=tmp_path)

    shop = tmp_path / "shop"
    figures = json.loads((shop / "figures.json").read_text(encoding="utf-8"))
    assert (shop / "report.html").stat().st_size > 0
    assert list(figures["metrics"]) == ["shelfrank", "popularity", "personal_frequency"]
    # The simulated trails and staples are there to be found, so a model that misses them is broken.
    for baseline in ("popularity", "personal_frequency"):
        assert figures["paired"][baseline]["all"]["ndcg@20"]["low"] > 0

    said = run(
        *("python", APP, "--bundle", str(shop / "kitchen-1.shelfrank")),
        *("--trust", str(shop / "keys/root.json")),
        folder=tmp_path,
        answers="yes?\nyes\nlook mixing-bowl\nshow\nwhy 2\nquit\n",
    )
    assert "Often follows “Mixing bowl”." in said
