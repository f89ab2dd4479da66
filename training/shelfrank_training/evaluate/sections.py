"""An evaluation as sections of a report; the demo puts its own around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shelfrank_training.evaluate.curves.plan import THRESHOLDS
from shelfrank_training.evaluate.plots import Dot, dot_panel
from shelfrank_training.evaluate.report import (
    Block,
    Caution,
    Drawing,
    Drawings,
    Facts,
    KeyFigure,
    KeyFigures,
    Prose,
    Section,
    Table,
    write_report,
)
from shelfrank_training.evaluate.results import COVERAGE
from shelfrank_training.evaluate.series import Series, shaded_panel, slice_panel
from shelfrank_training.evaluate.tally import SCOPES
from shelfrank_training.standing import stands_on

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from shelfrank_training.evaluate.bootstrap import Estimate
    from shelfrank_training.evaluate.evaluation import Evaluation
    from shelfrank_training.evaluate.protocol import ProtocolName
    from shelfrank_training.evaluate.results import Slice
    from shelfrank_training.evaluate.slices import Cut
    from shelfrank_training.evaluate.tally import Scope

_SCOPE_NAMES: Final[dict[Scope, str]] = {"all": "All targets", "new": "New items"}
_SCOPE_TEXTS: Final[dict[ProtocolName, dict[Scope, str]]] = {
    "future": {
        "all": "All that followed and can be ranked counts, what the shopper had before included.",
        "new": "Only items that the history does not name, ranked among such items.",
    },
    "next": {
        "all": "Every item of every later moment counts, what the shopper had before included.",
        "new": "Only items that the history up to that moment does not name, ranked among such "
        "items.",
    },
}
_ASKED: Final[dict[ProtocolName, str]] = {
    "future": "Each shopper was asked for once, at the cutoff. Recall divides by the number of "
    "targets; the ideal of NDCG holds as many targets as the list has room for.",
    "next": "Each later moment was asked for by itself, from the events before it, and each of its "
    "items is a target of its own: Recall is the share of them in their list, NDCG and MRR say how "
    "far up.",
}
CUT_NAMES: Final[dict[Cut, str]] = {
    "history": "items in the history",
    "popularity": "popularity of the targets",
}
"""How people read what figures are cut by."""

_MAIN: Final = "ndcg@20"
"""What slices are drawn of: it knows places, and both protocols have it."""

_READING: Final = "Dots are values, lines bootstrap 95 % intervals over shoppers."


def metric_name(name: str) -> str:
    """Return how people write a metric: ``ndcg@20`` is NDCG@20, ``recall@20`` is Recall@20."""
    short, _, k = name.partition("@")
    return f"{short.upper() if short in {'ndcg', 'mrr'} else short.capitalize()}@{k}"


def model_name(name: str) -> str:
    """Return how people write a model."""
    return name.replace("_", " ")


def slice_name(cut: Cut, name: str) -> str:
    """Return how people write a slice: ``101+`` items are over 100 items."""
    if cut == "popularity":
        return name
    if name.endswith("+"):
        return f"over {int(name[:-1]) - 1} items"
    return f"{name.replace('-', '–')} item{'s' * (name != '1')}"


def with_interval(figure: Estimate, *, signed: bool = False) -> str:
    """Return a figure and its interval: ``0.363`` and both ends, with signs for a difference."""
    sign = "+" if signed else ""
    between = "\u00a0to\u00a0" if signed else "–\u2060"
    # A true minus sign is as wide as the plus, so the columns stand; a cell breaks before the
    # interval and never in it.
    text = f"{figure.value:{sign}.3f} ({figure.low:{sign}.3f}{between}{figure.high:{sign}.3f})"
    return text.replace("-", "−")


def evaluation_sections(evaluation: Evaluation) -> list[Section]:
    """Return the report of an evaluation: what was found, how it was measured, every figure."""
    return [
        Section("", [_key(evaluation), *(Caution(text) for text in evaluation.warnings)]),
        *(_plots(evaluation, scope) for scope in _scopes(evaluation)),
        _slices(evaluation),
        _differences(evaluation),
        _figures(evaluation),
        Section("How it was measured", [*_method(evaluation), Facts(_facts(evaluation))]),
    ]


def _scopes(evaluation: Evaluation) -> list[Scope]:
    return [scope for scope in SCOPES if evaluation.results.shoppers[scope]]


def _key(evaluation: Evaluation) -> KeyFigures:
    model = next(iter(evaluation.results.metrics))
    figures = []
    for scope in _scopes(evaluation):
        of = {name: scopes[scope] for name, scopes in evaluation.results.metrics.items()}
        others = ", ".join(
            f"{model_name(name)} {row['ndcg@20'].value:.3f}"
            for name, row in of.items()
            if name != model
        )
        figures.append(
            KeyFigure(
                f"{of[model]['ndcg@20'].value:.3f}",
                f"NDCG@20, {_SCOPE_NAMES[scope].lower()}",
                f"{others}. {evaluation.bounds}.",
            )
        )
    return KeyFigures(
        [
            *figures,
            KeyFigure(
                f"{evaluation.results.shoppers['all']:,}",
                "shoppers measured",
                "Everyone in the events."
                if evaluation.provenance.holdout.share == 0
                else f"From the {evaluation.provenance.holdout.share:.0%} kept out of training.",
            ),
            KeyFigure(f"{evaluation.n_items:,}", "items compete", "Full ranking, nothing sampled."),
        ]
    )


def _plots(evaluation: Evaluation, scope: Scope) -> Section:
    models = evaluation.results.metrics
    first = next(iter(models))
    second = "mrr@20" if "mrr@20" in models[first][scope] else "recall@20"
    panels = [
        *(_dots(evaluation, scope, metric) for metric in (_MAIN, second, COVERAGE)),
        _recall_by_k(evaluation, scope),
    ]
    count = f"{evaluation.results.shoppers[scope]:,} shoppers"
    caption = f"{_READING} A shade is the same interval along a line. {count}; {evaluation.bounds}."
    return Section(
        _SCOPE_NAMES[scope],
        [
            Prose(_SCOPE_TEXTS[evaluation.protocol][scope]),
            Drawings(panels=panels, caption=caption),
        ],
    )


def _dots(evaluation: Evaluation, scope: Scope, metric: str) -> Drawing:
    models = evaluation.results.metrics
    first = next(iter(models))
    rows = [
        Dot(
            label=model_name(model),
            value=scopes[scope][metric].value,
            low=scopes[scope][metric].low,
            high=scopes[scope][metric].high,
            accent=model == first,
        )
        for model, scopes in models.items()
    ]
    told = "; ".join(
        f"{model_name(model)} {with_interval(scopes[scope][metric])}"
        for model, scopes in models.items()
    )
    return Drawing(
        dot_panel(metric_name(metric), rows, upright="model"), f"{metric_name(metric)}: {told}"
    )


def _recall_by_k(evaluation: Evaluation, scope: Scope) -> Drawing:
    curves = {model: of[scope] for model, of in evaluation.results.recall_by_k.items()}
    title = "Recall by length of the list"
    lines = [Series(label=model_name(model), figures=of) for model, of in curves.items()]
    told = "; ".join(
        f"{model_name(model)} {of[0].value:.3f} at 1, {of[-1].value:.3f} at {len(of)}"
        for model, of in curves.items()
    )
    return Drawing(shaded_panel(title, lines, upright="Recall", axis="places"), f"{title}: {told}")


def _slices(evaluation: Evaluation) -> Section:
    results = evaluation.results
    cuts = [
        (cut, scope, slices)
        for scope in _scopes(evaluation)
        for cut, scopes in results.slices.items()
        if (slices := scopes[scope])
    ]
    return Section(
        "For whom, and for what",
        [
            Prose(
                "Left: by how many distinct items the device knows of a shopper; neighbours with "
                "few shoppers are joined. Right: by the popularity of what was to be found; head, "
                "middle and tail hold a third of all popularity each, the head in the fewest "
                "items. Lists and targets are those of the whole; only what is counted differs."
            ),
            Drawings(
                panels=[_sliced(cut, scope, slices) for cut, scope, slices in cuts],
                caption=f"NDCG@20. {_READING} {evaluation.bounds}.",
            ),
            *(_slice_table(evaluation, *one) for one in cuts),
        ],
    )


def _sliced(cut: Cut, scope: Scope, slices: Sequence[Slice]) -> Drawing:
    title = f"{_SCOPE_NAMES[scope]}, by {CUT_NAMES[cut]}"
    names = [_tick(one.name) for one in slices]
    lines = [
        Series(label=model_name(model), figures=[one.metrics[model][_MAIN] for one in slices])
        for model in slices[0].metrics
    ]
    told = "; ".join(
        f"{slice_name(cut, one.name)}: "
        + ", ".join(
            f"{model_name(model)} {with_interval(row[_MAIN])}" for model, row in one.metrics.items()
        )
        for one in slices
    )
    figure = slice_panel(title, lines, upright=metric_name(_MAIN), names=names, axis=CUT_NAMES[cut])
    return Drawing(figure, f"{title}: {told}")


def _tick(name: str) -> str:
    """Return a slice as a tick has room for it."""
    return f"over {int(name[:-1]) - 1}" if name.endswith("+") else name.replace("-", "–")


def _slice_table(evaluation: Evaluation, cut: Cut, scope: Scope, slices: Sequence[Slice]) -> Table:
    models = list(evaluation.results.metrics)
    return Table(
        columns=[
            f"{_SCOPE_NAMES[scope]}, {CUT_NAMES[cut]}",
            "shoppers",
            "targets",
            *(model_name(model) for model in models),
        ],
        rows=[
            [
                slice_name(cut, one.name),
                f"{one.shoppers:,}",
                f"{one.targets:,}",
                *(with_interval(one.metrics[model][_MAIN]) for model in models),
            ]
            for one in slices
        ],
        caption=f"NDCG@20. {evaluation.bounds}.",
        strong_column=3,
    )


def _differences(evaluation: Evaluation) -> Section:
    first = next(iter(evaluation.results.metrics))
    bounds = f"Paired: both models met the same shoppers. {evaluation.bounds}."
    paired = evaluation.results.paired
    panels = [
        _difference(scope, other, scopes[scope])
        for scope in _scopes(evaluation)
        for other, scopes in paired.items()
    ]
    tables = [
        Table(
            columns=[_SCOPE_NAMES[scope], *(f"minus {model_name(other)}" for other in paired)],
            rows=_rows({other: scopes[scope] for other, scopes in paired.items()}, signed=True),
            caption=bounds,
        )
        for scope in _scopes(evaluation)
    ]
    return Section(
        f"{model_name(first)} against each baseline",
        [
            Prose(
                "Differences are paired: each resample of the shoppers is put to both models. "
                "Where the line does not touch zero, the dot is coloured. On new items personal "
                "frequency has nothing to count, so it ranks like popularity."
            ),
            Drawings(panels=panels, caption=f"{_READING} {bounds}"),
            *tables,
        ],
    )


def _difference(scope: Scope, other: str, figures: dict[str, Estimate]) -> Drawing:
    title = f"{_SCOPE_NAMES[scope]}, minus {model_name(other)}"
    # Coverage is another kind of number, and so large that the others could not be told apart.
    shown = {name: figure for name, figure in figures.items() if not name.startswith("coverage")}
    dots = [
        Dot(
            label=metric_name(name),
            value=figure.value,
            low=figure.low,
            high=figure.high,
            accent=figure.low > 0 or figure.high < 0,
        )
        for name, figure in shown.items()
    ]
    told = "; ".join(
        f"{metric_name(name)} {with_interval(figure, signed=True)}"
        for name, figure in shown.items()
    )
    return Drawing(dot_panel(title, dots, upright="metric", signed=True), f"{title}: {told}")


def _figures(evaluation: Evaluation) -> Section:
    results = evaluation.results
    return Section(
        "Every figure",
        [
            Table(
                columns=[_SCOPE_NAMES[scope], *(model_name(model) for model in results.metrics)],
                rows=_rows({model: scopes[scope] for model, scopes in results.metrics.items()}),
                caption=(
                    f"{results.shoppers[scope]:,} shoppers, {results.trials[scope]:,} rankings, "
                    f"{results.targets[scope]:,} targets. {evaluation.bounds}."
                ),
                strong_column=1,
            )
            for scope in _scopes(evaluation)
        ],
    )


def _rows(of: dict[str, dict[str, Estimate]], *, signed: bool = False) -> list[list[str]]:
    """Return a row for each metric with a cell for each model."""
    return [
        [metric_name(metric), *(with_interval(row[metric], signed=signed) for row in of.values())]
        for metric in next(iter(of.values()))
    ]


def _method(evaluation: Evaluation) -> Iterator[Block]:
    yield Prose(
        "The model was signed with a throw-away key, verified as a device does and asked through "
        "the device's own ranker: what is measured is what ships. Every item of the universe "
        "competes in every ranking. Ties go to the more popular item, for every model."
    )
    yield Prose(
        "Popularity is the aggregates' recency-weighted popularity, the same for everyone. "
        "Personal frequency counts how often the history names an item. Coverage is the share of "
        "the universe that any list shows."
    )
    yield Prose(_ASKED[evaluation.protocol])
    yield Prose(
        "Only figures of a model with min_shoppers of 20 or more count as made from aggregates. "
        f"What a threshold costs on this data, at {', '.join(map(str, THRESHOLDS))} shoppers, says "
        "shelfrank privacy curve."
    )


def _facts(evaluation: Evaluation) -> Sequence[tuple[str, str]]:
    made, out = evaluation.provenance, evaluation.left_out
    epsilon = "none: exact counts" if made.epsilon is None else f"epsilon {made.epsilon:g}"
    who = (
        f"{evaluation.results.shoppers['all']:,} counted; left out: "
        f"{out.without_history:,} without a history, {out.without_targets:,} with nothing from the "
        f"cutoff on, {out.targets_outside_only:,} with targets outside the universe only"
    )
    universe = (
        f"{evaluation.n_items:,} items, {evaluation.n_items_not_in_bundle:,} of them not in the "
        "bundle (they stay as misses)"
    )
    share = made.holdout.share
    return [
        ("Events", evaluation.events),
        ("Cutoff", f"{evaluation.cutoff:%Y-%m-%d %H:%M} UTC"),
        ("Protocol", evaluation.protocol),
        ("Shoppers", who),
        ("Kept out of training", f"{share:.0%} of the shoppers" if share else "nobody"),
        ("Trained on events up to", f"{made.trained_until:%Y-%m-%d %H:%M} UTC"),
        ("Universe", universe),
        ("Targets outside the universe", f"{out.targets_outside:,} (not counted)"),
        ("Stands on", stands_on(made.min_shoppers)),
        ("Shoppers behind each statistic (min_shoppers)", f"at least {made.min_shoppers}"),
        ("Items a shopper contributes (max_items)", f"at most {made.max_items}"),
        ("Noise", epsilon),
        ("Histories", evaluation.device_rules),
        (
            "Intervals",
            f"95 %, {evaluation.n_resamples:,} resamples of the shoppers, seed {evaluation.seed}",
        ),
    ]


def write_evaluation(path: Path, evaluation: Evaluation) -> None:
    """Write the report of an evaluation alone (see `shelfrank_training.evaluate.report`).

    Raises:
        DataError: the file cannot be written.
    """
    write_report(
        path,
        evaluation_sections(evaluation),
        title="How well the ranking meets its shoppers",
        lead=(
            f"shelfrank against popularity and personal frequency on {evaluation.events}, "
            f"cutoff {evaluation.cutoff:%d %B %Y}."
        ),
        foot=f"Every figure on this page: {evaluation.bounds}.",
    )
