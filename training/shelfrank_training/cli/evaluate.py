"""``shelfrank evaluate``: measure a model folder on held-out shoppers, as it ships."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shelfrank_training.cli import console
from shelfrank_training.cli.options import column_options, figures_options, read_columns
from shelfrank_training.cli.outputs import check_writable, parse_cutoff, write_json

if TYPE_CHECKING:
    from shelfrank_training.evaluate.bootstrap import Estimate
    from shelfrank_training.evaluate.evaluation import Evaluation
    from shelfrank_training.evaluate.protocol import ProtocolName


@click.command("evaluate")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("events", type=click.Path(path_type=Path))
@click.option(
    "--cutoff",
    metavar="TIME",
    required=True,
    help="Events before it are history, later ones are to be foreseen; UTC unless stated.",
)
@click.option(
    "--protocol",
    type=click.Choice(["future", "next"]),
    default="future",
    show_default=True,
    help="future: all that follows the cutoff at once; next: each later event by itself.",
)
@column_options
@figures_options
def command(
    model: Path,
    events: Path,
    cutoff: str,
    protocol: ProtocolName,
    mapped: tuple[str, ...],
    dropped: tuple[str, ...],
    json_file: str | None,
    report: Path | None,
) -> None:
    """Measure the model folder MODEL on the shoppers of EVENTS that its training kept out.

    MODEL is signed in memory with a throw-away key and opened by a device's verification, so what
    is measured is what ships.
    """
    check_writable(report, json_file)
    moment = parse_cutoff(cutoff)
    columns = read_columns(mapped, dropped)
    from shelfrank_training.evaluate.run import Settings, evaluate

    evaluation = evaluate(
        model,
        events,
        Settings(cutoff=moment, protocol=protocol, columns=columns),
        progress=console.Bars(),
    )
    tell(evaluation)
    write_json(json_file, evaluation.to_json())
    if report is not None:
        from shelfrank_training.evaluate.sections import write_evaluation

        write_evaluation(report, evaluation)
        console.say(f"report in {report}")


def tell(evaluation: Evaluation) -> None:
    """Draw the tables that people read, on stderr."""
    from shelfrank_training.evaluate.sections import model_name
    from shelfrank_training.evaluate.tally import SCOPES

    for warning in evaluation.warnings:
        console.say(f"note: {warning}")
    results = evaluation.results
    for scope in SCOPES:
        where = f"{results.shoppers[scope]:,} shoppers, {evaluation.n_items:,} items"
        _table(
            f"{scope}: {where} · {evaluation.bounds}",
            {model_name(model): scopes[scope] for model, scopes in results.metrics.items()},
            signed=False,
        )
        _table(
            f"{scope}: shelfrank minus each baseline, paired · {evaluation.bounds}",
            {f"minus {model_name(m)}": scopes[scope] for m, scopes in results.paired.items()},
            signed=True,
        )
    _tell_slices(evaluation)
    outside = evaluation.left_out.targets_outside
    console.say(
        f"{outside:,} of {outside + results.targets['all']:,} targets were outside the universe "
        f"of {evaluation.n_items:,} items and do not count; histories: {evaluation.device_rules}"
    )


def _tell_slices(evaluation: Evaluation) -> None:
    """Draw NDCG@20 slice by slice; 80 characters hold one interval beside three models."""
    from shelfrank_training.evaluate.sections import CUT_NAMES, model_name, slice_name

    results = evaluation.results
    first, *others = results.metrics
    for cut, scopes in results.slices.items():
        for scope, slices in scopes.items():
            if slices:
                console.table(
                    f"{scope}: NDCG@20 by {CUT_NAMES[cut]} · {evaluation.bounds}",
                    ["", "shoppers", model_name(first), *(model_name(model) for model in others)],
                    [
                        [
                            slice_name(cut, one.name),
                            f"{one.shoppers:,}",
                            _short(one.metrics[first]["ndcg@20"], signed=False),
                            *(f"{one.metrics[model]['ndcg@20'].value:.3f}" for model in others),
                        ]
                        for one in slices
                    ],
                )


def _table(title: str, figures: dict[str, dict[str, Estimate]], *, signed: bool) -> None:
    """Draw metrics as rows and models as columns: 80 characters hold three models."""
    from shelfrank_training.evaluate.sections import metric_name

    rows = [
        [metric_name(metric), *(_short(of[metric], signed=signed) for of in figures.values())]
        for metric in next(iter(figures.values()))
    ]
    console.table(title, ["", *figures], rows)


def _short(figure: Estimate, *, signed: bool) -> str:
    sign = "+" if signed else ""
    ends = " ".join(f"{end:{sign}.3f}".replace("0.", ".") for end in (figure.low, figure.high))
    return f"{figure.value:{sign}.3f} [{ends}]"
