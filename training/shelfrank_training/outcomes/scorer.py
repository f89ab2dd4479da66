"""The provisional model as a device has it, and what it says of one shopper after the other.

Nothing about a shopper is written anywhere: the model is made of published numbers alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from shelfrank_training.errors import ExportError
from shelfrank_training.evaluate.histories import keep_all, record
from shelfrank_training.evaluate.shipped import open_model, rules_of
from shelfrank_training.export.folder import model_files
from shelfrank_training.outcomes.buckets import PARTS, cells_of
from shelfrank_training.outcomes.cells import Contribution
from shelfrank_training.outcomes.moments import half_of, questions
from shelfrank_training.progress import Silent
from shelfrank_training.train import catalog_rows, fit_and_export

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from shelfrank import Ranker
    from shelfrank.consent.policy import Policy
    from shelfrank_training.aggregates.folder import Aggregates
    from shelfrank_training.evaluate.histories import DeviceRules, SourceEvent
    from shelfrank_training.events import CatalogTable
    from shelfrank_training.outcomes.moments import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """Puts shoppers' moments to a model that went through the device's own verification.

    Attributes:
        ranker: over the verified bundle.
        rules: what a device does to histories.
        salt: of the hashes that choose moments and items.
    """

    ranker: Ranker
    rules: DeviceRules
    salt: str

    @classmethod
    def fit(
        cls, found: Aggregates, catalog: CatalogTable, *, policy: Policy | None, salt: str
    ) -> Scorer:
        """Fit the parts on published numbers, export, sign, verify.

        Args:
            found: of part A, with at least one item.
            catalog: of the same run.
            policy: what a device may store; None stores everything.
            salt: see `Scorer`.

        Raises:
            UnknownPurposeError: the policy does not allow ranking at all.
            ParityError: graph and estimators disagree.
            BundleError: a device would not accept the model.
        """
        rows, _ = catalog_rows(found, catalog)
        blend, exported = fit_and_export(found, rows, progress=Silent())
        if blend.part_names != PARTS:
            raise ExportError(f"the model has the parts {blend.part_names}, wanted {PARTS}")
        with TemporaryDirectory(prefix="shelfrank-") as place:
            for name, data in model_files(blend, exported, found, rows, policy=None).items():
                (Path(place) / name).write_bytes(data)
            ranker, _ = open_model(Path(place), now=found.info.time_to)
        rules = keep_all() if policy is None else rules_of(policy, ranker.catalog)
        return cls(ranker=ranker, rules=rules, salt=salt)

    def contribution(self, shopper_id: str, source: Sequence[SourceEvent]) -> Contribution:
        """Return what one shopper adds; nothing where there is no moment to ask about.

        Args:
            shopper_id: whose.
            source: the shopper's rows in order of time.
        """
        catalog = self.ranker.catalog
        asked = questions(
            shopper_id,
            source,
            record(source, self.rules),
            catalog.index_of,
            n_items=catalog.n_items,
            salt=self.salt,
        )
        half = half_of(shopper_id, salt=self.salt)
        cells = [
            np.zeros(0, dtype=np.int64),
            *(self.cells(question, half=half) for question in asked),
        ]
        bought = [np.zeros(0, dtype=np.bool_), *(question.bought for question in asked)]
        return Contribution.of(np.concatenate(cells), np.concatenate(bought))

    def cells(self, question: Question, *, half: int) -> npt.NDArray[np.int64]:
        """Return the cell of each candidate: int64, shape (C,).

        Args:
            question: of one shopper.
            half: of part B that the shopper is in.
        """
        scores = self.ranker.scores(
            question.history,
            now=question.now,
            candidates=question.candidates,
            in_visit=question.in_visit,
        )
        return cells_of(self.situation(question), scores.parts, half=half)

    def situation(self, question: Question) -> int:
        """Return what the graph is told (`shelfrank.ranking.session.GraphInputs.situation`)."""
        index_of = self.ranker.catalog.index_of
        if all(index_of(event.item_id) is None for event in question.history):
            return 0
        return 2 if question.in_visit else 1
