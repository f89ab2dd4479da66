"""``shelfrank privacy inventory``: what is kept and what uses it; what nothing uses fails."""

from __future__ import annotations

import json

import pytest

from shelfrank import testing
from shelfrank.consent.policy import Policy
from shelfrank_training.cli.main import run
from shelfrank_training.privacy.inventory import inventory, unused
from shelfrank_training.privacy.uses import uses_of_models
from support.careful_shop import careful_data, careful_policy, careless

QUANTITY = {"name": "quantity", "origin": "observed"}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shelfrank_training.cli.console.stderr.width", 400)
    (tmp_path / "good.toml").write_bytes(careful_policy())
    (tmp_path / "wasteful.toml").write_bytes(careless((("purpose", 0, "field", 4), QUANTITY)))
    (tmp_path / "demo.shelfrank").write_bytes(testing.demo_bundle())
    return tmp_path


def told(*arguments):
    return run(["privacy", "inventory", *arguments])


def test_every_field_of_every_purpose_is_listed_once():
    rows = inventory(Policy.parse(careful_policy()))

    assert [(row.purpose, row.field) for row in rows] == [
        *(
            ("rank_products", name)
            for name in ("item", "kind", "time", "visit", "brand", "context")
        ),
        *(("sort_offers", name) for name in ("item", "kind", "time", "visit")),
    ]
    brand = rows[4]
    assert (brand.origin, brand.categories) == ("declared", ("pd:Preference",))
    assert brand.used_by == ("declared preferences",)
    assert (brand.retention_days, brand.contexts) == (180, ("kiosk", "shop"))
    assert rows[5].used_by == ("who may read the event",)
    assert unused(rows) == ()


@pytest.mark.usefixtures("place")
def test_a_careful_policy_keeps_nothing_for_nothing(capsys):
    assert told("good.toml") == 0

    shown = capsys.readouterr().err
    assert "next, affinity, category, repeat" in shown
    assert "failed" not in shown


@pytest.mark.usefixtures("place")
def test_what_nothing_uses_is_named_and_the_command_fails(capsys):
    assert told("wasteful.toml") == 1
    assert "rank_products keeps quantity, and nothing uses it" in capsys.readouterr().err

    assert told("wasteful.toml", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["unused"] == ["rank_products.quantity"]
    assert (found["bundle"], len(found["kept"])) == (None, 10)


@pytest.mark.usefixtures("place")
def test_with_a_bundle_the_stricter_policy_and_the_real_graph_count(capsys):
    assert told("good.toml", "demo.shelfrank", "--json") == 0

    found = json.loads(capsys.readouterr().out)
    assert found["bundle"] == "demo.shelfrank"
    # The bundle's policy has one purpose, the careful one two: the stricter of both has one.
    assert {row["purpose"] for row in found["kept"]} == {"rank_products"}
    assert {row["field"] for row in found["kept"]} == {"item", "kind", "time", "visit"}


def test_how_many_is_needless_where_nothing_can_be_several(monkeypatch):
    def as_if_quantities_counted():
        return uses_of_models() | {"quantity": ("repeat",)}

    monkeypatch.setattr(
        "shelfrank_training.privacy.inventory.uses_of_models", as_if_quantities_counted
    )
    both = careless(
        (("purpose", 0, "field", 4), QUANTITY),
        (("purpose", 1, "field"), [*careful_data()["purpose"][1]["field"], QUANTITY]),
    )

    # Purchases have quantities, likes have none.
    assert [row.purpose for row in unused(inventory(Policy.parse(both)))] == ["sort_offers"]
