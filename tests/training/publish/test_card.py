"""The model card: made from figures of this very model, and only from such as the label allows."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shelfrank.bundle import archive
from shelfrank.bundle.archive import read_members, write_members
from shelfrank.bundle.verify import verify_bundle
from shelfrank.errors import BundleFormatError, BundleVersionError
from shelfrank_training.cli.main import run
from shelfrank_training.errors import PublishError
from shelfrank_training.publish.build import build_bundle, sign_bundle
from shelfrank_training.publish.card import MAX_FIGURES_BYTES, ModelCard, card_for_bundle
from shelfrank_training.publish.card import read_figures as read
from shelfrank_training.publish.card_page import card_of_bundle
from support import labels
from support.measuring import CUTOFF, write_measurable_folder
from support.publisher import ALICE, NOW, YEAR, Publisher

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shelfrank_training.publish.card import Measured

N_SHOPPERS = 60
ITEMS = ("00042", "7", "sku-17")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder and what evaluate measured of it, on more shoppers than the label's 50."""
    place = tmp_path_factory.mktemp("card")
    model = write_measurable_folder(place / "model")
    rows = [
        (f"s{at}", item, CUTOFF + timedelta(days=day))
        for at in range(N_SHOPPERS)
        for item, day in ((ITEMS[at % 3], -2), (ITEMS[at % 3], 1), (ITEMS[(at + 1) % 3], 2))
    ]
    names = ("shopper_id", "item_id", "time")
    table = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    pq.write_table(table, place / "events.parquet")
    asked = ["evaluate", str(model), str(place / "events.parquet"), "--cutoff", "2017-12-01"]
    assert run([*asked, "--json", str(place / "figures.json")]) == 0
    return place


@pytest.fixture(scope="module")
def document(place: Path) -> dict[str, object]:
    return json.loads((place / "figures.json").read_bytes())


@pytest.fixture(scope="module")
def figures(place: Path) -> Measured:
    return read((place / "figures.json").read_bytes(), where="figures.json")


def build(place: Path, figures: Measured | None) -> bytes:
    return build_bundle(
        place / "model",
        name="shop-14",
        version=3,
        issued_at=NOW,
        expires=NOW + YEAR,
        root=Publisher().trust,
        figures=figures,
    )


def files(figures: Measured) -> dict[str, str]:
    return dict(figures.files)


# --- what is in it ---


def test_the_card_in_the_bundle_holds_what_was_measured(place: Path, figures: Measured) -> None:
    card = ModelCard.parse(read_members(build(place, figures))[archive.CARD])

    assert card.measured is not None
    ours = card.measured.metrics["shelfrank"]["all"]["recall@10"]
    assert ours == figures.metrics["shelfrank"]["all"]["recall@10"]
    assert (card.measured.shoppers, card.measured.protocol) == (N_SHOPPERS, "future")
    assert card.measured.files == figures.files


def test_where_a_size_limit_leaves_no_room_the_card_goes_without_slices(
    place: Path, figures: Measured
) -> None:
    info = place / "model" / "model.json"
    before = info.read_bytes()
    full = build(place, figures)
    info.write_text(json.dumps(json.loads(before) | {"size": {"limit": len(full) - 1}}))
    try:
        limited = build(place, figures)
    finally:
        info.write_bytes(before)

    card = ModelCard.parse(read_members(limited)[archive.CARD])
    assert len(limited) < len(full)
    assert card.measured is not None
    assert card.measured.metrics == figures.metrics
    assert not any(slices for cut in card.measured.slices.values() for slices in cut.values())


def test_without_figures_the_card_says_that_nothing_was_measured(place: Path) -> None:
    bundle = build(place, None)

    assert ModelCard.parse(read_members(bundle)[archive.CARD]) == ModelCard(None)
    assert "Nothing was measured" in card_of_bundle(bundle)


def test_the_same_figures_give_the_same_bundle(place: Path, figures: Measured) -> None:
    again = read((place / "figures.json").read_bytes(), where="figures.json")

    assert build(place, figures) == build(place, again)


def test_a_device_passes_the_card_over(place: Path, figures: Measured) -> None:
    signed = sign_bundle(build(place, figures), ALICE.bundle[0])

    bundle = verify_bundle(signed, trust=Publisher().trust, now=NOW)

    entries = {entry.path: entry for entry in bundle.manifest.files}
    assert not entries[archive.CARD].critical
    assert all(entry.critical for path, entry in entries.items() if path != archive.CARD)


def test_a_card_reads_as_it_was_written(figures: Measured) -> None:
    card = ModelCard(figures.covering(50))

    again = ModelCard.parse(card.dump())

    assert again.dump() == card.dump()
    assert again.measured is not None
    assert again.measured.metrics == card.measured.metrics  # type: ignore[union-attr]


# --- whose figures ---


@pytest.mark.parametrize("name", ["model.onnx", "catalog.bin", "policy.toml"])
def test_figures_of_another_model_catalog_or_policy_are_refused(
    name: str, figures: Measured
) -> None:
    own = files(figures) | {name: "f" * 64}

    with pytest.raises(PublishError, match=rf"the model at hand has {name} ffffffffffff") as told:
        card_for_bundle(figures, files=own, label=labels.label())

    assert told.value.hint is not None
    assert "evaluate" in told.value.hint


def test_a_figure_that_the_label_does_not_stand_for_is_refused(figures: Measured) -> None:
    other = replace(figures, min_shoppers=20)

    with pytest.raises(PublishError, match="with min_shoppers 20, the label says 50"):
        card_for_bundle(other, files=files(figures), label=labels.label())


# --- figures are numbers about shoppers too ---


def test_beside_an_epsilon_no_exact_figure_is_published(figures: Measured) -> None:
    label = labels.label(labels.noisy_facts())

    with pytest.raises(PublishError, match=r"promises epsilon .* for the whole bundle") as told:
        card_for_bundle(figures, files=files(figures), label=label)

    assert told.value.hint is not None
    assert "--card --figures" in told.value.hint
    assert card_for_bundle(None, files=files(figures), label=label) == ModelCard(None)


def test_figures_over_fewer_shoppers_than_the_label_promises_are_refused(
    figures: Measured,
) -> None:
    few = replace(figures, shoppers=49)

    with pytest.raises(PublishError, match="cover 49 shoppers"):
        card_for_bundle(few, files=files(figures), label=labels.label())
    enough = replace(figures, shoppers=50)
    card = card_for_bundle(enough, files=files(figures), label=labels.label())
    assert card.measured is not None


def test_a_cut_with_one_slice_about_few_shoppers_is_left_out_whole(figures: Measured) -> None:
    slices = copy.deepcopy(figures.slices)
    first, *_ = slices["history"]["all"]
    slices["history"]["all"] = (first, replace(first, name="3-5", shoppers=49))

    card = card_for_bundle(
        replace(figures, slices=slices), files=files(figures), label=labels.label()
    )

    assert card.measured is not None
    assert card.measured.slices["history"]["all"] == ()
    assert card.measured.slices["history"]["new"] != ()


def test_new_items_of_few_shoppers_are_left_out(figures: Measured) -> None:
    few = replace(figures, new_shoppers=49)

    card = card_for_bundle(few, files=files(figures), label=labels.label())

    assert card.measured is not None
    assert card.measured.metrics["shelfrank"]["new"] == {}
    assert card.measured.paired["popularity"]["new"] == {}
    assert card.measured.slices["history"]["new"] == ()
    assert card.measured.metrics["shelfrank"]["all"] != {}


def test_the_card_tells_one_number_of_shoppers_and_no_part_of_it(figures: Measured) -> None:
    text = ModelCard(figures.covering(50)).dump().decode()

    assert text.count('"shoppers"') == 1
    assert "new_shoppers" not in text


# --- strictly read ---


def set_at(*path: str | int, value: object) -> Callable[[dict[str, object]], None]:
    def change(document: dict[str, object]) -> None:
        here: object = document
        for step in path[:-1]:
            here = here[step]  # type: ignore[index]
        here[path[-1]] = value  # type: ignore[index]

    return change


OURS = ("metrics", "shelfrank", "all", "ndcg@20")
BAD = {
    "no model of ours": set_at("metrics", value={}),
    "above one": set_at(*OURS, "value", value=1.5),
    "below nothing": set_at(*OURS, "low", value=-0.5),
    "ends the wrong way round": set_at(*OURS, value={"value": 0.2, "low": 0.3, "high": 0.1}),
    "words for a number": set_at(*OURS, "value", value="good"),
    "words for a model": set_at("metrics", "**best of all**", value={"all": {}, "new": {}}),
    "words for a metric": set_at("metrics", "shelfrank", "all", "as seen on TV", value={}),
    "words for a protocol": set_at("protocol", value="the best one"),
    "words for a slice": set_at("slices", "history", "all", 0, "name", value="our fans"),
    "another digest": set_at("measured", "model.onnx", value="no digest"),
    "half a shopper": set_at("shoppers", value=0.5),
    "nobody": set_at("shoppers", value=0),
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD)
def test_figures_that_evaluate_does_not_write_are_refused(
    change: Callable[[dict[str, object]], None], document: dict[str, object]
) -> None:
    changed = copy.deepcopy(document)
    read(json.dumps(changed).encode(), where="figures.json")
    change(changed)

    with pytest.raises(PublishError, match=r"figures\.json"):
        read(json.dumps(changed).encode(), where="figures.json")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"a": NaN}', b"{" * 10_000])
def test_a_file_that_holds_no_figures_is_refused(data: bytes) -> None:
    with pytest.raises(PublishError, match=r"figures\.json"):
        read(data, where="figures.json")
    with pytest.raises(BundleFormatError):
        ModelCard.parse(data)


def test_a_file_too_long_to_be_figures_is_not_parsed() -> None:
    with pytest.raises(PublishError, match="at most 4,194,304"):
        read(b" " * (MAX_FIGURES_BYTES + 1), where="figures.json")


def test_a_card_of_another_version_is_not_guessed_at() -> None:
    with pytest.raises(BundleVersionError) as told:
        ModelCard.parse(b'{"card_version": 1, "evaluation": null}')

    assert (told.value.offered, told.value.supported) == (1, (0,))


# --- as Markdown ---


def test_the_page_has_the_sections_of_the_field_and_every_figure(
    place: Path, figures: Measured
) -> None:
    page = card_of_bundle(build(place, figures))

    headings = [line for line in page.splitlines() if line.startswith(("# ", "## "))]
    assert headings == [
        "# Model card: shop-14 version 3",
        "## Intended use",
        "## What it was made from",
        "## How good it is",
        "## What to be careful about",
    ]
    for row in figures.metrics.values():
        for of in (*row["all"].values(), *row["new"].values()):
            assert f"{of.value:.3f} ({of.low:.3f}–" in page
    assert "from aggregates: every statistic covers at least 50 shoppers" in page
    assert "exact counts, no differential privacy" in page
    assert "| 1–2 items |" in page
    assert "nobody was kept out of training" in page
    assert card_of_bundle(build(place, figures)) == page


def test_the_page_says_where_the_model_is_behind_a_baseline(place: Path, figures: Measured) -> None:
    paired = copy.deepcopy(figures.paired)
    row = paired["popularity"]["all"]
    row["ndcg@20"] = replace(row["ndcg@20"], value=-0.2, low=-0.3, high=-0.1)
    row["recall@20"] = replace(row["recall@20"], value=0.0, low=-0.1, high=0.1)
    row["recall@10"] = replace(row["recall@10"], value=0.2, low=0.1, high=0.3)

    page = card_of_bundle(build(place, None), figures=replace(figures, paired=paired))

    limits = page.partition("## What to be careful about")[2]
    assert "On all targets behind popularity: NDCG@20 −0.200" in limits
    assert "not surely ahead of popularity: " in limits
    told = [line for line in limits.splitlines() if line.startswith("* On all targets")]
    assert not any("Recall@10" in line for line in told if "popularity" in line)


def test_a_card_of_another_model_in_a_bundle_is_not_shown(place: Path, figures: Measured) -> None:
    members = read_members(build(place, figures))
    other = replace(figures, files=figures.files | {"model.onnx": "f" * 64})
    members[archive.CARD] = ModelCard(other).dump()

    with pytest.raises(PublishError, match=r"measured with model\.onnx ffffffffffff"):
        card_of_bundle(write_members(members))


def test_a_bundle_made_before_there_were_cards_has_nothing_measured(place: Path) -> None:
    members = read_members(build(place, None))
    del members[archive.CARD]

    assert "Nothing was measured" in card_of_bundle(write_members(members))


# --- on the command line ---


def test_from_evaluate_to_the_page_in_three_commands(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bundle", "keygen", "--out", str(tmp_path / "k")]) == 0
    made = ["bundle", "build", str(place / "model"), "--name", "shop-14", "--version", "3"]
    root = ["--root", str(tmp_path / "k" / "root.json"), "--out", str(tmp_path / "b.shelfrank")]
    figures = ["--figures", str(place / "figures.json")]
    assert run([*made, *root, *figures]) == 0
    capsys.readouterr()

    assert run(["bundle", "show", str(tmp_path / "b.shelfrank"), "--card"]) == 0

    told = capsys.readouterr()
    assert told.out.startswith("# Model card: shop-14 version 3\n")
    assert told.err == ""
    assert run(["bundle", "show", str(tmp_path / "b.shelfrank"), "--card", "--json"]) == 2
    assert run(["bundle", "show", str(tmp_path / "b.shelfrank"), *figures]) == 2


def test_figures_of_another_folder_stop_the_build_and_nothing_is_written(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = json.loads((place / "figures.json").read_bytes())
    changed["measured"]["catalog.bin"] = "f" * 64
    (tmp_path / "figures.json").write_text(json.dumps(changed))
    assert run(["bundle", "keygen", "--out", str(tmp_path / "k")]) == 0
    made = ["bundle", "build", str(place / "model"), "--name", "shop-14", "--version", "3"]
    root = ["--root", str(tmp_path / "k" / "root.json"), "--out", str(tmp_path / "b.shelfrank")]

    assert run([*made, *root, "--figures", str(tmp_path / "figures.json")]) == 1

    assert "measured with catalog.bin ffffffffffff" in capsys.readouterr().err
    assert not (tmp_path / "b.shelfrank").exists()
