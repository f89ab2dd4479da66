"""Ask, record, rank, explain, withdraw: on the demo bundle of a simulated shop, in memory."""

from __future__ import annotations

from shelfrank import testing

with testing.demo_device() as device:
    notice = device.consent.notice("rank_products", language="en")
    print(notice, end="\n\n")  # an app shows it, and a person answers
    device.consent.grant("rank_products", shown=notice)

    device.record("view", "espresso-machine")
    for item in device.rank(k=3):
        print(f"{item.item_id:14} {item.why(language='en')}")

    device.consent.withdraw("rank_products")  # what was kept is erased
    page = device.rank(k=3)
    print(f"\n{page.mode}: {page.mode_reason}")
