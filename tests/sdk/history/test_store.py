from __future__ import annotations

import copy
import os
import pickle  # noqa: TID251 only to see it refused
import subprocess
import sys
import threading
import traceback
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank import keys
from shelfrank.errors import (
    HistoryDamagedError,
    HistoryError,
    HistoryLockedError,
)
from shelfrank.history import database
from shelfrank.history.events import NewEvent, StoredEvent
from shelfrank.history.store import History, Selection
from shelfrank.types import Event, ItemId
from support.histories import RANK, START, Profile, StandingClock, items_of, new_event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CANARY = "canary-4711-geheim"


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return Profile(tmp_path)


@pytest.fixture
def history(profile: Profile) -> Iterator[History]:
    with profile.open() as opened:
        yield opened


def test_opening_and_asking_write_nothing(profile: Profile, history: History) -> None:
    assert history.events(RANK) == ()
    assert len(history) == history.current_visit() == history.generation == history.lost == 0
    assert history.newest_time is None
    assert history.erase(lambda _: True) == 0
    assert history.drop_purpose(RANK) == 0
    assert history.drop_older(RANK, START) == 0
    assert history.append([]) == []
    history.new_visit()

    assert not profile.folder.exists()
    assert not profile.key_path.exists()


def test_what_was_appended_is_returned_and_read_and_survives_reopening(profile: Profile) -> None:
    with profile.open() as history:
        stored = history.append(
            [
                new_event("sku-1", kind="view"),
                new_event("sku-2", minutes=1, kind="purchase", quantity=2.5),
            ]
        )
        assert history.events(RANK) == tuple(stored)

    with profile.open() as history:
        assert history.events(RANK) == tuple(stored)
    assert stored[1] == Event(
        kind="purchase",
        item_id=ItemId("sku-2"),
        time=START + timedelta(minutes=1),
        visit=0,
        order=1,
        quantity=2.5,
    )


@pytest.mark.parametrize("count", [1, 127, 128, 129, 300])
def test_every_number_of_events_survives_in_order(profile: Profile, count: int) -> None:
    items = [f"sku-{number}" for number in range(count)]
    with profile.open() as history:
        history.append([new_event(item, minutes=at) for at, item in enumerate(items[: count // 3])])
        rest = [new_event(item, minutes=at) for at, item in enumerate(items)][count // 3 :]
        history.append(rest)

        assert items_of(history) == items
    with profile.open() as history:
        assert items_of(history) == items
        assert history.damaged == ()


def test_events_are_given_back_in_the_order_they_were_handed_in(history: History) -> None:
    late, early = new_event("late", minutes=5), new_event("early", minutes=1)

    stored = history.append([late, early])

    assert [event.item_id for event in stored] == ["late", "early"]
    assert [event.order for event in stored] == [1, 0]
    assert items_of(history) == ["early", "late"]


def test_visits_go_on_after_reopening(profile: Profile) -> None:
    with profile.open() as history:
        history.append([new_event(minutes=0)])
    with profile.open() as history:
        stored = history.append([new_event(minutes=10), new_event(minutes=50)])

    assert [(event.visit, event.order) for event in stored] == [(0, 1), (1, 0)]


def test_the_app_can_start_a_visit_once(profile: Profile, history: History) -> None:
    history.append([new_event(minutes=0)])
    history.new_visit()
    profile.clock.advance(minutes=1)
    assert history.current_visit() == 1

    stored = history.append([new_event(minutes=1), new_event(minutes=2)])

    assert [(event.visit, event.order) for event in stored] == [(1, 0), (1, 1)]
    assert history.current_visit() == 1


def test_the_current_visit_ends_half_an_hour_after_its_last_event(
    profile: Profile, history: History
) -> None:
    history.append([new_event(minutes=0)])

    profile.clock.advance(minutes=29)
    assert history.current_visit() == 0
    profile.clock.advance(minutes=1)
    assert history.current_visit() == 1


def test_an_event_from_long_ago_joins_the_visit_of_its_time(history: History) -> None:
    history.append([new_event("monday"), new_event("tuesday", minutes=24 * 60)])
    assert items_of(history) == ["monday", "tuesday"]

    stored = history.append([new_event("monday, found later", minutes=120)])

    assert (stored[0].visit, stored[0].order) == (0, 0)
    assert items_of(history) == ["monday", "monday, found later", "tuesday"]
    assert history.append([new_event(minutes=24 * 60 + 1)])[0].visit == 1


def test_an_event_older_than_all_joins_the_oldest_visit(history: History) -> None:
    history.append([new_event(), new_event(minutes=100)])

    stored = history.append([new_event(minutes=-100)])

    assert (stored[0].visit, stored[0].order) == (0, 0)


def test_a_purpose_reads_only_its_own(profile: Profile, history: History) -> None:
    history.append(
        [
            new_event("both", purposes=(RANK, "measure")),
            new_event("rank only", minutes=1),
            new_event("measure only", minutes=2, purposes=("measure",)),
        ]
    )

    assert items_of(history, RANK) == ["both", "rank only"]
    assert items_of(history, "measure") == ["both", "measure only"]
    assert items_of(history, "unknown") == []
    with profile.open() as again:
        assert items_of(again, "measure") == ["both", "measure only"]


def test_an_event_remembers_where_in_the_shop_it_happened(profile: Profile) -> None:
    places = ["", "shop", "kiosk", "shop"] * 40
    with profile.open() as history:
        stored = history.append(
            [new_event(minutes=at, context=place) for at, place in enumerate(places)]
        )
        assert [event.context for event in stored] == places
        assert [event.context for event in history.events(RANK)] == places
    with profile.open() as history:
        assert [event.context for event in history.events(RANK)] == places

        history.erase(lambda event: event.event.context == "kiosk")

        assert history._session.read().head.contexts == ("", "shop")  # type: ignore[union-attr] # it is not empty
        history.append([new_event(minutes=500, context="app")])
        kept = [place for place in places if place != "kiosk"]
        assert [event.context for event in history.events(RANK)] == [*kept, "app"]


def test_more_places_than_the_format_holds_are_refused_and_nothing_is_written(
    history: History,
) -> None:
    with pytest.raises(ValueError, match="17 contexts"):
        history.append([new_event(context=f"place-{number}") for number in range(17)])

    assert len(history) == 0


def test_an_event_goes_with_its_last_purpose(history: History) -> None:
    history.append(
        [new_event("both", purposes=(RANK, "measure")), new_event("rank only", minutes=1)]
    )

    assert history.drop_purpose(RANK) == 1

    assert items_of(history, RANK) == []
    assert items_of(history, "measure") == ["both"]
    assert history.drop_purpose(RANK) == 0
    assert history.drop_purpose("measure") == 1
    assert len(history) == 0


def test_retention_ends_one_purpose_before_a_time(history: History) -> None:
    history.append(
        [
            new_event("old", minutes=0, purposes=(RANK, "measure")),
            new_event("exactly", minutes=10),
            new_event("young", minutes=20),
        ]
    )

    assert history.drop_older(RANK, START + timedelta(minutes=10)) == 0

    assert items_of(history, RANK) == ["exactly", "young"]
    assert items_of(history, "measure") == ["old"]


def test_retention_with_nothing_to_drop_writes_nothing(profile: Profile, history: History) -> None:
    history.append([new_event()])
    before = profile.database.stat().st_mtime_ns, history.generation

    history.drop_older(RANK, START)

    assert (profile.database.stat().st_mtime_ns, history.generation) == before


@pytest.mark.parametrize("count", [5, 300])
def test_erasing_takes_what_matches_and_nothing_else(profile: Profile, count: int) -> None:
    items = [f"sku-{number % 7}" for number in range(count)]
    kept = [item for item in items if item != "sku-3"]
    with profile.open() as history:
        history.append([new_event(item, minutes=at) for at, item in enumerate(items)])

        erased = history.erase(lambda stored: stored.event.item_id == "sku-3")

        assert erased == count - len(kept)
        assert items_of(history) == kept
        history.append([new_event("more", minutes=count)])
    with profile.open() as history:
        assert items_of(history) == [*kept, "more"]
        assert history.damaged == ()


@pytest.mark.parametrize("erased", [range(128, 256), [200], [399]], ids=["block", "one", "tail"])
def test_erasing_from_one_block_leaves_the_others_readable_under_the_new_root(
    profile: Profile, erased: Sequence[int]
) -> None:
    kept = [f"sku-{number}" for number in range(400) if number not in erased]
    with profile.open() as history:
        history.append([new_event(f"sku-{number}", minutes=number) for number in range(400)])

        assert history.erase(lambda stored: int(stored.event.item_id[4:]) in erased) == len(erased)

        assert items_of(history) == kept
    with profile.open() as history:
        assert items_of(history) == kept
        assert history.damaged == ()


def test_erasing_shows_the_purposes_of_each_event(history: History) -> None:
    history.append([new_event(purposes=(RANK, "measure"))])
    seen: list[frozenset[str]] = []

    def look(stored: StoredEvent) -> bool:
        seen.append(stored.purposes)
        return False

    history.erase(look)

    assert set(seen) == {frozenset({RANK, "measure"})}


@pytest.mark.parametrize(
    ("selection", "erased"),
    [
        (Selection(seqs=frozenset({0, 130, 299, 10_000})), {0, 130, 299}),
        (Selection(item_ids=frozenset({ItemId("sku-3"), ItemId("none")})), set(range(3, 300, 7))),
        (Selection(since=START + timedelta(minutes=290)), set(range(290, 300))),
        (Selection(before=START + timedelta(minutes=2)), {0, 1}),
        (
            Selection(
                since=START + timedelta(minutes=100),
                before=START + timedelta(minutes=110),
                item_ids=frozenset({ItemId("sku-3")}),
            ),
            {101, 108},
        ),
        (Selection(seqs=frozenset()), set()),
    ],
    ids=["numbers", "items", "since", "before", "all conditions", "none"],
)
def test_a_selection_erases_what_it_names(
    profile: Profile, selection: Selection, erased: set[int]
) -> None:
    with profile.open() as history:
        history.append([new_event(f"sku-{number % 7}", minutes=number) for number in range(300)])

        assert history.erase_selected(selection) == len(erased)

        kept = [f"sku-{number % 7}" for number in range(300) if number not in erased]
        assert items_of(history) == kept
        assert history.generation == bool(erased)
    with profile.open() as history:
        assert items_of(history) == kept
        assert history.whole


def test_a_selection_of_everything_by_accident_is_refused_and_none_prints_what_it_names() -> None:
    with pytest.raises(ValueError, match="no condition"):
        Selection()

    assert CANARY not in repr(Selection(item_ids=frozenset({ItemId(CANARY)})))


def test_the_time_of_the_newest_event_is_forgotten_with_it(history: History) -> None:
    history.append([new_event("a", minutes=0), new_event("b", minutes=40)])

    history.erase(lambda stored: stored.event.item_id == "b")

    mark = history._session.read().head.mark  # type: ignore[union-attr] # it is not empty
    assert mark is not None
    assert mark.last_at is None
    assert history.append([new_event("c", minutes=41)])[0].visit == 2


def test_nothing_about_the_events_stays_in_an_emptied_head(history: History) -> None:
    history.append([new_event()])

    history.drop_purpose(RANK)

    head = history._session.read().head  # type: ignore[union-attr] # it is not empty
    assert (head.mark, head.purposes, head.live) == (None, (), 0)


def test_the_newest_time_never_goes_back(profile: Profile, history: History) -> None:
    profile.clock.advance(days=10)
    history.append([new_event()])

    profile.clock.advance(days=-20)
    history.append([new_event()])

    assert history.newest_time == START + timedelta(days=10)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (new_event(""), "0 bytes"),
        (new_event("x" * 513), "513 bytes"),
        (new_event("ü" * 257), "514 bytes"),
        (new_event("\udcff" + CANARY), "UTF-8"),
        (new_event(quantity=float("nan")), "finite"),
        (new_event(quantity=1e39), "finite"),
        (new_event(purposes=()), "purpose"),
        (new_event(purposes=("",)), "purpose"),
        (new_event(kind="buy"), "kind"),  # type: ignore[arg-type] # the point
    ],
)
def test_an_event_that_does_not_fit_is_refused_and_nothing_is_written(
    history: History, event: NewEvent, words: str
) -> None:
    history.append([new_event("before")])

    with pytest.raises(ValueError, match=words) as caught:
        history.append([new_event("good"), event])

    assert items_of(history) == ["before"]
    said = "".join(traceback.format_exception(caught.value))
    assert CANARY not in said


@pytest.mark.parametrize("naive", ["time", "stored_time"])
def test_a_naive_time_is_refused(history: History, naive: str) -> None:
    event = replace(new_event(), **{naive: START.replace(tzinfo=None)})  # type: ignore[arg-type] # one of two

    with pytest.raises(ValueError, match="naive"):
        history.append([event])


@pytest.mark.parametrize("item_id", ["0", "00042", "Brötchen/№7", "商品", "a\x00b", "x" * 512])
def test_an_item_id_is_text_and_comes_back_as_it_was(profile: Profile, item_id: str) -> None:
    with profile.open() as history:
        history.append([new_event(item_id)] * 130)
    with profile.open() as history:
        assert items_of(history) == [item_id] * 130


@given(st.lists(st.integers(-3000, 3000), max_size=30))
def test_what_append_returns_is_what_events_return(minutes: list[int]) -> None:
    history = History.in_memory(clock=StandingClock())

    returned = [history.append([new_event(minutes=minute)])[0] for minute in minutes]

    events = history.events(RANK)
    assert sorted(map(hash, returned)) == sorted(map(hash, events))
    assert [(e.visit, e.order) for e in events] == sorted((e.visit, e.order) for e in returned)


def test_two_openings_see_what_the_other_commits(profile: Profile, history: History) -> None:
    with profile.open() as other:
        history.append([new_event("a")])
        assert items_of(other) == ["a"]
        other.append([new_event("b", minutes=1)])
        assert items_of(history) == ["a", "b"]
        history.erase(lambda stored: stored.event.item_id == "a")
        assert items_of(other) == ["b"]
        other.append([new_event("c", minutes=2)])
        assert items_of(history) == ["b", "c"]


def test_threads_may_share_a_history(history: History) -> None:
    def append(name: int) -> None:
        for number in range(10):
            history.append([new_event(f"{name}-{number}")])

    threads = [threading.Thread(target=append, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(items_of(history))) == len(history) == 40


def test_a_history_in_memory_needs_no_files_and_ends_with_destroy() -> None:
    history = History.in_memory(clock=StandingClock())
    history.append([new_event(str(number), minutes=number) for number in range(200)])
    assert len(history) == 200

    history.destroy()

    assert len(history) == 0
    history.append([new_event("anew")])
    assert items_of(history) == ["anew"]


def test_destroying_removes_files_and_key_and_can_be_repeated(profile: Profile) -> None:
    with profile.open() as history:
        history.append([new_event()])

        history.destroy()
        history.destroy()

        assert list(profile.folder.iterdir()) == []
        assert not profile.key_path.exists()
        assert len(history) == 0
        history.append([new_event("anew")])
        assert items_of(history) == ["anew"]


def test_another_process_sees_that_a_history_was_destroyed(profile: Profile) -> None:
    with profile.open() as history, profile.open() as other:
        history.append([new_event()])
        assert len(other) == 1

        history.destroy()

        assert len(other) == 0


def test_files_belong_to_their_owner_alone_whatever_the_umask(profile: Profile) -> None:
    umask = os.umask(0)
    try:
        with profile.open() as history:
            history.append([new_event()])
            modes = {path.name: path.stat().st_mode & 0o777 for path in profile.folder.iterdir()}
    finally:
        os.umask(umask)

    assert modes == dict.fromkeys(["history.db", "history.db-journal", "history.anchor"], 0o600)
    assert profile.folder.stat().st_mode & 0o777 == 0o700
    assert profile.key_path.stat().st_mode & 0o777 == 0o600


def test_every_connection_has_the_settings_of_the_format(profile: Profile) -> None:
    with profile.open() as history:
        history.append([new_event()])
        connection = history._storage.attach().connection  # type: ignore[union-attr] # it is open
        wanted = {
            "journal_mode": "truncate",
            "synchronous": 2,
            "secure_delete": 1,
            "trusted_schema": 0,
            "cell_size_check": 1,
            "fullfsync": 1,
            "checkpoint_fullfsync": 1,
            "temp_store": 2,
            "application_id": int.from_bytes(b"SHFR", "big"),
            "user_version": 1,
        }

        found = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted}

    assert found == wanted


def test_a_closed_history_says_so(history: History) -> None:
    history.append([new_event()])
    history.close()
    history.close()

    for call in (history.__len__, history.current_visit, history.destroy):
        with pytest.raises(HistoryError, match="closed"):
            call()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_history_is_refused_after_a_fork(history: History) -> None:
    history.append([new_event()])
    # In a child of a child of pytest nothing may escape: it says all in its exit code.
    child = os.fork()
    if child == 0:
        code = 1
        try:
            history.append([new_event()])
        except HistoryError as error:
            code = 7 if "fork" in str(error) else 2
        finally:
            os._exit(code)

    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 7
    assert len(history) == 1


def test_a_history_that_another_one_writes_is_locked(
    profile: Profile, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.append([new_event("a")])
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)

    with profile.open() as other:
        with history._storage.attach().writing():  # type: ignore[union-attr] # it is open
            with pytest.raises(HistoryLockedError):
                other.append([new_event("b", minutes=1)])
            assert items_of(other) == ["a"]
        other.append([new_event("c", minutes=1)])
        assert items_of(history) == ["a", "c"]


def test_a_call_from_inside_a_call_is_refused_and_changes_nothing(history: History) -> None:
    history.append([new_event("a")])

    def calls_back(_: StoredEvent) -> bool:
        # The first round looks only; the second runs inside the transaction that erases.
        history.events(RANK)
        return True

    with pytest.raises(HistoryError, match="inside"):
        history.erase(calls_back)

    assert items_of(history) == ["a"]


def test_a_sealed_value_opens_in_its_context_only(profile: Profile) -> None:
    with profile.open() as history:
        sealed = history.sealer.seal(b"choice", b"slot 0")
        assert profile.database.exists()
        assert len(history) == 0

    with profile.open() as history:
        assert history.sealer.open(sealed, b"slot 0") == b"choice"
        with pytest.raises(HistoryDamagedError):
            history.sealer.open(sealed, b"slot 1")


def test_a_sealed_value_outlives_erasing_and_dies_with_the_history(history: History) -> None:
    history.append([new_event()])
    sealed = history.sealer.seal(b"choice", b"")
    history.drop_purpose(RANK)
    assert history.sealer.open(sealed, b"") == b"choice"

    history.destroy()

    with pytest.raises(HistoryDamagedError, match="no longer here"):
        history.sealer.open(sealed, b"")
    history.append([new_event()])
    with pytest.raises(HistoryDamagedError):
        history.sealer.open(sealed, b"")


def test_a_value_can_be_sealed_while_another_process_writes(
    profile: Profile, history: History
) -> None:
    history.append([new_event()])

    database = history._storage.attach()
    assert database is not None
    with profile.open() as other, database.writing():
        assert other.sealer.open(other.sealer.seal(b"no", b""), b"") == b"no"


def test_nothing_that_prints_shows_an_item_or_a_key(profile: Profile, history: History) -> None:
    history.append([new_event(CANARY, minutes=at) for at in range(130)])
    contents = history._session.read()
    assert contents is not None
    record, block, event = contents.tail[0], contents.blocks[0], history.events(RANK)[0]
    stored = StoredEvent(seq=0, event=event, purposes=frozenset({RANK}))
    things = (
        history,
        history.sealer,
        history._session,
        history._storage,
        history._storage.attach(),
        contents,
        contents.keyset,
        record,
        block,
        event,
        stored,
        new_event(CANARY),
        profile.key,
    )

    assert CANARY not in " ".join(f"{thing!r} {thing!s}" for thing in things)
    for holder in (history, profile.key, contents.keyset):
        for leak in (pickle.dumps, copy.copy):
            with pytest.raises(TypeError):
                leak(holder)


def test_importing_the_key_providers_loads_no_cryptography() -> None:
    code = "import shelfrank.keys, sys; print({'cryptography', 'numpy'} & set(sys.modules))"

    run = subprocess.run(  # noqa: S603 our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert run.stdout.strip() == "set()"


def test_the_public_facade_makes_every_provider(tmp_path: Path) -> None:
    providers = [
        keys.host(b"s" * 32),
        keys.host_callbacks(wrap=bytes, unwrap=bytes),
        keys.file(tmp_path / "key"),
        keys.passphrase("correct horse"),
        keys.memory(),
    ]

    names = [provider.name for provider in providers]
    assert names == ["host", "callbacks", "file", "passphrase", "memory"]
    assert [provider.can_destroy for provider in providers] == [False, False, True, False, True]
