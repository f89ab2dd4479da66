"""A curve: the same shoppers for every model, shares with both kinds of chance, plain advice."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from shelfrank_training.cli import privacy_curve
from shelfrank_training.cli.main import run
from shelfrank_training.errors import DataError
from shelfrank_training.evaluate import curves as curves_package
from shelfrank_training.evaluate.bootstrap import Estimate
from shelfrank_training.evaluate.curves import Curves, CurveSettings, Point, Setting, draw_curves
from shelfrank_training.evaluate.curves import run as curves_run
from shelfrank_training.evaluate.curves.advice import advice
from shelfrank_training.evaluate.curves.measuring import METRICS
from shelfrank_training.evaluate.curves.result import CAUTION
from shelfrank_training.evaluate.curves.sections import curve_sections, write_curves
from shelfrank_training.evaluate.curves.shares import Resampled
from shelfrank_training.evaluate.report import render
from shelfrank_training.events import Holdout
from support.generated_shop import CUTOFF, Shape, generate_shop
from support.shop import Line, write_catalog, write_events
from support.shopper import policy, policy_data, to_toml

if TYPE_CHECKING:
    from pathlib import Path

    from support.generated_shop import GeneratedShop

SMALL = Shape(n_items=60, n_categories=6, n_departments=3, n_lifestyles=3, n_styles=2)
SETTINGS = CurveSettings(
    cutoff=CUTOFF,
    policy=policy(retention="P400D"),
    holdout=Holdout(share=0.4),
    epsilons=(8.0, 1.0),
    thresholds=(1, 10, 1000),
    min_shoppers=10,
    multiples=(0.5, 2.0),
    draws=3,
    resamples=2,
    n_resamples=60,
)
EXACT = replace(
    SETTINGS, epsilons=(), multiples=(0.5,), thresholds=(1,), min_shoppers=1, resamples=1
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> GeneratedShop:
    folder = tmp_path_factory.mktemp("shop")
    return generate_shop(folder, np.random.default_rng(3), 500, shape=SMALL)


@pytest.fixture(scope="module")
def drawn(shop: GeneratedShop) -> Curves:
    return draw_curves(shop.events, shop.catalog, SETTINGS)


def the_point(curves: Curves, **setting: float | None) -> Point:
    wanted = Setting(**setting)  # type: ignore[arg-type]
    return next(point for point in curves.points if point.setting == wanted)


def test_the_unprotected_model_is_exactly_all_of_itself(drawn: Curves) -> None:
    point = drawn.unprotected

    assert point.setting == Setting()
    for scope in ("all", "new"):
        for metric in METRICS:
            assert point.share[scope][metric] == Estimate(value=1.0, low=1.0, high=1.0)


def test_every_point_that_was_asked_for_is_drawn_as_often_as_asked(drawn: Curves) -> None:
    n = drawn.n_shoppers
    found = {p.setting: (p.draws, p.n_shoppers, p.delta) for p in drawn.points}

    for epsilon in (8.0, 1.0):
        assert found[Setting(min_shoppers=10, epsilon=epsilon)] == (3, n, 1e-6)
        half = Setting(multiple=0.5, min_shoppers=10, epsilon=epsilon)
        assert found[half] == (2, round(n / 2), 1e-6)
        twice = Setting(multiple=2.0, min_shoppers=10, epsilon=epsilon)
        assert found[twice] == (2, 2 * n, 1e-6)
    assert found[Setting(multiple=0.5)][0] == 2
    assert Setting(multiple=2.0) not in found
    assert [p.setting.epsilon for p in drawn.against_epsilon()] == [1.0, 8.0, None]
    assert [p.setting.min_shoppers for p in drawn.against_min_shoppers()] == [1, 10, 1000]
    line = drawn.against_shoppers(min_shoppers=10, epsilon=1.0)
    assert [p.setting.multiple for p in line] == [0.5, 1.0, 2.0]


def test_where_nothing_comes_through_nothing_is_kept(drawn: Curves) -> None:
    point = the_point(drawn, min_shoppers=1000)

    assert (point.n_items, point.n_pairs) == (0, 0)
    assert point.share["new"]["ndcg@20"] == Estimate(value=0.0, low=0.0, high=0.0)
    assert point.popularity["all"]["recall@20"].value == 0


def test_without_noise_the_models_popularity_is_everybodys(drawn: Curves) -> None:
    """With no threshold either, the model's part of that name ranks as the items table does."""
    for scope in ("all", "new"):
        assert drawn.unprotected.popularity[scope]["ndcg@20"].value == pytest.approx(
            drawn.popularity[scope]["ndcg@20"].value
        )
    assert drawn.unprotected.ahead["all"]["ndcg@20"].value > 0


def test_without_noise_the_same_seed_gives_the_same_curve(shop: GeneratedShop) -> None:
    once = draw_curves(shop.events, shop.catalog, EXACT)
    again = draw_curves(shop.events, shop.catalog, EXACT)
    other = draw_curves(shop.events, shop.catalog, replace(EXACT, seed=21))

    assert once.to_json() == again.to_json()
    half = {"multiple": 0.5}
    assert the_point(once, **half).quality != the_point(other, **half).quality
    assert once.unprotected.quality["all"]["ndcg@20"].value == (
        other.unprotected.quality["all"]["ndcg@20"].value
    )


def test_fewer_shoppers_are_measured_where_that_is_asked(shop: GeneratedShop) -> None:
    settings = replace(EXACT, multiples=(), max_measured=60)

    few = draw_curves(shop.events, shop.catalog, settings)
    all_of_them = draw_curves(shop.events, shop.catalog, replace(settings, max_measured=5_000))

    out = few.left_out
    seen = few.measured["all"] + out.without_history + out.without_targets
    assert 30 <= seen + out.targets_outside_only <= 90
    assert all_of_them.measured["all"] > 2 * few.measured["all"]
    # Training is what it was.
    assert few.n_shoppers == all_of_them.n_shoppers


def test_copies_that_no_machine_would_hold_are_left_out_and_it_is_said(
    shop: GeneratedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curves_run, "MAX_EVENTS", 10_000)
    settings = replace(EXACT, multiples=(2.0, 50.0))

    curves = draw_curves(shop.events, shop.catalog, settings)

    assert {p.setting.multiple for p in curves.points} == {1.0, 2.0}
    assert "50 times as many shoppers were not drawn" in curves.notes[0]
    assert curves.notes[0] in curves.to_json()["notes"]  # type: ignore[operator]


def made_of(rare_item: bool) -> list[Line]:
    """Return shoppers who learn 40 items; those kept out take the rarest of all, or the first."""
    holdout = SETTINGS.holdout
    ids = [f"s{at}" for at in range(60)]
    lines = [
        Line(shopper=one, item=f"i{(at + step) % 40:02}", minute=step, visit=str(step))
        for at, one in enumerate(ids)
        for step in range(5)
    ]
    learner = next(one for one in ids if not holdout.contains(one))
    lines.append(Line(shopper=learner, item="rare", minute=1, visit="1"))
    wanted = "rare" if rare_item else "i20"
    later = 200_000
    return lines + [
        Line(shopper=one, item=wanted, minute=later, visit="9")
        for one in ids
        if holdout.contains(one)
    ]


def test_where_the_unprotected_model_finds_nothing_there_are_no_shares(tmp_path: Path) -> None:
    settings = replace(EXACT, policy=None, multiples=())
    items = {f"i{at:02}": "a" for at in range(40)} | {"rare": "a"}
    catalog = write_catalog(tmp_path / "catalog.parquet", items)

    with pytest.raises(DataError, match="nothing to have a share of"):
        draw_curves(write_events(tmp_path / "rare.parquet", made_of(True)), catalog, settings)

    found = draw_curves(write_events(tmp_path / "known.parquet", made_of(False)), catalog, settings)
    assert found.unprotected.quality["all"]["ndcg@20"].value > 0


def test_a_cutoff_after_everything_leaves_nobody_to_measure(shop: GeneratedShop) -> None:
    late = replace(EXACT, cutoff=CUTOFF.replace(year=2030))

    with pytest.raises(DataError, match="no shopper is left to measure"):
        draw_curves(shop.events, shop.catalog, late)


# How sure a share is


def test_a_half_for_everyone_is_surely_a_half() -> None:
    rng = np.random.default_rng(1)
    resampled = Resampled(np.ones(50), rng=rng, n_resamples=200)
    once = resampled.noise(1)
    values = rng.random(50)

    share = resampled.mean([values / 2], once).share_of(resampled.mean([values], once))

    assert share.estimate() == Estimate(value=0.5, low=0.5, high=0.5)


def test_an_interval_holds_the_chance_of_the_noise_as_well() -> None:
    rng = np.random.default_rng(1)
    resampled = Resampled(np.ones(50), rng=rng, n_resamples=400)
    same = np.full(50, 0.5)

    calm = resampled.mean([same] * 4, resampled.noise(4)).estimate()
    wild = resampled.mean([same * 0, same * 2], resampled.noise(2)).estimate()

    assert calm == Estimate(value=0.5, low=0.5, high=0.5)
    # Every shopper agrees; the draws do not.
    assert wild == Estimate(value=0.5, low=0.0, high=1.0)


def test_who_does_not_count_changes_nothing() -> None:
    present = np.array([1.0, 1.0, 0.0, 0.0])
    resampled = Resampled(present, rng=np.random.default_rng(1), n_resamples=100)

    mean = resampled.mean([np.array([0.2, 0.2, 0.0, 0.0])], resampled.noise(1)).estimate()

    assert (mean.value, mean.low, mean.high) == pytest.approx((0.2, 0.2, 0.2))


# What is said


def figure(value: float, spread: float = 0.01) -> dict[str, dict[str, Estimate]]:
    one = Estimate(value=value, low=value - spread, high=value + spread)
    return {scope: dict.fromkeys(METRICS, one) for scope in ("all", "new")}


def say(drawn: Curves, shares: dict[Setting, float], popularity: float = 0.8) -> list[str]:
    """Return the advice on points of known shares."""
    n = 1_000
    points = tuple(
        replace(
            drawn.unprotected,
            setting=setting,
            n_shoppers=round(n * setting.multiple),
            share=figure(share),
        )
        for setting, share in {Setting(): 1.0, **shares}.items()
    )
    made = replace(drawn, points=points, popularity=figure(popularity), n_shoppers=n)
    return list(advice(made))


def noisy(epsilon: float, multiple: float = 1.0) -> Setting:
    return Setting(multiple=multiple, min_shoppers=10, epsilon=epsilon)


def test_the_advice_names_the_strongest_protection_that_keeps_enough(drawn: Curves) -> None:
    thresholds, noise = say(
        drawn,
        {
            Setting(min_shoppers=10): 0.99,
            Setting(min_shoppers=50): 0.92,
            Setting(min_shoppers=100): 0.91,
            noisy(8): 0.97,
            noisy(3): 0.93,
            noisy(1): 0.8,
            noisy(1, 3.0): 0.9,
            noisy(1, 10.0): 0.95,
        },
    )

    assert thresholds.startswith("min_shoppers 50 keeps 92 % (91 to 93)")
    assert noise.startswith("Epsilon 3 keeps 93 % (92 to 94)")
    assert "epsilon 1 keeps 80 %" in noise
    assert "10 times as many (10,000) would be enough for epsilon 1" in noise


def test_the_advice_says_so_when_nothing_keeps_enough_and_what_it_would_take(
    drawn: Curves,
) -> None:
    thresholds, noise = say(
        drawn,
        {
            Setting(min_shoppers=10): 0.6,
            noisy(8): 0.7,
            noisy(1): 0.2,
            noisy(8, 3.0): 0.95,
            noisy(1, 3.0): 0.4,
        },
    )

    assert "No min_shoppers above 1 keeps 92 %" in thresholds
    assert "1,000 shoppers are too few" in thresholds
    assert "No epsilon that was tried keeps 92 %" in noise
    assert "1,000 shoppers are too few" in noise
    assert "3 times as many (3,000) would be enough for epsilon 8" in noise
    assert "not even 3,000 would be enough for epsilon 1" in noise


def test_the_advice_warns_where_there_is_nothing_personal_to_lose(drawn: Curves) -> None:
    shares = {Setting(min_shoppers=10): 0.95, noisy(8): 0.95}

    assert "not surely ahead of popularity" in say(drawn, shares, popularity=0.995)[0]
    assert "not surely" not in " ".join(say(drawn, shares, popularity=0.98))


# What is shown


def test_the_json_has_every_point_and_what_it_must_be_read_with(drawn: Curves) -> None:
    out = json.loads(json.dumps(drawn.to_json()))

    assert out["caution"] == CAUTION
    assert (out["shoppers"], out["min_shoppers"]) == (drawn.n_shoppers, 10)
    assert out["cutoff"] == "2020-04-30T00:00:00Z"
    assert out["histories"].startswith("as policy corner-shop")
    assert len(out["points"]) == len(drawn.points)
    for point in out["points"]:
        assert point["extrapolated"] == (point["multiple"] > 1)
        assert (point["delta"] is None) == (point["epsilon"] is None)
        for name in ("quality", "share", "private_popularity", "ahead_of_private_popularity"):
            assert set(point[name]) == {"all", "new"}
            for scope in point[name].values():
                assert tuple(scope) == METRICS
                assert all(set(of) == {"value", "low", "high"} for of in scope.values())
    assert out["advice"]
    assert "draws of noise" in out["intervals"]["method"]


def test_the_report_fetches_nothing_runs_nothing_and_warns(drawn: Curves) -> None:
    text = render(curve_sections(drawn), title="What protection costs")

    namespaces = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(re.findall(r"https?://[^\"'<> ]+", text)) <= namespaces
    assert not re.search(r"<(script|img|link|iframe|object)", text)
    assert CAUTION in text
    # Three pictures for each scope; each says in words what it shows.
    told = re.findall(r'role="img" aria-label="([^"]*)"', text)
    assert len(told) == text.count("<svg") == 6
    assert all(re.search(r"\d+ % \(-?\d+ to \d+\)", one) for one in told)
    # The page's colours only.
    assert not re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", text)


def test_what_is_extrapolated_is_dashed_and_nothing_else_is(drawn: Curves) -> None:
    measured = replace(drawn, points=tuple(p for p in drawn.points if p.setting.multiple <= 1))

    assert render(curve_sections(drawn), title="x").count("stroke-dasharray") > render(
        curve_sections(measured), title="x"
    ).count("stroke-dasharray")
    assert "as if that many shoppers behaved like these" in render(curve_sections(drawn), title="x")


def test_a_curve_without_noise_can_be_shown(drawn: Curves, tmp_path: Path) -> None:
    bare = replace(drawn, points=tuple(p for p in drawn.points if p.setting.epsilon is None))

    write_curves(tmp_path / "report.html", bare)

    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.count("<svg") == 4
    assert "no noise was drawn" in text


@pytest.fixture
def asked(drawn: Curves, monkeypatch: pytest.MonkeyPatch) -> list[CurveSettings]:
    """Stand in for the long run; gather what the command asks for."""
    seen: list[CurveSettings] = []

    def instead(_events: Path, _catalog: Path, settings: CurveSettings, **_: object) -> Curves:
        seen.append(settings)
        return drawn

    monkeypatch.setattr(curves_package, "draw_curves", instead)
    return seen


def arguments(*more: str) -> list[str]:
    return [
        "privacy", "curve", "events.parquet", "catalog.parquet", "--cutoff", "2020-04-30", *more,
    ]  # fmt: skip


def test_the_command_shows_tables_and_writes_what_was_asked(
    asked: list[CurveSettings],
    drawn: Curves,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = tmp_path / "report.html"

    assert run(arguments("--json", "-", "--report", str(report))) == 0

    out, told = capsys.readouterr()
    assert json.loads(out) == json.loads(json.dumps(drawn.to_json()))
    assert "against epsilon, min_shoppers 10" in told
    assert "against min_shoppers, without noise" in told
    assert "against the number of shoppers, min_shoppers 10, epsilon 8" in told
    assert "as if so many shoppers behaved like these: an extrapolation" in told
    assert CAUTION in told
    assert CAUTION in report.read_text(encoding="utf-8")
    (settings,) = asked
    assert settings == CurveSettings(cutoff=CUTOFF)


def test_the_commands_options_reach_the_run(asked: list[CurveSettings], tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_bytes(to_toml(policy_data()))
    options = (
        "--epsilon", "2", "--epsilon", "0.5", "--delta", "1e-7", "--min-shoppers", "20",
        "--draws", "4", "--resamples", "2", "--holdout", "0.3", "--max-measured", "100",
        "--seed", "5", "--policy", str(tmp_path / "policy.toml"), "--column", "shopper_id=who",
    )  # fmt: skip

    assert run(arguments(*options)) == 0

    (settings,) = asked
    assert settings.epsilons == (2.0, 0.5)
    assert (settings.delta, settings.min_shoppers) == (1e-7, 20)
    assert (settings.draws, settings.resamples, settings.max_measured) == (4, 2, 100)
    assert (settings.holdout.share, settings.seed) == (0.3, 5)
    assert settings.policy is not None
    assert settings.policy.id == "corner-shop"
    assert settings.columns.mapped == {"shopper_id": "who"}


@pytest.mark.parametrize(
    ("wrong", "code", "message"),
    [
        (("--epsilon", "0"), 2, "epsilon"),
        (("--epsilon", "-1"), 2, "epsilon"),
        (("--holdout", "0"), 2, "holdout"),
        (("--json", "no/such/folder.json"), 1, "there is no folder"),
        (("--policy", "none.toml"), 1, "none.toml cannot be read"),
        (("--cutoff", "soon"), 1, "'soon' is no time"),
    ],
)
def test_wrong_use_is_told_before_the_long_run(
    asked: list[CurveSettings],
    wrong: tuple[str, ...],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(arguments(*wrong)) == code

    assert message in capsys.readouterr().err
    assert not asked


def test_the_command_has_the_defaults_of_the_settings() -> None:
    """They are written in the command, so that its help need not load the models."""
    defaults = {option.name: option.default for option in privacy_curve.command.params}
    settings = CurveSettings(cutoff=CUTOFF)

    assert defaults["delta"] == settings.delta
    assert defaults["min_shoppers"] == settings.min_shoppers
    assert defaults["draws"] == settings.draws
    assert defaults["resamples"] == settings.resamples
    assert defaults["holdout"] == settings.holdout.share
    assert defaults["max_measured"] == settings.max_measured
    assert defaults["seed"] == settings.seed
