"""Find words that a label without epsilon must never use of itself, in any language."""

from __future__ import annotations

import re
from typing import Final

_CLAIM: Final = re.compile(
    r"anonym|anoniem|\bnois|rausch|\bruis|differen[a-zë]*[ _-]priva|priva[a-z]*[ _-]garant"
    r"|\bDP\b|proven|bewiesen|bewezen|100 ?%",
    re.IGNORECASE,
)

# What denies it, word for word. Anything else that names it is taken for a claim.
_DENIALS: Final = (
    "not differential privacy",
    "no differential privacy",
    "keine differential privacy",
    "geen differentiële privacy",
    "no_differential_privacy",
    '"differential_privacy": false',
    "privacy.differential_privacy",  # a row of a table, whose value is tested where it is drawn
    '"noise": []',
)


def claims(text: str) -> list[str]:
    """Return the words of a text that promise more than a threshold does; its denials apart."""
    rest = " ".join(text.split()).casefold()
    for denial in _DENIALS:
        rest = rest.replace(denial.casefold(), "")
    return _CLAIM.findall(rest)
