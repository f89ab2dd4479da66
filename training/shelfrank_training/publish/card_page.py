"""A model card as Markdown, from what stands in a bundle: manifest, label and measurements.

The sections are those of Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019): details,
intended use, data, how it was measured, how good it is and for whom, what to be careful about.
Every sentence here is chosen by what was done or measured; nobody types one, and no text of the
bundle is told as ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shelfrank.bundle import archive
from shelfrank.bundle.label import Label
from shelfrank.bundle.label_words import lines, warnings
from shelfrank.bundle.manifest import Manifest
from shelfrank_training.evaluate.sections import (
    CUT_NAMES,
    metric_name,
    model_name,
    slice_name,
    with_interval,
)
from shelfrank_training.evaluate.tally import SCOPES, Scope
from shelfrank_training.publish.card import MODEL, ModelCard
from shelfrank_training.publish.label import INTENDED_USE, OUT_OF_SCOPE
from shelfrank_training.publish.printable import printable
from shelfrank_training.standing import from_aggregates, stands_on

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shelfrank_training.publish.card import Measured, MeasuredSlice, Row

_SCOPE_TEXTS: Final[Mapping[Scope, str]] = {
    "all": "All targets: what the shopper had before counts too",
    "new": "New items: only what the history does not name, ranked among such items",
}
_PROTOCOL_TEXTS: Final = {
    "future": "one ranking for each shopper at the cutoff, everything from then on is to be found",
    "next": "one ranking before each later time, from the events before it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a card is written from.

    Attributes:
        manifest: of the bundle.
        label: of the bundle.
        card: what was measured.
    """

    manifest: Manifest
    label: Label
    card: ModelCard


def card_of_bundle(data: bytes, *, figures: Measured | None = None) -> str:
    """Return the model card of a bundle as Markdown; nothing is verified.

    Args:
        data: the whole file.
        figures: tell of these instead of what the bundle's own card holds.

    Raises:
        BundleError: the bundle cannot be read that far, or its label is of another one.
        PublishError: the figures, or the card, are of another model.
    """
    members = archive.read_members(data)
    manifest = Manifest.parse(archive.member(members, archive.MANIFEST))
    label = Label.parse(archive.member(members, archive.LABEL))
    label.check_fits(manifest)
    card = (
        ModelCard(figures)
        if figures is not None
        else ModelCard.parse(members[archive.CARD])
        if archive.CARD in members
        else ModelCard(None)
    )
    if card.measured is not None:
        card.measured.check_measured({entry.path: entry.sha256 for entry in manifest.files})
    return write_card(Described(manifest=manifest, label=label, card=card))


def write_card(of: Described) -> str:
    """Return the card as Markdown; the same bundle gives the same text."""
    name = f"{_text(of.manifest.name)} version {of.manifest.version}"
    sections = [
        [f"# Model card: {name}", "", *_details(of)],
        ["## Intended use", "", *_use()],
        ["## What it was made from", "", *_data(of.label)],
        ["## How good it is", "", *_quality(of.card.measured)],
        ["## What to be careful about", "", *_limits(of)],
    ]
    return "\n".join(line for section in sections for line in [*section, ""]).rstrip() + "\n"


def _details(of: Described) -> Iterator[str]:
    manifest = of.manifest
    graph = next(entry for entry in manifest.files if entry.path == archive.MODEL)
    yield (
        "Generated from the bundle's manifest, its privacy label and what "
        "`shelfrank evaluate` measured."
    )
    yield ""
    until = f"taken up by devices until {manifest.expires:%Y-%m-%d}"
    kind = "one ONNX graph from the history on the device to scores"
    categories = f"{manifest.model.n_categories:,} categories"
    yield from _table(
        ("", ""),
        [
            ("Issued", f"{manifest.issued_at:%Y-%m-%d}, {until}"),
            ("Kind", f"{kind}; each score is a sum of parts fitted on the shop's counts"),
            ("Parts", ", ".join(_text(part) for part in manifest.model.parts)),
            ("Ranks", f"{manifest.model.n_items:,} items in {categories}"),
            ("Size", f"{graph.size:,} bytes, SHA-256 `{graph.sha256}`"),
        ],
    )


def _use() -> Iterator[str]:
    yield from (f"* {_sentence(use)}" for use in INTENDED_USE)
    yield f"* Not for: {'; '.join(OUT_OF_SCOPE)}."


def _data(label: Label) -> Iterator[str]:
    yield from (f"* **{line.heading}**: {_text(line.text)}" for line in lines(label, "en")[1:4])
    yield f"* **Stands on**: {stands_on(label.min_shoppers)}; {_noise(label)}."
    policy = "none was applied" if label.policy is None else (
        f"{_text(label.policy[0])} version {label.policy[1]}"
    )  # fmt: skip
    yield f"* **Policy**: {policy}."
    yield ""
    yield from _table(
        ("Table", "rows", "shoppers behind each number"),
        [(_text(t.name), f"{t.rows:,}", f"at least {t.min_shoppers:,}") for t in label.tables],
    )


def _noise(label: Label) -> str:
    if label.epsilon is None:
        return "exact counts, no differential privacy"
    return f"epsilon {label.epsilon:g} and delta {label.delta:g} at shopper level"


def _quality(measured: Measured | None) -> Iterator[str]:
    if measured is None:
        yield (
            "Nothing was measured, or no figure may stand in this bundle. Nothing is claimed about "
            "how good the ranking is."
        )
        return
    yield from _method(measured)
    for scope in SCOPES:
        if measured.metrics[MODEL][scope]:
            yield ""
            yield f"### {_SCOPE_TEXTS[scope]}"
            yield ""
            yield from _figures({name: of[scope] for name, of in measured.metrics.items()})
            yield ""
            yield "Difference to each baseline, on the same shoppers:"
            yield ""
            yield from _figures(
                {name: of[scope] for name, of in measured.paired.items()}, signed=True
            )
    for cut, scopes in measured.slices.items():
        for scope, slices in scopes.items():
            if slices:
                yield ""
                yield f"### NDCG@20 by {CUT_NAMES[cut]}, {scope}"
                yield ""
                yield from _slices(slices, {one.name: slice_name(cut, one.name) for one in slices})


def _method(measured: Measured) -> Iterator[str]:
    who = (
        f"{measured.holdout_share:.0%} of the shoppers were kept out of training"
        if measured.holdout_share
        else "nobody was kept out of training"
    )
    yield (
        f"{measured.shoppers:,} shoppers, {measured.n_items:,} items compete "
        f"({measured.n_items_not_in_bundle:,} of them not in the bundle: they stay as misses), "
        f"cutoff {measured.cutoff:%Y-%m-%d}, {who}. Protocol `{measured.protocol}`: "
        f"{_PROTOCOL_TEXTS[measured.protocol]}. The bundle's own files were verified and ranked "
        "by the device's ranker; every item competes, nothing is sampled. In brackets: bootstrap "
        f"95 % intervals over shoppers, {measured.resamples:,} resamples. The figures are "
        f"{stands_on(measured.min_shoppers)}."
    )


def _limits(of: Described) -> Iterator[str]:
    measured = of.card.measured
    yield from (f"* {_text(text)}" for text in warnings(of.label, "en"))
    if measured is None:
        yield "* The quality of the ranking is not known."
        return
    if not from_aggregates(measured.min_shoppers):
        yield f"* The figures are {stands_on(measured.min_shoppers)}."
    if not measured.holdout_share:
        yield "* The shoppers measured may be among those the model was made from."
    if measured.trained_until > measured.cutoff:
        yield (
            f"* The model was made from events up to {measured.trained_until:%Y-%m-%d}, past the "
            "cutoff: it knows something of the time it was asked about."
        )
    yield from _not_ahead(measured)
    yield (
        "* Measured on events of the past, which other rankings had a part in; what shoppers would "
        "do with this one is not known."
    )


def _not_ahead(measured: Measured) -> Iterator[str]:
    """Say where the model loses to a baseline, and where the two cannot be told apart."""
    for other, scopes in sorted(measured.paired.items()):
        for scope in SCOPES:
            row = {n: of for n, of in scopes[scope].items() if not n.startswith("coverage")}
            worse = [name for name, of in row.items() if of.high < 0]
            level = [name for name, of in row.items() if of.low <= 0 <= of.high]
            for names, told in ((worse, "behind"), (level, "not surely ahead of")):
                if names:
                    figures = "; ".join(
                        f"{metric_name(name)} {with_interval(row[name], signed=True)}"
                        for name in names
                    )
                    yield f"* On {scope} targets {told} {model_name(other)}: {figures}."


def _figures(models: Mapping[str, Row], *, signed: bool = False) -> Iterator[str]:
    names = _first_ours(models)
    metrics = list(models[names[0]]) if names else []
    return _table(
        ("", *(f"{'minus ' * signed}{model_name(name)}" for name in names)),
        [
            (
                metric_name(metric),
                *(
                    with_interval(models[name][metric], signed=signed)
                    if metric in models[name]
                    else "–"
                    for name in names
                ),
            )
            for metric in metrics
        ],
    )


def _slices(slices: Sequence[MeasuredSlice], names: Mapping[str, str]) -> Iterator[str]:
    models = _first_ours(slices[0].metrics)
    return _table(
        ("", *(model_name(model) for model in models)),
        [
            (
                names[one.name],
                *(
                    with_interval(one.metrics[model]["ndcg@20"])
                    if "ndcg@20" in one.metrics.get(model, {})
                    else "–"
                    for model in models
                ),
            )
            for one in slices
        ],
    )


def _first_ours(models: Mapping[str, object]) -> list[str]:
    """Return the models' names, ours first: JSON keeps no order."""
    return sorted(models, key=lambda name: (name != MODEL, name))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "|".join(["---"] + ["---:" if len(head) > 2 else "---"] * (len(head) - 1)) + "|"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _text(value: str) -> str:
    r"""Return text of a bundle so that it is shown and never obeyed, neither as Markdown nor HTML.

    >>> print(_text("a|b <i>*c*"))
    a\|b \<i\>\*c\*
    """
    return re.sub(r"([\\`*_{}\[\]()#+|<>&~!])", r"\\\1", printable(value))
