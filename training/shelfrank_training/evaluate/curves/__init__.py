"""Quality against epsilon, `min_shoppers` and the number of shoppers, so that a shop can choose."""

from __future__ import annotations

from shelfrank_training.evaluate.curves.plan import CurveSettings, Setting
from shelfrank_training.evaluate.curves.result import Curves, Point
from shelfrank_training.evaluate.curves.run import draw_curves

__all__ = ["CurveSettings", "Curves", "Point", "Setting", "draw_curves"]
