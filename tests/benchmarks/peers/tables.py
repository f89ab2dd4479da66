"""The comparison as JSON, for a terminal, and as Markdown for the documentation."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final, TypeAlias

from benchmarks.peers.exchange import SCOPES
from shelfrank_training.evaluate.sections import with_interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.peers.exchange import Cost, Scope
    from benchmarks.peers.run import Report
    from shelfrank_training.evaluate.bootstrap import Estimate
    from shelfrank_training.evaluate.evaluation import Json
    from shelfrank_training.evaluate.results import Figures

Drawn: TypeAlias = "tuple[str, list[str], list[list[str]]]"
"""Title, heads of columns, rows."""

METRICS: Final = ("ndcg@20", "recall@20", "coverage@20")

_MEGABYTE: Final = 1_000_000


def terminal(report: Report, scope: Scope) -> Iterator[Drawn]:
    """Yield the tables that people read: 80 characters hold three columns with intervals."""
    results, second = report.comparison.results, report.comparison.second
    ranked = _ranked(report, scope)
    n_items = report.problem.universe.n_items
    yield (
        f"{scope}: {results.shoppers[scope]:,} shoppers, {n_items:,} items",
        ["", "NDCG@20", "Recall@20", "coverage"],
        [
            [
                name,
                *(_short(results.metrics[name][scope][metric]) for metric in METRICS[:2]),
                f"{results.metrics[name][scope]['coverage@20'].value:.3f}",
            ]
            for name in ranked
        ],
    )
    first, other = list(report.entries)[:2]
    yield (
        f"{scope}: differences of NDCG@20, paired",
        ["", f"{first} minus it", f"{other} minus it"],
        [
            [
                name,
                *(
                    _short(of[scope]["ndcg@20"], signed=True) if of else ""
                    for of in (results.paired.get(name), second.get(name))
                ),
            ]
            for name in ranked
        ],
    )
    yield (
        f"{scope}: what it takes",
        ["", "train", "MB", "one shopper"],
        [[name, *_cost(report.entries[name].cost.get(scope))] for name in ranked],
    )


def columns(report: Report) -> list[str]:
    """Return the heads of the table's columns."""
    first, second = list(report.entries)[:2]
    return [
        "",
        "NDCG@20",
        "Recall@20",
        "Coverage@20",
        f"{first} minus it, NDCG@20",
        f"{second} minus it",
        "train",
        "MB",
        "one shopper",
    ]


def rows(report: Report, scope: Scope) -> list[list[str]]:
    """Return the table of one scope: the best NDCG@20 first.

    Args:
        report: what came out.
        scope: with at least one shopper.
    """
    results, second = report.comparison.results, report.comparison.second
    return [
        [
            name,
            *(with_interval(results.metrics[name][scope][metric]) for metric in METRICS[:2]),
            f"{results.metrics[name][scope]['coverage@20'].value:.3f}",
            _difference(results.paired.get(name, {}).get(scope)),
            _difference(second.get(name, {}).get(scope)),
            *_cost(report.entries[name].cost.get(scope)),
        ]
        for name in _ranked(report, scope)
    ]


def _ranked(report: Report, scope: Scope) -> list[str]:
    figures = report.comparison.results.metrics
    return sorted(report.entries, key=lambda name: -figures[name][scope]["ndcg@20"].value)


def _short(figure: Estimate, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    ends = " ".join(f"{end:{sign}.3f}".replace("0.", ".") for end in (figure.low, figure.high))
    return f"{figure.value:{sign}.3f} [{ends}]"


def markdown(report: Report, title: str) -> str:
    """Return a section for the documentation.

    Args:
        report: what came out.
        title: of the data.
    """
    found = report.comparison.results
    lines = [f"### {title}", "", *_facts(report)]
    ours = list(report.entries)[:2]
    for scope in SCOPES:
        if not found.shoppers[scope]:
            continue
        head = columns(report)
        lines += [
            "",
            f"`{scope}`, {found.shoppers[scope]:,} shoppers:",
            "",
            f"| {' | '.join(head)} |",
            f"|{'---|' * len(head)}",
        ]
        for name, *cells in rows(report, scope):
            shown = f"**{name}**" if name in ours else name
            lines.append(f"| {' | '.join([shown, *cells])} |")
    lines += ["", *_choices(report), ""]
    return "\n".join(lines)


def document(report: Report) -> dict[str, Json]:
    """Return what ``--json`` writes."""
    found, settings = report.comparison.results, report.settings
    outside = report.problem.left_out.targets_outside
    return {
        "events": settings.source.events.name,
        "cutoff": settings.cutoff.isoformat().replace("+00:00", "Z"),
        "holdout": settings.source.holdout.share,
        "shoppers": {scope: found.shoppers[scope] for scope in SCOPES},
        "targets": {**{scope: found.targets[scope] for scope in SCOPES}, "outside": outside},
        "universe": {
            "of": settings.universe,
            "items": report.problem.universe.n_items,
            "not_in_second": report.n_missing,
        },
        "histories": report.device_rules,
        "tuning": {
            "from": report.tuned_from.isoformat().replace("+00:00", "Z"),
            "shoppers": report.n_tuned_on,
        },
        "metrics": _plain(found.metrics),
        "paired": {
            first: _plain(paired)
            for first, paired in zip(
                list(report.entries)[:2], (found.paired, report.comparison.second), strict=True
            )
        },
        "costs": {
            name: {scope: _cost_json(cost) for scope, cost in entry.cost.items()}
            for name, entry in report.entries.items()
        },
        "settings": {
            name: {
                scope: {"setting": dict(choice.setting), "tried": choice.tried, "ndcg": choice.ndcg}
                for scope, choice in entry.choices.items()
            }
            for name, entry in report.entries.items()
        },
    }


def _plain(figures: Figures) -> dict[str, Json]:
    return {
        model: {
            scope: {name: asdict(figure) for name, figure in of.items()}
            for scope, of in scopes.items()
        }
        for model, scopes in figures.items()
    }


def _facts(report: Report) -> Iterator[str]:
    settings, problem = report.settings, report.problem
    first, second = list(report.entries)[:2]
    of = second if settings.universe == "protected" else first
    yield (
        f"Cutoff {settings.cutoff:%Y-%m-%d}, hold-out {settings.source.holdout.share:g}; "
        f"{problem.universe.n_items:,} items compete, those of {of}; "
        f"{second} lacks {report.n_missing:,} of them. "
        f"Peers were tuned on {report.n_tuned_on:,} training shoppers, "
        f"{report.tuned_from:%Y-%m-%d} to the cutoff. "
        f"Histories: {report.device_rules}."
    )


def _choices(report: Report) -> Iterator[str]:
    yield "Settings chosen (`all`; `new` where it differs), and notes:"
    yield ""
    for name, entry in report.entries.items():
        if not entry.choices and not entry.note:
            continue
        chosen = [_setting(entry.choices[scope].setting) for scope in SCOPES if entry.choices]
        tried = [f"of {entry.choices['all'].tried}"] if entry.choices else []
        parts = [*dict.fromkeys(chosen), *tried, *([entry.note] if entry.note else [])]
        yield f"- {name}: {'; '.join(parts)}"


def _setting(setting: Json | object) -> str:
    shown = dict(setting) if isinstance(setting, dict) else {}
    # How many items take part does not change over a grid: the note says it.
    return ", ".join(
        f"{key.replace('_', ' ')} {value}" for key, value in shown.items() if key != "items"
    )


def _difference(of: dict[str, Estimate] | None) -> str:
    return "" if not of else with_interval(of["ndcg@20"], signed=True)


def _cost(cost: Cost | None) -> Sequence[str]:
    if cost is None:
        return ("", "", "")
    each = "" if cost.rank_seconds is None else f"{1_000 * cost.rank_seconds:.1f} ms"
    return (f"{cost.fit_seconds:,.0f} s", f"{cost.n_bytes / _MEGABYTE:,.1f}", each)


def _cost_json(cost: Cost) -> Json:
    return {
        "fit_seconds": cost.fit_seconds,
        "bytes": cost.n_bytes,
        "rank_seconds": cost.rank_seconds,
    }
