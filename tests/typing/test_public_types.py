"""What a type checker says to an app that uses the public API, right and wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

APP = """
from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import assert_type

from shelfrank import Candidate, Device, Dropped, Event, Page, RankedItem, Stored, errors, keys
from shelfrank.consent.pending import Pending
from shelfrank.consent.permission import Block
from shelfrank.consent.receipts import Receipt
from shelfrank.rights.own import Exported, Imported, OwnEvent
from shelfrank.types import DropReason, ItemId


def app(folder: Path, now: datetime) -> None:
    with Device.open(
        folder, bundle="shop.shelfrank", trust=b"{}", key=keys.host(bytes(32))
    ) as device:
        assert_type(device, Device)
        notice = device.consent.notice("rank_products", language="nl")
        assert_type(device.consent.grant("rank_products", shown=notice), Receipt)
        assert_type(device.consent.withdraw_all().receipt, Receipt | None)
        assert_type(device.consent.pending(language="nl"), tuple[Pending, ...])
        assert_type(device.consent.why_not("rank_products"), Block | None)
        answer = device.record("view", "sku-17", quantity=2, time=now)
        assert_type(answer, Stored | Dropped)
        if isinstance(answer, Dropped):
            print(answer.reason)
        page = device.rank(["sku-1", Candidate(item_id=ItemId("sku-2"), category="a/b")], k=3)
        assert_type(page, Page)
        assert_type(page[0], RankedItem)
        assert_type(page[:2], tuple[RankedItem, ...])
        assert_type(page[0].why("de", audience="bystander"), str)
        assert_type(page[0].parts, Mapping[str, float])
        for item in page:
            assert_type(item.item_id, ItemId)
        for event in device.history.events("rank_products"):
            assert_type(event, OwnEvent)
            assert_type(device.history.erase_event(event.event_id), int)
        assert_type(device.history.erase_day(now.date(), zone=now.tzinfo or timezone.utc), int)
        assert_type(device.history.export("mine.zip", language="nl", passphrase="x"), Exported)
        done = device.history.import_(folder / "mine.zip")
        assert_type(done, Imported)
        assert_type(done.dropped, Mapping[DropReason, int])
    try:
        Device.erase_at(folder, key=keys.memory())
    except errors.KeyUnavailableError as error:
        assert_type(error.hint, str | None)
"""

WRONG = {
    'device.record("steal", "sku-17")': "arg-type",
    "device.record('view', 17)": "arg-type",
    "device.rank([17])": "list-item",
    "device.history.erase_item(17)": "arg-type",
    "device.history.erase_day('2026-06-01')": "arg-type",
    'device.history.export("mine.zip", language="fr")': "arg-type",
    'device.rank(k="many")': "arg-type",
    'device.consent.notice("rank_products", language="fr")': "arg-type",
    'device.consent.grant("rank_products")': "call-arg",
    "device.rank()[0].score = 1.0": "misc",
    'Device.open("profile")': "call-arg",
    "Candidate(item_id=1)": "arg-type",
}


def check(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("mypy", reason="types are checked with the group `lint`")
    (folder / "app.py").write_text(source)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file="]
    return subprocess.run(  # noqa: S603 - our own interpreter
        [*command, "--cache-dir", str(folder / "cache"), str(folder / "app.py")],
        env={"MYPYPATH": str(ROOT / "sdk"), "PATH": ""},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
def test_an_app_that_is_right_passes_and_each_mistake_is_told(tmp_path: Path) -> None:
    """One run for both: it costs seconds."""
    mistakes = "\n".join(f"    {line}" for line in WRONG)
    first = len(APP.splitlines()) + 3
    source = f"{APP}\n\ndef wrong(device: Device) -> None:\n{mistakes}\n"

    done = check(tmp_path, source)

    told = [line for line in done.stdout.splitlines() if line.startswith("app.py:")]
    errors = [line for line in told if "error:" in line]
    found = {int(line.split(":")[1]): line.rpartition("[")[2].rstrip("]") for line in errors}
    wanted = dict(enumerate(WRONG.values(), start=first + 1))
    assert found == wanted, done.stdout
