"""A report is one file that fetches nothing, runs nothing and trusts no text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest

from shelfrank_training.errors import DataError
from shelfrank_training.evaluate.baselines import PersonalFrequency, Popularity
from shelfrank_training.evaluate.bootstrap import Estimate
from shelfrank_training.evaluate.evaluation import Evaluation
from shelfrank_training.evaluate.histories import keep_all
from shelfrank_training.evaluate.panel import to_svg
from shelfrank_training.evaluate.plots import Dot, dot_panel
from shelfrank_training.evaluate.report import (
    Caution,
    Drawing,
    Drawings,
    Facts,
    KeyFigure,
    KeyFigures,
    Prose,
    Section,
    Table,
    render,
    write_report,
)
from shelfrank_training.evaluate.results import results
from shelfrank_training.evaluate.run import Settings, collect
from shelfrank_training.evaluate.sections import evaluation_sections, with_interval
from shelfrank_training.evaluate.series import Series, shaded_panel, slice_panel
from shelfrank_training.evaluate.tally import Tally
from support.measuring import CUTOFF, PROVENANCE, UNIVERSE, shopper, wants

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = '" onfocus="x <script>alert(1)</script> & $x_1$ <img src=http://evil.example/x>'


class Page(HTMLParser):
    """What a browser would find."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] for _, attrs in self.tags if attribute in attrs]


def every_block(text: str) -> list[Section]:
    panel = Drawing(
        dot_panel(text, [Dot(label=text, value=0.2, low=0.1, high=0.3)], upright=text), text
    )
    return [
        Section("", [KeyFigures([KeyFigure(text, text, text)])]),
        Section(
            text,
            [
                Prose(text),
                Caution(text),
                Facts([(text, text)]),
                Table(columns=[text, text], rows=[(text, text)], caption=text, strong=0),
                Drawings(panels=[panel, panel], caption=text),
            ],
        ),
    ]


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    settings = Settings(cutoff=CUTOFF, n_resamples=50)
    tally = Tally(
        UNIVERSE,
        {
            "shelfrank": wants(40, 3),
            "popularity": Popularity(UNIVERSE),
            "personal_frequency": PersonalFrequency(UNIVERSE),
        },
    )
    shoppers = [shopper([at], [at, at + 1, 40]) for at in range(25)]
    left_out = collect(tally, shoppers, keep_all(), settings)
    rng = np.random.default_rng(settings.seed)
    return Evaluation(
        results=results(tally, "future", rng=rng, n_resamples=50),
        provenance=PROVENANCE,
        protocol="future",
        cutoff=CUTOFF,
        events="events.parquet",
        n_items=UNIVERSE.n_items,
        n_items_not_in_bundle=2,
        left_out=left_out,
        device_rules="kept whole",
        n_resamples=50,
        seed=settings.seed,
        measured={"model.onnx": "0" * 64},
        warnings=("It knows something of the time it is asked about.",),
    )


@pytest.fixture(scope="module")
def text(evaluation: Evaluation) -> str:
    return render(evaluation_sections(evaluation), title="Report")


def test_nothing_that_was_written_becomes_markup() -> None:
    page = Page(render(every_block(HOSTILE), title=HOSTILE, lead=HOSTILE, foot=HOSTILE))

    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "img", "link", "iframe", "object", "base", "form"}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    # Every block kept its words: heading, title, paragraph, cells, captions, plots.
    assert page.text.count("$x_1$") >= 15


def test_nothing_is_fetched_and_nothing_may_run(text: str) -> None:
    page = Page(text)

    namespaces = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(re.findall(r"https?://[^\"'<> ]+", text)) <= namespaces
    assert all(value.startswith("#") for value in page.values("xlink:href"))
    assert not page.values("src")
    assert not page.values("href")
    assert "@import" not in text
    assert "default-src 'none'" in page.values("content")[0]


def test_drawings_on_one_page_share_no_id_and_every_reference_is_met(text: str) -> None:
    page = Page(text)

    ids = page.values("id")
    referred = re.findall(r"url\(#([^)]+)\)", text) + [
        value[1:] for value in page.values("xlink:href")
    ]
    assert len(ids) == len(set(ids))
    assert set(referred) <= set(ids)


def test_every_picture_says_what_it_shows_and_takes_the_colours_of_the_page(text: str) -> None:
    page = Page(text)

    pictures = [attrs for tag, attrs in page.tags if attrs.get("role") == "img" and tag == "div"]
    assert len(pictures) == text.count("<svg") == 16
    assert all(re.search(r"\d\.\d{3}", attrs["aria-label"]) for attrs in pictures)
    drawn = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", text))
    assert drawn == set()


def test_the_bounds_stand_beside_every_figure_and_table(text: str) -> None:
    captions = re.findall(r"<(?:fig)?caption>(.*?)</(?:fig)?caption>", text)
    assert len(captions) == 12
    assert all("min_shoppers 20 · max_items 100" in caption for caption in captions)
    assert "It knows something" in text


def test_the_same_report_is_the_same_bytes(evaluation: Evaluation, text: str) -> None:
    assert render(evaluation_sections(evaluation), title="Report") == text


def test_a_plot_keeps_its_words_as_words() -> None:
    rows = [Dot(label="5 $ off & $more", value=0.25, low=0.2, high=0.3, accent=True)]

    svg = to_svg(dot_panel("Recall@20", rows, upright="model", unit=" ms"), prefix="p1")

    assert "5 $ off &amp; $more" in svg
    assert "0.250 ms" in svg
    assert svg.startswith("<svg")
    assert svg.endswith("</svg>")


def test_a_plot_of_nothing_but_zeros_can_be_drawn() -> None:
    rows = [Dot(label="same", value=0.0, low=0.0, high=0.0)]

    assert "+0.000" in to_svg(
        dot_panel("Difference", rows, upright="metric", signed=True), prefix="p1"
    )


def test_an_interval_reads_as_value_and_both_ends() -> None:
    figure = Estimate(value=0.01, low=-0.002, high=0.02)

    assert with_interval(figure, signed=True) == "+0.010 (−0.002\u00a0to\u00a0+0.020)"


def test_a_report_replaces_an_older_one_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    write_report(path, [Section("Size", [Prose("0.6 MB")])], title="Model of June")

    assert "0.6 MB" in path.read_text(encoding="utf-8")
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_a_report_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.mkdir()

    with pytest.raises(DataError, match="cannot be written"):
        write_report(path, [], title="x")

    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_slices_and_recall_by_length_are_drawn_for_every_model(text: str) -> None:
    page = Page(text)

    told = page.values("aria-label")
    for scope in ("All targets", "New items"):
        assert any(f"{scope}, by items in the history" in label for label in told)
        assert any(f"{scope}, by popularity of the targets" in label for label in told)
    lengths = [label for label in told if label.startswith("Recall by length of the list")]
    assert len(lengths) == 2
    for model in ("shelfrank", "popularity", "personal frequency"):
        assert all(f"{model} 0." in label for label in lengths)


def test_the_report_says_in_words_what_its_figures_stand_on(evaluation: Evaluation) -> None:
    few = replace(evaluation, provenance=replace(evaluation.provenance, min_shoppers=1))

    sound, unsound = (
        Page(render(evaluation_sections(one), title="Report")).text for one in (evaluation, few)
    )

    assert "from aggregates: every statistic covers at least 20 shoppers" in sound
    assert "not from aggregates" not in sound
    assert "not from aggregates: unprotected research figure" in unsound
    assert "no noise · not from aggregates" in unsound
    assert "at 1, 10, 20, 50, 100 shoppers, says shelfrank privacy curve" in sound


def test_every_plot_says_what_stands_upright_and_the_words_are_in_the_picture(
    evaluation: Evaluation,
) -> None:
    figures = [
        drawing.figure
        for section in evaluation_sections(evaluation)
        for block in section.blocks
        if isinstance(block, Drawings)
        for drawing in block.panels
    ]
    named = {figure.axes[0].get_ylabel() for figure in figures}

    assert named == {"model", "Recall", "NDCG@20", "metric"}
    for figure in figures:
        figure.canvas.draw()
        words = figure.axes[0].yaxis.label.get_window_extent()
        assert figure.bbox.x0 - 1 <= words.x0 < words.x1 <= figure.bbox.x1
        # Above the axes, below the title.
        assert figure.axes[0].bbox.y1 <= words.y0
        assert words.y1 <= figure.texts[0].get_window_extent().y0


def test_the_method_is_that_of_the_protocol(evaluation: Evaluation) -> None:
    once, each = (
        Page(
            render(evaluation_sections(replace(evaluation, protocol=protocol)), title="Report")
        ).text
        for protocol in ("future", "next")
    )

    of_once = (
        "All that followed and can be ranked",
        "asked for once, at the cutoff",
        "divides by the number of targets",
        "as many targets as the list has room for",
    )
    of_each = ("Every item of every later moment", "asked for by itself", "a target of its own")
    assert all(words in once and words not in each for words in of_once)
    assert all(words in each and words not in once for words in of_each)


def test_series_of_nothing_but_zeros_can_be_drawn() -> None:
    nothing = Series(label="model", figures=[Estimate(value=0.0, low=0.0, high=0.0)] * 3)

    shaded = to_svg(shaded_panel("Recall", [nothing], upright="Recall", axis="places"), prefix="p1")
    sliced = to_svg(
        slice_panel(
            "Slices",
            [nothing],
            upright="NDCG@20",
            names=["head", "middle", "tail"],
            axis="popularity",
        ),
        prefix="p2",
    )

    assert "places" in shaded
    assert all(name in sliced for name in ("head", "middle", "tail"))
