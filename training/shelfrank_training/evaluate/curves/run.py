"""Make every model, measure all on the same shoppers, state shares with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shelfrank_training.errors import DataError
from shelfrank_training.evaluate.baselines import Popularity
from shelfrank_training.evaluate.curves.counting import Training, delta_for, draw, open_training
from shelfrank_training.evaluate.curves.measuring import METRICS, Draw, Sample, measure, ship
from shelfrank_training.evaluate.curves.plan import MAX_EVENTS, UNPROTECTED, Batch, batches
from shelfrank_training.evaluate.curves.result import Curves, Figures, Point
from shelfrank_training.evaluate.curves.shares import Mean, Resampled
from shelfrank_training.evaluate.histories import keep_all
from shelfrank_training.evaluate.protocol import Universe
from shelfrank_training.evaluate.run import Settings, collect
from shelfrank_training.evaluate.shipped import rules_of
from shelfrank_training.evaluate.source import open_shoppers
from shelfrank_training.evaluate.tally import SCOPES
from shelfrank_training.events import Holdout
from shelfrank_training.events.columns import EVENTS
from shelfrank_training.events.files import open_source
from shelfrank_training.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from shelfrank_training.aggregates import Aggregates
    from shelfrank_training.evaluate.curves.measuring import Values
    from shelfrank_training.evaluate.curves.plan import CurveSettings, Setting
    from shelfrank_training.evaluate.evaluation import LeftOut
    from shelfrank_training.evaluate.histories import DeviceRules
    from shelfrank_training.evaluate.tally import Scope
    from shelfrank_training.progress import Progress


def draw_curves(
    events: Path, catalog: Path, settings: CurveSettings, *, progress: Progress | None = None
) -> Curves:
    """Make models under every protection and measure all of them on the shoppers kept out.

    Args:
        events: Parquet or CSV.
        catalog: Parquet or CSV.
        settings: what is drawn.
        progress: who hears about the long steps.

    Returns:
        Every point, the unprotected model first.

    Raises:
        DataError: an input does not keep the contract, nobody counts, or the unprotected model
            finds nothing, so that there is nothing to have a share of.
        PrivacyError: epsilon or delta promise nothing, or the policy cannot be kept.
    """
    progress = progress or Silent()
    rng = np.random.default_rng(settings.seed)
    with open_training(events, catalog, settings, progress=progress) as training:
        with progress.stage("make the model without protection"):
            bare = _unprotected(training, settings)
            universe = _universe(bare)
            shipped = ship(bare, training.catalog, universe, now=settings.cutoff)
        rules = (
            keep_all() if settings.policy is None else rules_of(settings.policy, shipped.catalog)
        )
        sample, left_out = _sample(events, universe, rules, settings, progress)
        with progress.stage("measure it"):
            popularity = sample.measure({"": Popularity(universe)})[""]
            found = {UNPROTECTED: [measure(bare, training.catalog, sample, now=settings.cutoff)]}
        max_items = bare.info.max_items
        del bare  # Gigabytes, with all pairs of 300,000 shoppers.
        planned, notes = _planned(training, settings)
        total = sum(times for batch in planned for _, times in batch.models)
        made = _models(training, planned, settings, rng)
        for setting, aggregates in progress.track(made, description="other models", total=total):
            one = measure(aggregates, training.catalog, sample, now=settings.cutoff)
            found.setdefault(setting, []).append(one)
        n_shoppers = training.n_shoppers
    with progress.stage("bootstrap over shoppers and noise"):
        figures = _Figures(sample, found[UNPROTECTED][0].model, settings, rng)
        points = tuple(
            figures.point(setting, draws, n_shoppers) for setting, draws in found.items()
        )
    return Curves(
        points=points,
        popularity=figures.share(popularity),
        measured=figures.measured,
        n_shoppers=n_shoppers,
        n_items=universe.n_items,
        min_shoppers=settings.min_shoppers,
        left_out=left_out,
        device_rules=rules.stated,
        events=events.name,
        cutoff=settings.cutoff,
        holdout=settings.holdout,
        max_items=max_items,
        n_resamples=settings.n_resamples,
        seed=settings.seed,
        notes=notes,
    )


def _unprotected(training: Training, settings: CurveSettings) -> Aggregates:
    everybody = np.ones(training.n_shoppers, dtype=np.int64)
    with training.drawn(everybody) as shoppers:
        found = shoppers.release(UNPROTECTED, delta=settings.delta)
    if found is None:
        raise DataError(f"none of the items of {training.n_shoppers} shoppers can be counted")
    return found


def _universe(found: Aggregates) -> Universe:
    items = found.table("items")
    return Universe.of(
        dict(zip(items["item_id"].to_pylist(), items["weight"].to_pylist(), strict=True))
    )


def _sample(
    events: Path,
    universe: Universe,
    rules: DeviceRules,
    settings: CurveSettings,
    progress: Progress,
) -> tuple[Sample, LeftOut]:
    """Return what is asked of every model, and who and what does not count."""
    sample = Sample(universe)
    columns = settings.columns.within(open_source(events).schema.names, EVENTS)
    with open_shoppers(events, columns, settings.holdout) as kept_out:
        n_kept_out = kept_out.n_shoppers
    # The hash that keeps shoppers out also orders them: those of a smaller share are among them.
    share = settings.holdout.share * min(1.0, settings.max_measured / max(1, n_kept_out))
    measured = Holdout(share=share, salt=settings.holdout.salt)
    with open_shoppers(events, columns, measured) as shoppers:
        rows = progress.track(shoppers, description="read", total=shoppers.n_shoppers)
        left_out = collect(sample, rows, rules, Settings(cutoff=settings.cutoff))
    if not sample.shoppers:
        raise DataError(
            f"no shopper is left to measure: of {shoppers.n_shoppers} kept out, none has an event "
            f"before {settings.cutoff:%Y-%m-%d %H:%M} UTC and a known item after",
            hint="check --cutoff against the times of EVENTS, or raise --holdout",
        )
    return sample, left_out


def _planned(training: Training, settings: CurveSettings) -> tuple[list[Batch], tuple[str, ...]]:
    """Return what is made besides the unprotected model, and what is not and why."""
    planned, notes = [], {}
    for batch in batches(settings):
        n_events = training.n_events * batch.multiple
        if batch.multiple > 1 and n_events > MAX_EVENTS:
            notes[batch.multiple] = (
                f"{batch.multiple:g} times as many shoppers were not drawn: {n_events:,.0f} events "
                f"are more than {MAX_EVENTS:,}"
            )
        elif round(training.n_shoppers * batch.multiple) < 1:
            notes[batch.multiple] = (
                f"{batch.multiple:g} of {training.n_shoppers} shoppers are nobody"
            )
        else:
            planned.append(batch)
    return planned, tuple(notes.values())


def _models(
    training: Training,
    planned: Sequence[Batch],
    settings: CurveSettings,
    rng: np.random.Generator,
) -> Iterator[tuple[Setting, Aggregates | None]]:
    for batch in planned:
        n = round(training.n_shoppers * batch.multiple)
        with training.drawn(draw(rng, training.n_shoppers, n)) as shoppers:
            for setting, times in batch.models:
                for _ in range(times):
                    yield setting, shoppers.release(setting, delta=settings.delta)


class _Figures:
    """Turns measured models into points."""

    def __init__(
        self,
        sample: Sample,
        reference: Values,
        settings: CurveSettings,
        rng: np.random.Generator,
    ) -> None:
        present = sample.present()
        self.measured: dict[Scope, int] = {scope: int(present[scope].sum()) for scope in SCOPES}
        self._settings = settings
        self._resampled = {
            scope: Resampled(present[scope], rng=rng, n_resamples=settings.n_resamples)
            for scope in SCOPES
            if self.measured[scope]
        }
        self._once = np.ones((settings.n_resamples, 1))
        self._reference = self._means([reference], self._once)
        if not self._reference[self._first][METRICS[0]].value > 0:
            raise DataError(
                "the model without protection foresees nothing of what the shoppers took, so "
                "there is nothing to have a share of",
                hint="check --cutoff, or measure more shoppers",
            )

    @property
    def _first(self) -> Scope:
        return next(scope for scope in reversed(SCOPES) if scope in self._resampled)

    def point(self, setting: Setting, draws: Sequence[Draw], n_shoppers: int) -> Point:
        """Return one kind of model with intervals over shoppers and draws."""
        n = round(n_shoppers * setting.multiple)
        noise = self._once if len(draws) == 1 else self._noise(len(draws))
        quality = self._means([one.model for one in draws], noise)
        share = self._shares(quality)
        popularity = self._shares(self._means([one.popularity for one in draws], noise))
        ahead = {
            scope: {name: of.minus(popularity[scope][name]) for name, of in row.items()}
            for scope, row in share.items()
        }
        return Point(
            setting=setting,
            n_shoppers=n,
            delta=None if setting.epsilon is None else delta_for(self._settings.delta, n),
            draws=len(draws),
            n_items=float(np.mean([one.n_items for one in draws])),
            n_pairs=float(np.mean([one.n_pairs for one in draws])),
            quality=_estimates(quality),
            share=_estimates(share),
            popularity=_estimates(popularity),
            ahead=_estimates(ahead),
        )

    def share(self, values: Values) -> Figures:
        """Return what one model without noise reaches of the reference."""
        return _estimates(self._shares(self._means([values], self._once)))

    def _noise(self, n_draws: int) -> npt.NDArray[np.float64]:
        return next(iter(self._resampled.values())).noise(n_draws)

    def _means(
        self, draws: Sequence[Values], noise: npt.NDArray[np.float64]
    ) -> dict[Scope, dict[str, Mean]]:
        return {
            scope: {
                name: resampled.mean([values[scope][row] for values in draws], noise)
                for row, name in enumerate(METRICS)
            }
            for scope, resampled in self._resampled.items()
        }

    def _shares(self, means: Mapping[Scope, Mapping[str, Mean]]) -> dict[Scope, dict[str, Mean]]:
        return {
            scope: {
                name: of.share_of(self._reference[scope][name])
                for name, of in row.items()
                if self._reference[scope][name].value > 0
            }
            for scope, row in means.items()
        }


def _estimates(means: Mapping[Scope, Mapping[str, Mean]]) -> Figures:
    return {
        scope: {name: of.estimate() for name, of in row.items()} for scope, row in means.items()
    }
