"""``shelfrank privacy label``, as a customer, an engineer and an auditor meet it."""

from __future__ import annotations

import itertools
import json
from functools import cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from shelfrank import testing
from shelfrank.bundle.archive import read_members, write_members
from shelfrank.types import LANGUAGES
from shelfrank_training.cli.main import run
from support import corner_shop
from support.claims import claims
from support.corner_shop import Label
from support.labels import edited, noisy_facts

if TYPE_CHECKING:
    from pathlib import Path

NOISY = Label(
    min_shoppers=60,
    stated={
        name: getattr(noisy_facts(), name)
        for name in ("tables", "mechanism", "epsilon", "delta", "accountant", "time_from")
    },
)


@cache
def plain() -> bytes:
    return corner_shop.bundle_bytes()


@cache
def noisy() -> bytes:
    return corner_shop.bundle_bytes(label=NOISY, version=2)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with the demo bundle and two of the corner shop."""
    monkeypatch.chdir(tmp_path)
    # A table as wide as on a page: nothing that is looked for below is broken over two lines.
    monkeypatch.setattr("shelfrank_training.cli.console.stderr.width", 400)
    (tmp_path / "demo.shelfrank").write_bytes(testing.demo_bundle())
    (tmp_path / "demo-root.json").write_bytes(testing.demo_root())
    (tmp_path / "plain.shelfrank").write_bytes(plain())
    (tmp_path / "noisy.shelfrank").write_bytes(noisy())
    (tmp_path / "root.json").write_bytes(corner_shop.TRUST)
    return tmp_path


def show(*arguments: str) -> int:
    return run(["privacy", "label", *arguments])


def shown_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert show(*arguments, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.usefixtures("place")
def test_the_demo_bundle_is_told_in_five_lines_with_its_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert show("demo.shelfrank") == 0

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(
        "demo version 1 (not verified: anybody may have written it)\n"
        "Purpose: Puts this shop's products in your order, on your device.\n"
        "Learned from: Counts over 600 shoppers, 1 January 2025 to 31 December 2025; each counts "
        "at least 20.\n"
        "Cannot contain: Names, e-mail addresses, places, device ids, anyone's list of purchases. "
        "Left out: spirits.\n"
        "Protection: Counts below 20 shoppers are missing. Comparing counts can still point at "
        "few: this is not differential privacy.\n"
        "Until when: Devices take it up until 1 January 2126.\n"
        "! No differential privacy: a threshold hides small groups, no more.\n"
    )
    for stated in ("privacy.min_shoppers", "excluded.fields", "category_pairs", "limitations"):
        assert stated in printed.err


@pytest.mark.usefixtures("place")
def test_in_german_and_dutch(capsys: pytest.CaptureFixture[str]) -> None:
    show("demo.shelfrank", "--language", "de")
    show("demo.shelfrank", "--language", "nl")

    printed = capsys.readouterr().err
    assert "Schutz: Zahlen über weniger als 20 Personen fehlen." in printed
    assert "Bescherming: Aantallen onder 20 klanten ontbreken." in printed


@pytest.mark.usefixtures("place")
def test_with_the_root_a_bundle_is_verified_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert show("demo.shelfrank", "--trust", "demo-root.json") == 0
    assert "demo version 1 (verified: signed by a trusted key)" in capsys.readouterr().err

    assert show("demo.shelfrank", "--trust", "root.json") == 1
    assert "signed by 0 trusted keys" in capsys.readouterr().err


@pytest.mark.usefixtures("place")
def test_verified_as_of_a_moment(capsys: pytest.CaptureFixture[str]) -> None:
    assert show("plain.shelfrank", "--trust", "root.json", "--at", "2017-12-02") == 0
    assert show("plain.shelfrank", "--trust", "root.json", "--at", "2099-12-02") == 1
    assert "expired" in capsys.readouterr().err


@pytest.mark.usefixtures("place")
def test_as_json_the_whole_label_goes_to_standard_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = shown_json(capsys, "demo.shelfrank", "--language", "nl")

    assert (found["of"], found["verified"], found["language"]) == ("bundle", False, "nl")
    assert found["lines"][0]["heading"] == "Doel"
    assert found["label"] == json.loads(read_members(testing.demo_bundle())["label.json"])


class _Page(HTMLParser):
    """Collects what a page shows."""

    def __init__(self) -> None:
        super().__init__()
        self.language: str | None = None
        self.texts: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = tag == "style"
        if tag == "html":
            self.language = dict(attrs)["lang"]

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.texts.append(data)


def read_page(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_in_its_language_and_has_everything(place: Path, language: str) -> None:
    assert show("demo.shelfrank", "--language", language, "--html", "label.html") == 0

    page = read_page(place / "label.html")
    text = "\n".join(page.texts)
    assert page.language == language
    heading = {"de": "Schutz", "nl": "Bescherming", "en": "Protection"}[language]
    for expected in (heading, "excluded.categories", "category_repeats", "spirits"):
        assert expected in text


@pytest.mark.parametrize(("kind", "language"), list(itertools.product(("text", "page"), LANGUAGES)))
def test_no_rendering_of_a_label_without_epsilon_claims_more_than_a_threshold(
    place: Path, capsys: pytest.CaptureFixture[str], kind: str, language: str
) -> None:
    if kind == "page":
        show("demo.shelfrank", "--language", language, "--html", "label.html")
        told = "\n".join(read_page(place / "label.html").texts)
    else:
        show("demo.shelfrank", "--language", language)
        told = capsys.readouterr().err

    assert "differential_privacy" in told
    assert claims(told) == []


@pytest.mark.usefixtures("place")
def test_with_epsilon_the_words_have_the_number_beside_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert show("noisy.shelfrank") == 0

    printed = capsys.readouterr().err
    assert (
        "One shopper more or less changes any published number only within a proven, small bound "
        "(epsilon 0.98, delta 1e-6)." in printed
    )
    assert "zCDP" in printed
    assert "No differential privacy" not in printed


# --- What has changed ---


@pytest.mark.usefixtures("place")
def test_a_change_is_told_in_the_customer_s_words_and_by_what_it_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert show("plain.shelfrank", "--diff", "noisy.shelfrank") == 0

    printed = capsys.readouterr().err
    assert "from corner-shop version 2 (not verified" in printed
    assert "Protection: One shopper more or less changes" in printed
    assert "→ Counts below 20 shoppers are missing." in printed
    rows = {
        line.split("│")[1].strip(): line.split("│")[-2].strip()
        for line in printed.splitlines()
        if line.startswith("│")
    }
    assert rows["privacy.min_shoppers"] == "weaker"
    assert rows["privacy.epsilon"] == "weaker"
    assert rows["privacy.differential_privacy"] == "weaker"
    assert rows["warnings.no_differential_privacy.level"] == "weaker"
    assert rows["bundle.version"] == ""
    assert not [what for what in rows if ".noise" in what or what == "warnings"]
    assert "details of noise and words: --json has all" in printed


@pytest.mark.usefixtures("place")
def test_the_other_way_round_it_is_stronger(capsys: pytest.CaptureFixture[str]) -> None:
    found = shown_json(capsys, "noisy.shelfrank", "--diff", "plain.shelfrank")

    changes = {change["what"]: change for change in found["changes"]}
    assert changes["privacy.min_shoppers"] == {
        "what": "privacy.min_shoppers",
        "before": 20,
        "after": 60,
        "protection": "stronger",
    }
    assert changes["privacy.epsilon"]["protection"] == "stronger"
    assert changes["warnings.no_differential_privacy.level"]["protection"] == "stronger"
    assert changes["privacy.adjacency"]["before"] is None
    assert changes["aggregates.items.noise.1.rho"]["after"] == 0.01
    assert "aggregates.next.noise" not in changes


def test_a_category_that_is_no_longer_left_out_is_weaker(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, paths in {"a": ("drug", "toys"), "b": ("drug/baby",), "c": ("drug", "wine")}.items():
        stated = {"policy": ("corner-shop", 3), "excluded_categories": paths}
        data = corner_shop.bundle_bytes(label=Label(stated=stated))
        (place / f"{name}.shelfrank").write_bytes(data)

    def protection(new: str, old: str) -> str:
        found = shown_json(capsys, f"{new}.shelfrank", "--diff", f"{old}.shelfrank")
        (change,) = (c for c in found["changes"] if c["what"] == "excluded.categories")
        return str(change["protection"])

    assert protection("b", "a") == "weaker"
    assert protection("c", "b") == "stronger"  # wine as well, and drug covers drug/baby
    assert protection("c", "a") == "weaker"  # toys are in again


@pytest.mark.usefixtures("place")
def test_the_same_label_has_no_changes(capsys: pytest.CaptureFixture[str]) -> None:
    assert show("demo.shelfrank", "--diff", "demo.shelfrank") == 0
    assert "the two labels say the same" in capsys.readouterr().err


# --- Folders ---


def model_folder(place: Path) -> Path:
    from shelfrank_training.export.folder import model_files

    folder = place / "model"
    folder.mkdir()
    found = corner_shop.aggregates()
    files = model_files(
        corner_shop.blend(), corner_shop.exported(), found, corner_shop.ROWS, policy=None
    )
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def test_a_model_folder_has_a_label_before_it_is_published(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model_folder(place)

    assert show("model") == 0

    printed = capsys.readouterr().err
    assert printed.startswith("model folder (not signed yet: made from what was recorded here)")
    assert "Until when: Not published yet." in printed


def test_a_model_folder_whose_label_was_edited_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label = model_folder(place) / "label.json"
    label.write_bytes(edited(label.read_bytes(), "sources", 0, "shoppers", 1_000_000))

    assert show("model") == 1
    assert "label.json states another sources than provenance.json" in capsys.readouterr().err


def test_aggregates_have_a_label_before_there_is_a_model(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corner_shop.write_aggregates(place / "aggregates", corner_shop.aggregates())

    found = shown_json(capsys, "aggregates")

    assert (found["of"], found["label"]["model"]) == ("aggregates", None)
    assert found["lines"][0]["text"] == "None yet: these are counts that a model may learn from."
    assert [table["table"] for table in found["label"]["aggregates"]][:2] == ["items", "pairs"]


def test_another_folder_is_refused_with_the_next_step(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "empty").mkdir()

    assert show("empty") == 1
    assert "hint: give a .shelfrank file" in capsys.readouterr().err


def test_a_folder_is_not_signed_so_it_cannot_be_trusted(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model_folder(place)

    assert show("model", "--trust", "root.json") == 1
    assert "only a bundle is signed" in capsys.readouterr().err


# --- What nobody vouches for ---


def hostile(place: Path, *path_and_value: object) -> None:
    members = read_members((place / "demo.shelfrank").read_bytes())
    members["label.json"] = edited(members["label.json"], *path_and_value)
    (place / "demo.shelfrank").write_bytes(write_members(members))


@pytest.mark.parametrize("kind", ["text", "page", "diff"])
def test_an_escape_sequence_in_a_label_is_shown_and_not_obeyed(
    place: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    (place / "old.shelfrank").write_bytes(testing.demo_bundle())
    text = "\x9b2J\N{RIGHT-TO-LEFT OVERRIDE}[red]<b>"
    hostile(place, "excluded", "categories", [text])
    more = {
        "text": [],
        "page": ["--html", "label.html"],
        "diff": ["--diff", "old.shelfrank"],
    }[kind]

    assert show("demo.shelfrank", *more) == 0

    told = capsys.readouterr().err
    if kind == "page":
        told += (place / "label.html").read_text(encoding="utf-8")
        assert "<b>" not in told.split("<body>")[1]
    # In the sentence and in the table, which has markup of its own.
    assert told.count("[red]") >= 2
    assert "\x9b" not in told
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in told


def test_a_label_that_contradicts_itself_is_not_shown(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile(place, "privacy", "min_shoppers", 9)

    assert show("demo.shelfrank") == 1
    assert "contradicts itself" in capsys.readouterr().err


def test_a_label_of_another_bundle_is_not_shown(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile(place, "bundle", "version", 2)

    assert show("demo.shelfrank") == 1
    assert "label.json is for bundle demo version 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["missing.shelfrank"], ["demo.shelfrank", "--language", "fr"]]
)
@pytest.mark.usefixtures("place")
def test_wrong_use_exits_2(arguments: list[str]) -> None:
    assert show(*arguments) == 2
