"""A label is written from what was done, and a model folder that was edited is not published."""

from __future__ import annotations

import json
from dataclasses import replace

import pyarrow as pa
import pytest

from shelfrank.bundle.archive import read_members
from shelfrank.bundle.label import Label
from shelfrank.bundle.label_truth import LEVELS
from shelfrank.bundle.manifest import GRAPH_INPUTS
from shelfrank.bundle.verify import verify_bundle
from shelfrank.errors import BundleError, LabelError
from shelfrank.types import LANGUAGES
from shelfrank_training.aggregates.folder import KEYS, parquet_bytes, schema
from shelfrank_training.aggregates.info import parse_info
from shelfrank_training.errors import PublishError
from shelfrank_training.publish.build import build_bundle, sign_bundle
from shelfrank_training.publish.label import NEVER_HELD, label_bytes, make_label
from shelfrank_training.publish.labelling import digest, facts_bytes
from support import corner_shop
from support.claims import claims
from support.home import policy as shop_policy
from support.labels import BUNDLE, MODEL, edited, facts, noisy_facts
from support.markdown import REPOSITORY
from support.publisher import ALICE, NOW, YEAR, Publisher
from support.shopper import policy
from support.tiny_model import FACTS, write_model_folder


def made(info=None, **more):
    return make_label(info or facts(), **{"model": MODEL, "bundle": BUNDLE, **more})


# --- What it says ---


def test_a_label_has_all_that_is_known():
    label = made(policy=policy())

    assert label["bundle"] == {
        "name": "shop-14",
        "version": 3,
        "created": "2026-01-01T00:00:00Z",
        "valid_until": "2027-01-01T00:00:00Z",
    }
    assert label["controller"] == {"name": "Corner Shop", "contact": "privacy@shop.example"}
    assert label["sources"] == [
        {
            "events": "events.parquet",
            "catalog": "catalog.parquet",
            "from": "2025-01-01T00:00:00Z",
            "to": "2026-01-01T00:00:00Z",
            "shoppers": 12_345,
            "shoppers_exact": True,
        }
    ]
    assert label["excluded"]["categories"] == ["drug/baby", "spirits"]
    assert (label["excluded"]["items"], label["excluded"]["events"]) == (7, 812)
    assert label["aggregates"][1] == {
        "table": "pairs",
        "unit": "distinct shoppers",
        "min_shoppers": 50,
        "rows": 1597,
        "suppressed_share": 0.25,
        "rows_per_shopper": 100,
        "noise": [],
    }
    assert label["contribution_bounds"] == {
        "items": 100,
        "visits": 200,
        "steps_apart": 20,
        "count_per_row": 1,
    }
    assert label["runtime"]["network"] == "none"


def test_what_is_not_known_is_not_stated():
    text = label_bytes(made()).decode()

    for unknown in ("first_party", "minors", "quality", "attacks", "previous", "legal_basis"):
        assert unknown not in text
    assert made()["controller"] is None
    assert "on which legal basis the events were collected is not known here" in text


def test_what_identifies_a_choice_of_shoppers_or_a_table_stays_at_home():
    text = label_bytes(made()).decode()

    assert "salt-that-stays-at-home" not in text
    assert "1" * 64 not in text


def test_without_epsilon_it_denies_differential_privacy_and_claims_nothing():
    label = made()
    privacy = label["privacy"]

    assert (privacy["mechanism"], privacy["differential_privacy"]) == ("threshold", False)
    assert privacy["statement"].startswith("No differential privacy")
    assert (privacy["epsilon"], privacy["delta"]) == (None, None)
    for promised in ("adjacency", "accountant", "covers", "floating_point_safe"):
        assert promised not in privacy
    assert claims(label_bytes(label).decode()) == []


def test_with_epsilon_it_says_all_that_the_promise_depends_on():
    info = noisy_facts()
    privacy = made(info)["privacy"]

    assert (privacy["model"], privacy["unit"]) == ("central", "shopper")
    assert privacy["adjacency"] == "add_or_remove_one"
    assert (privacy["mechanism"], privacy["differential_privacy"]) == ("gaussian_threshold", True)
    assert (privacy["epsilon"], privacy["delta"]) == (info.epsilon, 1e-6)
    assert (privacy["accountant"], privacy["implementation"]) == ("zCDP", "OpenDP 0.14.0")
    assert privacy["floating_point_safe"] is True
    assert privacy["sampling_amplification"] is False
    assert privacy["ledger"]["releases"] == 2
    assert "model.onnx" in privacy["covers"]
    assert "statement" not in privacy
    assert made(info)["aggregates"][0]["noise"][0]["rho"] == 0.01


def test_with_epsilon_no_exact_fact_about_the_events_is_stated():
    label = made(noisy_facts())

    assert label["excluded"]["events"] is None
    assert label["sources"][0]["shoppers_exact"] is False
    assert {table["suppressed_share"] for table in label["aggregates"]} == {None}


def test_with_epsilon_the_bounds_are_those_of_the_noise():
    info = noisy_facts()
    items = replace(info.tables["items"], max_rows_per_shopper=1000)

    bounds = made(replace(info, tables={"items": items}))["contribution_bounds"]

    assert bounds == {"items": 1000, "count_per_row": 1}


def test_unprotected_numbers_have_no_model_of_privacy_unless_there_is_epsilon():
    assert made(facts(min_shoppers=5, unprotected=True))["privacy"]["model"] == "none"
    assert made(noisy_facts(min_shoppers=5, unprotected=True))["privacy"]["model"] == "central"


def test_limitations_follow_from_what_was_done():
    plain, noisy = made()["limitations"], made(noisy_facts(ledger=None))["limitations"]
    blind = made(facts(has_categories=False, excluded_categories=()))["limitations"]

    assert "25% of the pairs of items were too rare to keep: rare tastes" in " ".join(plain)
    assert "two bundles, can point at few shoppers" in " ".join(plain)
    assert "nothing could be learned from next: no row was published" in noisy
    assert "what several bundles tell together is not bounded here" in " ".join(noisy)
    assert "ranked as any new item" in " ".join(blind)


def test_every_part_of_the_model_and_every_input_has_words():
    model = replace(
        MODEL,
        parts=corner_shop.blend().part_names,
        inputs=tuple(spec.name for spec in GRAPH_INPUTS),
    )
    label = made(model=model)

    assert [entry["input"] for entry in label["model"]["inputs_on_device"]] == list(model.inputs)
    assert set(label["main_parameters"]) == set(LANGUAGES)
    assert {len(texts) for texts in label["main_parameters"].values()} == {len(model.parts)}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"model": replace(MODEL, parts=("horoscope",))}, "part horoscope"),
        ({"model": replace(MODEL, inputs=("location",))}, "input location"),
        ({"info": noisy_facts(mechanism="magic")}, "mechanism magic"),
    ],
)
def test_what_there_are_no_true_words_for_is_not_labelled(wrong, words):
    with pytest.raises(PublishError, match=words):
        made(**wrong)


def test_no_table_has_room_for_what_the_label_says_is_never_held():
    columns = {name for table in KEYS for name in schema(table).names}

    assert not columns & {name.replace(" ", "_").replace("-", "_") for name in NEVER_HELD}
    assert not any("shopper_id" in name for name in columns)


def test_the_facts_are_read_back():
    for info in (facts(), noisy_facts()):
        assert parse_info(json.loads(facts_bytes(info))) == info


def test_facts_without_a_word_on_categories_are_damaged():
    found = json.loads(facts_bytes(facts()))
    del found["excluded"]["categories"]

    with pytest.raises(KeyError):
        parse_info(found)


def test_the_page_on_the_format_names_all_that_a_label_states():
    page = (REPOSITORY / "sdk/docs/bundle-format.md").read_text(encoding="utf-8")
    section = page.partition("## 8. Privacy label")[2].partition("## 9.")[0]
    label = made(policy=policy()) | {"privacy": made(noisy_facts())["privacy"]}
    first = {**label["privacy"], **label["sources"][0], **label["excluded"], **label["model"]}
    noise = made(noisy_facts())["aggregates"][0]["noise"][0]

    named = [
        *label,
        *first,
        *label["contribution_bounds"],
        *label["aggregates"][0],
        *noise,
        *LEVELS,
    ]
    assert [name for name in named if f"`{name}`" not in section] == []


# --- What is published ---


@pytest.fixture
def folder(tmp_path):
    return write_model_folder(tmp_path / "model")


def build(folder):
    return build_bundle(
        folder,
        name="shop-14",
        version=7,
        issued_at=NOW,
        expires=NOW + YEAR,
        root=Publisher().trust,
    )


def edit(folder, name, *path_and_value):
    path = folder / name
    path.write_bytes(edited(path.read_bytes(), *path_and_value))


def test_the_bundle_s_label_is_made_for_it(folder):
    signed = sign_bundle(build(folder), ALICE.bundle[0])
    verified = verify_bundle(signed, trust=Publisher().trust, now=NOW)

    assert verified.label.bundle is not None
    assert (verified.label.bundle.version, verified.label.bundle.created) == (7, NOW)
    assert verified.label.model is not None
    assert verified.label.model.sha256 == digest(verified.model)


def test_who_answers_comes_from_the_policy_that_travels(folder):
    (folder / "policy.toml").write_bytes(shop_policy())

    label = json.loads(read_members(build(folder))["label.json"])

    assert label["controller"]["name"] == "Corner Shop"


@pytest.mark.parametrize(
    ("edits", "what"),
    [
        ([("privacy", "min_shoppers", 60)], "contradicts itself: "),
        ([("privacy", "min_shoppers", 40)], "another min_shoppers"),
        ([("sources", 0, "shoppers", 99_999)], "another sources"),
        (
            [
                ("policy", {"id": "good", "version": 1}),
                ("warnings", [{"code": "no_differential_privacy"}]),
                ("excluded", "categories", ["health"]),
            ],
            "another policy",
        ),
        ([("model", "sha256", "0" * 64)], "another model"),
    ],
)
def test_a_label_edited_by_hand_is_not_published(folder, edits, what):
    build(folder)
    if "contradicts" in what:
        folder_with_tables(folder)
    for change in edits:
        edit(folder, "label.json", *change)

    with pytest.raises((PublishError, BundleError), match=what):
        build(folder)


def folder_with_tables(folder):
    """Give the folder's label one table, over as many shoppers as it says."""
    table = make_label(facts())["aggregates"][0]
    edit(folder, "label.json", "aggregates", [table])


def test_words_added_to_a_label_by_hand_are_not_published(folder):
    edit(folder, "label.json", "statement", "100 % anonymous")

    assert b"anonymous" not in read_members(build(folder))["label.json"]


def test_facts_edited_by_hand_are_not_published(folder):
    edit(folder, "provenance.json", "min_shoppers", 60)

    with pytest.raises(PublishError, match=r"provenance\.json has SHA-256") as caught:
        build(folder)
    assert caught.value.hint == "what the aggregates said was changed after training; train again"


def with_facts(folder, **changes):
    """Change the facts, and everything that follows from them, as only a liar would."""
    kept = facts_bytes(replace(FACTS, **changes))
    (folder / "provenance.json").write_bytes(kept)
    edit(folder, "model.json", "provenance_sha256", digest(kept))
    label = Label.parse((folder / "label.json").read_bytes())
    (folder / "label.json").write_bytes(
        label_bytes(make_label(replace(FACTS, **changes), model=label.model))
    )


def test_even_a_consistent_lie_is_held_against_the_published_numbers(folder):
    with_facts(folder, min_shoppers=49)
    build(folder)
    with_facts(folder, min_shoppers=51)

    with pytest.raises(PublishError, match=r"items\.parquet has a number over 50 shoppers, .* 51"):
        build(folder)


def test_with_epsilon_the_numbers_carry_noise_and_show_no_group_s_size(folder):
    table = pa.table({"item_id": ["a"], "shoppers": [3]})
    (folder / "items.parquet").write_bytes(parquet_bytes(table))
    noisy = noisy_facts(policy=None, excluded_categories=())
    with_facts(folder, **{name: getattr(noisy, name) for name in noisy.__slots__})

    build(folder)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("items.parquet", b"PAR1", "is not the table of items"),
        ("provenance.json", b"{}", "SHA-256"),
    ],
)
def test_a_damaged_file_is_named(folder, name, data, words):
    (folder / name).write_bytes(data)

    with pytest.raises(PublishError, match=words):
        build(folder)


def test_facts_that_are_none_are_named(folder):
    (folder / "provenance.json").write_bytes(b"{}")
    edit(folder, "model.json", "provenance_sha256", digest(b"{}"))

    with pytest.raises(PublishError, match=r"provenance\.json is damaged"):
        build(folder)


def test_a_catalog_with_a_category_that_was_left_out_is_not_published(folder):
    with_facts(folder, policy=("corner-shop", 3), excluded_categories=("dairy",))

    with pytest.raises(PublishError, match="dairy/milk was left out, the catalog has it"):
        build(folder)


def test_a_policy_that_its_own_bundle_does_not_keep_is_not_published(folder):
    (folder / "policy.toml").write_bytes(shop_policy(min_shoppers=50))
    build(folder)
    (folder / "policy.toml").write_bytes(shop_policy(min_shoppers=51))

    with pytest.raises(LabelError, match="at least 50 shoppers, the policy wants 51"):
        build(folder)


def test_a_threshold_with_an_epsilon_cannot_be_written():
    with pytest.raises(PublishError, match="no words for the mechanism threshold"):
        made(facts(epsilon=0.1, delta=1e-6))


# --- The time of day ---


def by_daypart(rows):
    table = replace(facts().tables["items"], rows=rows)
    return facts(zone="Europe/Amsterdam", tables={**facts().tables, "dayparts": table})


def words_on_dayparts(info):
    label = made(info, model=replace(MODEL, inputs=("daypart",)))
    return label["model"]["inputs_on_device"][0], label["main_parameters"]["en"][0]


def test_that_a_model_reads_the_time_of_day_is_said_where_it_does():
    told, ranks = words_on_dayparts(by_daypart(rows=5))

    assert told == {
        "input": "daypart",
        "from": "the device's clock: night, morning, afternoon or evening",
        "purpose": None,
        "neutral": "-1, unknown",
    }
    assert ranks == "what many shoppers took lately at this time of the day"


@pytest.mark.parametrize("info", [facts(), by_daypart(rows=0)], ids=["not counted", "no row"])
def test_that_a_model_does_not_read_the_time_of_day_is_said_where_it_does_not(info):
    told, ranks = words_on_dayparts(info)

    assert told["from"] == "not read"
    assert ranks == "what many shoppers took lately"


def test_the_label_of_a_bundle_says_of_its_graph_whether_the_daypart_is_read():
    for bundle, read in (
        (corner_shop.bundle_bytes(), False),
        (corner_shop.bundle_bytes(by_daypart=True), True),
    ):
        label = json.loads(read_members(bundle)["label.json"])
        inputs = {entry["input"]: entry["from"] for entry in label["model"]["inputs_on_device"]}
        assert (inputs["daypart"] != "not read") is read
