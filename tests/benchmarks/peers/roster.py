"""Which models are compared, and the few settings each of them is tuned over.

Every peer gets about as many settings; what its authors recommend is among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from benchmarks.peers.exchange import Setting

EASE_ITEMS: Final = 10_000
"""EASE inverts items x items: 10,000 of them take 0.4 GB and a minute, 30,000 half an hour."""

SASREC_ITEMS: Final = 10_000
"""A list is made by scoring all items with the network; more would not rank in a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One model of one library.

    Attributes:
        name: as the tables have it.
        environment: in which it runs: a lock file of this folder.
        model: ``module:Class`` of `benchmarks.peers.theirs`.
        grid: the settings it is tuned over.
        note: what must be known beside its figures.
    """

    name: str
    environment: str
    model: str
    grid: tuple[Setting, ...]
    note: str = ""


def _als(factors: int, regularization: float, alpha: float, weighting: str) -> Setting:
    return {
        "factors": factors,
        "regularization": regularization,
        "alpha": alpha,
        "weighting": weighting,
    }


def _bpr(factors: int, learning_rate: float, regularization: float, iterations: int) -> Setting:
    return {
        "factors": factors,
        "learning_rate": learning_rate,
        "regularization": regularization,
        "iterations": iterations,
        "weighting": "binary",
    }


def _knn(similarity: str, neighbours: int, weighting: str) -> Setting:
    return {"similarity": similarity, "neighbours": neighbours, "weighting": weighting}


def _ease(regularization: float, weighting: str = "binary") -> Setting:
    return {"regularization": regularization, "weighting": weighting, "items": EASE_ITEMS}


def _sasrec(length: int, learning_rate: float, batch: int) -> Setting:
    return {
        "factors": 64,
        "length": length,
        "learning_rate": learning_rate,
        "batch": batch,
        "items": SASREC_ITEMS,
    }


def _tifu(
    neighbours: int, within_decay: float, group_decay: float, alpha: float, groups: int
) -> Setting:
    return {
        "neighbours": neighbours,
        "within_decay": within_decay,
        "group_decay": group_decay,
        "alpha": alpha,
        "groups": groups,
    }


PEERS: Final = (
    Peer(
        name="implicit ALS",
        environment="implicit",
        model="implicit_models:Als",
        grid=(
            _als(32, 0.01, 1, "count"),
            _als(64, 0.01, 1, "count"),
            _als(64, 1, 10, "log"),
            _als(128, 0.01, 1, "count"),
            _als(128, 1, 10, "log"),
            _als(128, 10, 10, "log"),
            _als(128, 10, 40, "binary"),
            _als(256, 10, 10, "log"),
        ),
    ),
    Peer(
        name="implicit BPR",
        environment="implicit",
        model="implicit_models:Bpr",
        grid=(
            _bpr(64, 0.01, 0.01, 100),
            _bpr(64, 0.05, 0.01, 50),
            _bpr(128, 0.05, 0.001, 50),
            _bpr(128, 0.1, 0.01, 50),
        ),
    ),
    Peer(
        name="implicit item-kNN",
        environment="implicit",
        model="implicit_models:ItemKnn",
        grid=(
            _knn("cosine", 20, "binary"),
            _knn("cosine", 200, "binary"),
            _knn("tfidf", 20, "count"),
            _knn("tfidf", 200, "count"),
            _knn("bm25", 20, "count"),
            _knn("bm25", 200, "count"),
            _knn("bm25", 20, "log"),
            _knn("tfidf", 20, "log"),
        ),
    ),
    Peer(
        name="TIFU-kNN",
        environment="implicit",
        model="tifu_knn:TifuKnn",
        # The first four are the authors' for Ta-Feng, Dunnhumby, ValuedShopper and Instacart.
        grid=(
            _tifu(300, 0.9, 0.7, 0.7, 7),
            _tifu(900, 0.9, 0.6, 0.2, 3),
            _tifu(300, 1.0, 0.6, 0.7, 7),
            _tifu(900, 0.9, 0.7, 0.9, 3),
            _tifu(300, 0.9, 0.9, 0.7, 7),
            _tifu(100, 0.9, 0.7, 0.2, 7),
            _tifu(300, 1.0, 1.0, 0.5, 1),
        ),
        note="written anew after the paper",
    ),
    Peer(
        name="LensKit item-kNN",
        environment="lenskit",
        model="lenskit_models:ItemKnn",
        grid=tuple(
            {"neighbours": neighbours, "saved": saved, "items": items}
            for neighbours, saved in ((5, 200), (20, 200), (20, 500), (50, 500))
            for items in (10**9,)
        ),
        note="at most 500 neighbours of an item are saved",
    ),
    Peer(
        name="LensKit EASE",
        environment="lenskit",
        model="lenskit_models:Ease",
        grid=tuple(
            {"regularization": regularization, "items": EASE_ITEMS}
            for regularization in (100.0, 500.0, 2_000.0, 5_000.0)
        ),
        note=f"over the {EASE_ITEMS:,} most popular items at most; the paper's orientation",
    ),
    Peer(
        name="RecTools EASE",
        environment="rectools",
        model="rectools_models:Ease",
        grid=(
            _ease(500),
            _ease(2_000),
            _ease(500, "log"),
            _ease(5_000, "log"),
        ),
        note=(
            f"over the {EASE_ITEMS:,} most popular items at most; the library scores with the "
            "weights transposed"
        ),
    ),
    Peer(
        name="RecTools SASRec",
        environment="rectools",
        model="sasrec_model:SasRec",
        grid=(
            _sasrec(50, 0.001, 128),
            _sasrec(50, 0.003, 32),
        ),
        note=(
            f"over the {SASREC_ITEMS:,} most popular items at most; training ended after 150 "
            "seconds of one core's time"
        ),
    ),
)
