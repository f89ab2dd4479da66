"""The table ``outcomes`` with noise: for one shopper of part B more or less.

Part B makes no other table, so the whole budget is its own, and epsilon of the folder is the larger
of the two parts' (parallel composition). The model that ranked is made of what part A published.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shelfrank_training.aggregates import noise
from shelfrank_training.aggregates.budget import OUTCOMES_SPLIT, Account
from shelfrank_training.aggregates.noise import UNIT, Sensitivity
from shelfrank_training.aggregates.private import Disturber
from shelfrank_training.aggregates.publication import Published
from shelfrank_training.aggregates.secret_counts import Keyed
from shelfrank_training.outcomes.cells import INFLUENCE, rows_of_cells

if TYPE_CHECKING:
    from shelfrank_training.aggregates.budget import Target
    from shelfrank_training.aggregates.noise import NoiseSource
    from shelfrank_training.outcomes.cells import Cells


def publish_with_noise(
    cells: Cells,
    target: Target,
    *,
    min_shoppers: int,
    source: NoiseSource = noise.OPENDP,
) -> Published:
    """Let out the cells that show, with noise on every number.

    Args:
        cells: exact.
        target: of part B, and of part A on its own.
        min_shoppers: every row covers at least as many, whatever the noise does.
        source: of noise.

    Raises:
        PrivacyError: the bill exceeds the target.
    """
    account = Account(target, OUTCOMES_SPLIT)
    disturb = Disturber(account, source, min_shoppers)
    enough = np.flatnonzero(cells.shoppers >= min_shoppers)
    rest = (cells.shoppers[enough] - (min_shoppers - 1)) * UNIT
    (shown,), shoppers = disturb.keyed("outcomes", Keyed((enough,), rest), _moved("shoppers"))
    candidates = disturb.known(
        "outcomes.candidates", cells.candidates[shown] * UNIT, _moved("candidates"), least=1
    )
    bought = disturb.known("outcomes.bought", cells.bought[shown] * UNIT, _moved("bought"), least=0)
    account.close()
    return Published(
        rows=rows_of_cells(shown, shoppers, candidates, np.minimum(bought, candidates)),
        n_counted=shown.size,
        noise=account.of_table("outcomes"),
    )


def _moved(column: str) -> Sensitivity:
    influence = INFLUENCE[column]
    return Sensitivity(l0=influence.l0, l2=influence.l2 * UNIT, linf=influence.linf * UNIT)
