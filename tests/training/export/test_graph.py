"""The graph against the estimators, on questions nobody chose; and what export refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.bundle.manifest import ModelInfo
from shelfrank.bundle.scan import scan_model
from shelfrank.errors import ModelMismatchError
from shelfrank.ranking.session import GraphInputs, Session
from shelfrank_training.errors import ExportError, ParityError
from shelfrank_training.export import converters
from shelfrank_training.export.folder import golden
from shelfrank_training.export.graph import (
    IR_VERSION,
    TOLERANCE,
    check_parity,
    convert,
    export,
    made_up_questions,
)
from shelfrank_training.models.blend import Blend
from shelfrank_training.models.counts import PairCounts
from shelfrank_training.models.parts import Affinity, Category, Next, Popularity, Repeat
from shelfrank_training.publish.catalog import CatalogRow
from support import corner_shop
from support.corner_shop import BAG, BREAD, DISLIKE, LIKE, PURCHASE, VIEW, question

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shelfrank_training.models.tables import PairTable

N_ITEMS, N_ROWS = 14, 21

Events = list[tuple[int, int, float, int, int]]

EVENTS: st.SearchStrategy[Events] = st.lists(
    st.tuples(
        st.integers(0, N_ITEMS - 1),
        st.integers(VIEW, DISLIKE),
        st.floats(0, 2000, width=32),
        st.one_of(st.integers(0, 3), st.integers(0, (1 << 17) - 1)),
        st.one_of(st.integers(0, 5), st.integers(0, 100_000)),
    ),
    max_size=25,
)
CANDIDATES = st.lists(st.integers(0, N_ROWS - 1), max_size=25)


@cache
def session() -> Session:
    return Session(corner_shop.exported().model)


def assert_equal(asked: GraphInputs, *, blend: Blend, graph: Session) -> None:
    got, wanted = graph.run(asked), blend.score_candidates(asked)
    assert got.parts.shape == wanted.parts.shape == (asked.candidate.size, 5)
    np.testing.assert_allclose(got.parts, wanted.parts, atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(got.score, wanted.score, atol=TOLERANCE, rtol=0)


@given(events=EVENTS, candidates=CANDIDATES)
def test_graph_and_estimators_agree(events: Events, candidates: list[int]) -> None:
    assert_equal(question(events, candidates), blend=corner_shop.blend(), graph=session())


@pytest.mark.parametrize(
    ("events", "candidates"),
    [
        ([], []),
        ([], range(N_ROWS)),
        ([(3, PURCHASE, 1.0, 0, 0)], []),
        ([(3, PURCHASE, 1.0, 0, 0)], range(N_ROWS)),
        ([(3, DISLIKE, 1.0, 0, 0)], range(N_ROWS)),
        ([(3, LIKE, 0.0, 0, 1), (3, DISLIKE, 1.0, 0, 0)], range(N_ROWS)),
        ([(3, DISLIKE, 1.0, v, v) for v in range(4)], range(N_ROWS)),
        ([(11, PURCHASE, 1.0, 1, 0)], [11, 20, 20, 14]),
        ([(3, PURCHASE, 1.0 + i, 1, i) for i in range(6)], [3, 3, 4]),
        ([(i % N_ITEMS, i % 5, i / 3, i // 30, i) for i in range(300)], range(N_ROWS)),
    ],
    ids=[
        "nothing",
        "no-history",
        "no-candidates",
        "one",
        "disliked",
        "liked-then-disliked",
        "disliked-often",
        "without-category",
        "repeated-in-a-visit",
        "long",
    ],
)
def test_the_corners_agree_too(events: Events, candidates: Sequence[int]) -> None:
    assert_equal(question(events, list(candidates)), blend=corner_shop.blend(), graph=session())


@given(events=EVENTS, seed=st.integers(0, 2**32))
def test_the_order_of_events_means_nothing(events: Events, seed: int) -> None:
    asked = question(events, range(N_ROWS))
    order = np.random.default_rng(seed).permutation(len(events))
    shuffled = replace(
        asked,
        **{name: getattr(asked, name)[order] for name in vars_of_events()},
    )

    np.testing.assert_allclose(
        session().run(shuffled).parts, session().run(asked).parts, atol=TOLERANCE, rtol=0
    )


# --- Weights by situation ---


WEIGHTS = (
    (1.0, 1.0, 1.0, 1.0, 1.0),
    (1.0, 0.25, 2.0, 0.5, 0.7),
    (0.3, 1.0, 0.25, 4.0, 1.5),
)


@cache
def weighted() -> Blend:
    return Blend(weights=WEIGHTS).fit(corner_shop.counts())


@cache
def weighted_session() -> Session:
    return Session(export(weighted(), rng=np.random.default_rng(1)).model)


@given(events=EVENTS, candidates=CANDIDATES, situation=st.integers(0, 2))
def test_a_weighted_graph_and_its_estimators_agree_in_every_situation(
    events: Events, candidates: list[int], situation: int
) -> None:
    asked = replace(question(events, candidates), situation=np.array([situation]))

    assert_equal(asked, blend=weighted(), graph=weighted_session())
    got, plain = weighted_session().run(asked), session().run(asked)
    expected = plain.parts.astype(np.float64) * np.array(WEIGHTS[situation])
    np.testing.assert_allclose(got.parts, expected, atol=4 * TOLERANCE, rtol=0)
    np.testing.assert_allclose(got.score, got.parts.sum(axis=1), atol=TOLERANCE, rtol=0)


@given(events=EVENTS, situation=st.integers(0, 2))
def test_a_weighted_score_is_still_the_base_and_what_each_past_item_adds(
    events: Events, situation: int
) -> None:
    asked = replace(question(events, range(N_ROWS)), situation=np.array([situation]))
    run = weighted_session().run
    base = run(asked.only(np.zeros(len(events), dtype=np.bool_))).parts.astype(np.float64)
    added = [
        run(asked.only(asked.event_item == item)).parts - base
        for item in np.unique(asked.event_item)
    ]

    np.testing.assert_allclose(base + sum(added), run(asked).parts, atol=20 * TOLERANCE, rtol=0)


def test_a_weighted_graph_is_compared_in_every_situation() -> None:
    usual = made_up_questions(corner_shop.blend(), rng=np.random.default_rng(0))
    asked = made_up_questions(weighted(), rng=np.random.default_rng(0))

    for size in ((20, 60), (300, 1000)):
        found = [
            int(one.situation[0])
            for one in asked
            if (one.event_item.size, one.candidate.size) == size
        ]
        assert sorted(found) == [0, 1, 2]
    assert len(asked) == len(usual) + 4
    wrong = Blend(weights=(*WEIGHTS[:2], (0.3, 1.0, 0.25, 4.0, 1.6))).fit(corner_shop.counts())
    with pytest.raises(ParityError):
        check_parity(wrong, convert(weighted()), asked)


def test_weights_of_one_are_no_nodes() -> None:
    ones = Blend(weights=((1,) * 5,) * 3).fit(corner_shop.counts())

    assert convert(ones) == convert(corner_shop.blend())
    names = [node.name for node in onnx.load_from_string(convert(weighted())).graph.node]
    assert len([name for name in names if name.startswith("blend")]) == 9, "else this tests nothing"


def test_a_weighted_graph_passes_the_devices_scan() -> None:
    info = ModelInfo.standard(
        parts=weighted().part_names, n_items=14, n_categories=6, tolerance=TOLERANCE
    )

    scan_model(convert(weighted()), info)


def vars_of_events() -> list[str]:
    return [name for name in GraphInputs.__dataclass_fields__ if name.startswith("event_")]


@given(events=EVENTS)
def test_a_score_is_the_base_and_what_each_past_item_adds(events: Events) -> None:
    asked = question(events, range(N_ROWS))
    run = session().run
    base = run(asked.only(np.zeros(len(events), dtype=np.bool_))).parts.astype(np.float64)
    added = [
        run(asked.only(asked.event_item == item)).parts - base
        for item in np.unique(asked.event_item)
    ]

    whole = run(asked).parts

    np.testing.assert_allclose(base + sum(added), whole, atol=5 * TOLERANCE, rtol=0)


@given(events=EVENTS, situation=st.integers(0, 2), daypart=st.integers(-1, 3))
def test_what_the_first_model_does_not_use_changes_nothing(
    events: Events, situation: int, daypart: int
) -> None:
    asked = question(events, range(N_ROWS))
    other = replace(
        asked,
        situation=np.array([situation]),
        daypart=np.array([daypart]),
        event_quantity=asked.event_quantity * 7,
    )

    assert (session().run(other).parts == session().run(asked).parts).all()


# --- Other shops ---


def blend_of(rows: Sequence[CatalogRow]) -> Blend:
    return Blend().fit(corner_shop.counts(rows))


def test_a_shop_without_categories_exports() -> None:
    rows = [CatalogRow(item_id=f"i{n}") for n in range(8)]
    blend = blend_of(rows)

    found = export(blend, rng=np.random.default_rng(3))

    asked = question([(2, PURCHASE, 1.0, 0, 0), (7, DISLIKE, 3.0, 1, 1)], range(9))
    parts = Session(found.model).run(asked).parts
    assert (parts[:, 3] == 0).all()
    np.testing.assert_allclose(parts, blend.score_candidates(asked).parts, atol=TOLERANCE)


def test_a_shop_whose_pairs_are_all_withheld_exports() -> None:
    full = corner_shop.counts()
    nothing = PairCounts(
        source=np.zeros(0, dtype=np.int64),
        target=np.zeros(0, dtype=np.int64),
        shoppers=np.zeros(0),
        weight=np.zeros(0),
    )
    empty = dict.fromkeys(("pairs", "next_in_visit", "next_visit", "category_pairs"), nothing)
    blend = Blend().fit(replace(full, **empty))

    found = export(blend, rng=np.random.default_rng(3))

    asked = question([(2, PURCHASE, 1.0, 0, 0), (7, DISLIKE, 3.0, 1, 1)], range(N_ROWS))
    parts = Session(found.model).run(asked).parts
    assert (parts[:, 1:3] == 0).all()
    assert (parts[:, 3] != 0).any()
    assert len(found.model) < len(corner_shop.exported().model)


def test_pairs_that_were_not_rounded_export_as_they_are() -> None:
    parts = (Popularity(), Next(top=None), Affinity(top=None), Category(top=None), Repeat())
    whole = Blend(parts=parts).fit(corner_shop.counts())
    graph = Session(export(whole, rng=np.random.default_rng(3)).model)
    asked = question([(2, PURCHASE, 1.0, 0, 0), (7, PURCHASE, 3.0, 1, 1)], range(N_ROWS))

    assert_equal(asked, blend=whole, graph=graph)
    rounded = session().run(asked).parts
    difference = np.abs(graph.run(asked).parts - rounded)[:, 1:4].max(axis=0)
    assert (difference > 0).all()
    assert (difference < 0.03 * np.abs(rounded[:, 1:4]).max(axis=0)).all()


def test_a_shop_of_one_item_exports() -> None:
    found = export(blend_of([CatalogRow(item_id="only")]), rng=np.random.default_rng(3))

    assert found.difference <= TOLERANCE


def test_rows_beyond_two_bytes_are_reached() -> None:
    n = (1 << 16) + 10
    small = corner_shop.counts()
    far = n - 1
    wide = replace(
        small,
        space=replace(
            small.space,
            item_ids=tuple(f"{row:06}" for row in range(n)),
            category_of=np.concatenate(
                [np.arange(n, dtype=np.int64) % 7, np.arange(7, dtype=np.int64)]
            ),
        ),
        item_shoppers=np.full(n, 100.0),
        item_weight=np.full(n, 100.0),
        pairs=replace(small.pairs, target=np.full(small.pairs.target.size, far)),
        next_in_visit=replace(
            small.next_in_visit, target=small.next_in_visit.target + (1 << 16) - 4
        ),
    )
    single = np.unique(wide.pairs.source, return_index=True)[1]
    pairs = replace(
        wide.pairs,
        **{
            name: getattr(wide.pairs, name)[single]
            for name in ("source", "target", "shoppers", "weight")
        },
    )
    blend = Blend().fit(replace(wide, pairs=pairs))
    tables: list[PairTable] = [blend.parts_[1].in_visit_, blend.parts_[2].table_]  # type: ignore[attr-defined]
    assert {table.target.dtype for table in tables} == {np.dtype(np.uint32)}
    graph = Session(convert(blend))
    past = int(pairs.source[0])
    asked = question(
        [(past, PURCHASE, 1.0, 0, 0), (far, PURCHASE, 2.0, 0, 1)], [far, far - 1, 0, far + 7]
    )

    assert_equal(asked, blend=blend, graph=graph)
    assert graph.run(asked).parts[0, 2] != 0


# --- What is written ---


def test_the_graph_is_plain_onnx_that_the_oldest_runtime_reads() -> None:
    model = onnx.load_from_string(corner_shop.exported().model)

    assert model.ir_version == IR_VERSION <= 10
    assert {(entry.domain, entry.version) for entry in model.opset_import} == {("", 18)}
    assert {node.domain for node in model.graph.node} == {""}
    assert not model.functions
    onnx.checker.check_model(model, full_check=True)


def test_the_graph_is_the_one_the_manifest_describes_and_passes_the_devices_scan() -> None:
    info = ModelInfo.standard(
        parts=corner_shop.blend().part_names, n_items=14, n_categories=6, tolerance=TOLERANCE
    )

    scan_model(corner_shop.exported().model, info)

    model = onnx.load_from_string(corner_shop.exported().model)
    assert [given.name for given in model.graph.input] == [spec.name for spec in info.inputs]
    assert [out.name for out in model.graph.output] == ["score", "parts"]


def test_the_same_model_gives_the_same_bytes() -> None:
    assert convert(corner_shop.blend()) == convert(corner_shop.blend())


def test_the_made_up_questions_cover_every_situation_and_the_corners() -> None:
    asked = made_up_questions(corner_shop.blend(), rng=np.random.default_rng(0))

    sizes = {(one.event_item.size > 0, one.candidate.size > 0) for one in asked}
    assert sizes == {(False, False), (False, True), (True, False), (True, True)}
    rows = np.concatenate([one.candidate for one in asked])
    assert set(rows.tolist()) == set(range(N_ROWS))
    kinds = np.concatenate([one.event_kind for one in asked])
    assert set(kinds.tolist()) == set(range(5))
    assert min(one.event_visit.min() for one in asked if one.event_visit.size) == 0


# --- What is refused ---


def test_a_converter_that_computes_something_else_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(converters, "RANK_DECAY", 3.0)

    with pytest.raises(ParityError, match="graph and estimators differ by") as caught:
        export(corner_shop.blend(), rng=np.random.default_rng(1))

    assert caught.value.difference > caught.value.tolerance == TOLERANCE


@pytest.mark.parametrize("part", [Popularity, Affinity, Repeat], ids=lambda kind: str(kind.name))
def test_an_estimator_changed_after_conversion_is_refused(part: type) -> None:
    found = corner_shop.exported()
    blend = Blend().fit(corner_shop.counts())
    changed: Any = next(one for one in blend.parts_ if isinstance(one, part))
    if part is Popularity:
        changed.row_ = replace(changed.row_, levels=changed.row_.levels + np.float32(0.01))
    elif part is Affinity:
        scale = changed.table_.scale
        louder = replace(scale, levels=scale.levels * np.float32(1.5))
        changed.table_ = replace(changed.table_, scale=louder)
    else:
        changed.half_life_days_ *= 2

    with pytest.raises(ParityError):
        check_parity(blend, found.model, found.probes)
    assert check_parity(corner_shop.blend(), found.model, found.probes) <= TOLERANCE


def test_an_estimator_that_gives_no_number_is_refused() -> None:
    found = corner_shop.exported()
    blend = Blend().fit(corner_shop.counts())
    popularity: Any = blend.parts_[0]
    nothing = np.full_like(popularity.row_.levels, np.nan)
    popularity.row_ = replace(popularity.row_, levels=nothing)

    with pytest.raises(ParityError):
        check_parity(blend, found.model, found.probes)
    with pytest.raises((ParityError, ModelMismatchError)):
        export(blend, rng=np.random.default_rng(1))


def test_a_part_that_has_no_converter_is_an_export_error() -> None:
    class Stranger(Popularity):
        name = "stranger"  # type: ignore[misc] # what a test may do

    blend = Blend(parts=(Stranger(),)).fit(corner_shop.counts())

    with pytest.raises(ExportError):
        convert(blend)


# --- The time of day ---


@cache
def daypart_session() -> Session:
    return Session(corner_shop.exported_by_daypart().model)


@given(events=EVENTS, candidates=CANDIDATES, daypart=st.integers(-1, 3))
def test_a_graph_that_reads_the_daypart_agrees_at_every_time_of_day(
    events: Events, candidates: list[int], daypart: int
) -> None:
    asked = replace(question(events, candidates), daypart=np.array([daypart]))

    assert_equal(asked, blend=corner_shop.blend_by_daypart(), graph=daypart_session())
    got, plain = daypart_session().run(asked), session().run(asked)
    assert (got.parts[:, 1:] == plain.parts[:, 1:]).all()
    np.testing.assert_allclose(got.score, got.parts.sum(axis=1), atol=TOLERANCE, rtol=0)
    if daypart < 0:
        assert (got.parts == plain.parts).all()


def test_the_daypart_moves_the_popularity_of_the_items_it_is_known_of() -> None:
    asked = question([], range(N_ROWS))
    usual = daypart_session().run(asked).parts[:, 0]
    by_time = np.stack(
        [
            daypart_session().run(replace(asked, daypart=np.array([daypart]))).parts[:, 0]
            for daypart in range(4)
        ]
    )

    bread, bag = (corner_shop.blend().space_.item_ids.index(i) for i in (BREAD, BAG))
    moved = by_time - usual
    assert moved[:, bread].argmax() == 1
    assert (moved[:, [bag, *range(N_ITEMS, N_ROWS)]] == 0).all()
    assert (np.abs(moved) > 0.1).any(axis=1).all()


def test_without_a_table_of_dayparts_the_graph_has_no_node_for_them() -> None:
    def reads_daypart(model: bytes) -> bool:
        return any("daypart" in node.input for node in onnx.load_from_string(model).graph.node)

    assert reads_daypart(corner_shop.exported_by_daypart().model)
    assert not reads_daypart(corner_shop.exported().model)


def test_a_graph_that_reads_the_daypart_is_compared_at_every_one_and_passes_the_scan() -> None:
    blend = corner_shop.blend_by_daypart()

    asked = made_up_questions(blend, rng=np.random.default_rng(0))

    for size, wanted in (((1, 12), range(4)), ((300, 1000), range(-1, 4))):
        found = [
            int(one.daypart[0])
            for one in asked
            if (one.event_item.size, one.candidate.size) == size
        ]
        assert sorted(found) == [*wanted]
    info = ModelInfo.standard(
        parts=blend.part_names, n_items=14, n_categories=6, tolerance=TOLERANCE
    )
    scan_model(corner_shop.exported_by_daypart().model, info)
    cases = json.loads(golden(corner_shop.exported_by_daypart()))["cases"]
    assert {case["inputs"]["daypart"][0] for case in cases} == {-1, 0, 1, 2, 3}


def test_a_shop_whose_dayparts_are_all_of_items_that_were_left_out_exports() -> None:
    left = replace(corner_shop.counts(), dayparts=np.zeros((N_ITEMS, 4)))

    found = export(Blend().fit(left), rng=np.random.default_rng(1))

    asked = replace(question([], range(N_ROWS)), daypart=np.array([2]))
    assert (Session(found.model).run(asked).parts == session().run(asked).parts).all()
