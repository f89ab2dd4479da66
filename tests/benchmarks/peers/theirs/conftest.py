"""What needs a peer's own environment is not collected in ours."""

from __future__ import annotations

collect_ignore = [
    "implicit_models.py",
    "lenskit_models.py",
    "rectools_models.py",
    "sasrec_model.py",
]
