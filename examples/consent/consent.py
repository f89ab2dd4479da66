"""The same notice, receipt, overview and journal in three languages, on the demo bundle."""

from __future__ import annotations

import json
import sys

from shelfrank import testing
from shelfrank.types import LANGUAGES

PURPOSE = "rank_products"

with testing.demo_device() as device:
    consent = device.consent
    for language in LANGUAGES:
        notice = consent.notice(PURPOSE, language=language)
        print(f"[{language}] {notice}\n")  # an app shows it, and a person answers

    receipt = consent.grant(PURPOSE, shown=notice)
    device.record("view", "espresso-machine")
    device.rank(k=3)
    consent.pause(PURPOSE)
    if "--record" in sys.argv[1:]:
        print(json.dumps(receipt.as_27560(), indent=2))
    for language in LANGUAGES:
        print(f"[{language}] {receipt.as_text(language)}\n")
        for purpose in consent.overview(language=language):
            print(f"{purpose}\n")

    consent.resume(PURPOSE)
    consent.withdraw(PURPOSE)
    for language in LANGUAGES:
        print(f"[{language}]\n{consent.journal_text(language)}\n")
