"""``shelfrank privacy check``: each rule fails a policy on purpose; a careful one passes all."""

from __future__ import annotations

import json
from datetime import date, timedelta
from importlib import resources

import pytest

from shelfrank.consent.policy import Policy
from shelfrank.consent.presets import load_preset, preset_ids
from shelfrank_training.cli.main import run
from shelfrank_training.errors import DataError
from shelfrank_training.privacy.check import RULES, check
from support.careful_shop import TODAY, careful_data, careful_policy, careless
from support.shopper import to_toml

HEAD, SENSITIVE = ("policy",), ("sensitive",)
FIRST, SECOND = ("purpose", 0), ("purpose", 1)
PURPOSE, OTHER = careful_data()["purpose"]
DE, NL, EN = ((*FIRST, "text", language) for language in ("de", "nl", "en"))


def outcomes(data, **how):
    return {judged.rule.id: judged.outcome for judged in check(data, on=TODAY, **how).rules}


BROKEN = {
    "readable": [
        ((*HEAD, "version"), 0),
        ((*FIRST, "colour"), "red"),
        ((*FIRST, "retention"), "a while"),
        (FIRST, "no table"),
        (("purpose",), None),
    ],
    "controller": [
        ((*HEAD, "controller"), None),
        ((*HEAD, "controller", "name"), "TODO"),
        ((*HEAD, "controller", "contact"), "..."),
        ((*HEAD, "controller", "contact"), "ask the manager"),
    ],
    "apart": [(SECOND, {**OTHER, "area": "sales", "use_case": "Product Ranking"})],
    "own-data": [
        ((*FIRST, "field", 0, "origin"), "third_party"),
        ((*FIRST, "field", 0, "origin"), "inferred"),
        ((*FIRST, "field", 0, "origin"), None),
        ((*FIRST, "recipients"), ["An Ad Firm"]),
        ((*FIRST, "place"), "leaves_device"),
        ((*DE, "short"), "Unsere Partner erfahren es {retention_days} Tage lang."),
    ],
    "no-location": [
        ((*FIRST, "field", 4, "name"), "location"),
        ((*FIRST, "gps"), True),
        ((*HEAD, "contexts"), ["kiosk", "shop", "geofence"]),
        ((*DE, "short"), "Wir merken uns {retention_days} Tage Ihren Standort."),
        ((*NL, "short"), "Wij onthouden {retention_days} dagen je locatie."),
        ((*EN, "short"), "We keep your location for {retention_days} days."),
    ],
    "no-push": [
        ((*FIRST, "surfaces"), ["products", "push"]),
        ((*FIRST, "notifications"), "daily"),
        ((*DE, "benefit"), "Sie bekommen passende Benachrichtigungen."),
        ((*NL, "benefit"), "Je krijgt een pushbericht dat past."),
        ((*EN, "benefit"), "You get e-mail about it."),
    ],
    "no-decision": [
        ((*FIRST, "use_case"), "setting prices"),
        ((*FIRST, "use_case"), "Bonität schätzen"),
        ((*FIRST, "use_case"), "kredietwaardigheid"),
    ],
    "fields-used": [
        ((*FIRST, "field", 4), {"name": "quantity", "origin": "observed"}),
        ((*SECOND, "field", 3), {"name": "quantity", "origin": "observed"}),
    ],
    "retention-reason": [
        ((*FIRST, "retention"), "P366D"),
        ((*FIRST,), {**PURPOSE, "retention": "P2Y", "retention_reason": "x"}),
        (
            (*FIRST,),
            {
                **PURPOSE,
                "retention": "P2Y",
                "retention_reason": "We want to improve our services.",
            },
        ),
    ],
    "sensitive": [
        (SENSITIVE, None),
        ((*SENSITIVE, "categories"), []),
        (SENSITIVE, {"mode": "no-categories"}),
    ],
    "crowd": [((*HEAD, "min_shoppers"), 19)],
    "reviewed": [
        ((*HEAD, "reviewed_on"), date(2025, 11, 24)),
        ((*HEAD, "reviewed_on"), date(2026, 11, 26)),
    ],
    "languages": [
        ((*HEAD, "languages"), []),
        (NL, None),
        ((*DE, "without"), " "),
        ((*DE, "without"), None),
        ((*NL, "title"), "Products in your order"),
    ],
    "short": [
        ((*DE, "short"), "Ein Satz. " * 28),
        ((*DE, "title"), "Titel " * 11),
    ],
    "second-layer": [
        (
            (*HEAD, "controller"),
            {"name": "N" * 200, "contact": "c@" * 99, "address": "A" * 299, "authority": "B" * 199},
        ),
    ],
    "sentences": [((*EN, "short"), "word " * 20 + "{retention_days} days.")],
    "plain": [
        ((*EN, "short"), "We process personal data for {retention_days} days."),
        ((*DE, "short"), "Verarbeitung für {retention_days} Tage."),
        ((*NL, "short"), "Verwerking van {retention_days} dagen."),
    ],
    "benefit-there": [((*EN, "benefit"), "Better order."), ((*EN, "benefit"), " ")],
    "benefit-own": [
        ((*SECOND, "text", "en", "benefit"), "you find  things faster"),
    ],
    "benefit-real": [
        ((*EN, "benefit"), "So that we can improve our services for you."),
        ((*EN, "benefit"), "You get a better shopping experience."),
        ((*DE, "benefit"), "Damit wir unseren Service verbessern können."),
        ((*DE, "benefit"), "Sie haben ein besseres Einkaufserlebnis."),
        ((*NL, "benefit"), "Zo kunnen we onze diensten verbeteren."),
        ((*NL, "benefit"), "Je krijgt een betere winkelervaring."),
    ],
    "numbers": [
        ((*EN, "short"), "We keep it for 90 days."),
        ((*EN, "short"), "We keep it for {retention_days} months."),
        ((*EN, "short"), "We keep it for three months."),
        ((*EN, "short"), "We keep it for {days} days."),
        ((*EN, "short"), "We keep it forever."),
        ((*DE, "short"), "Wir merken es uns neunzig Tage."),
        ((*DE, "short"), "Wir merken es uns dauerhaft."),
        ((*NL, "short"), "Wij onthouden het zes weken."),
        ((*NL, "short"), "Wij onthouden het voor altijd."),
    ],
    "leaving": [
        ((*FIRST, "withdrawal"), "by letter"),
        ((*FIRST, "confirm_withdrawal"), True),
        ((*HEAD, "opt_out_url"), "https://shop.example"),
        ((*EN, "without"), "To withdraw, send us a letter."),
        ((*DE, "without"), "Ihren Widerruf richten Sie bitte schriftlich an uns."),
        ((*DE, "without"), "Zum Abmelden bitte im Kundenkonto einloggen."),
        ((*NL, "without"), "Afmelden kan bij de klantenservice."),
    ],
    "no-threat": [
        ((*EN, "without"), "You will lose your place."),
        ((*DE, "without"), "Sonst gibt es keine Rabatte."),
        ((*NL, "without"), "Anders krijg je geen korting."),
    ],
    "no-reward": [
        ((*EN, "benefit"), "You get a voucher for it."),
        ((*DE, "benefit"), "Sie bekommen einen Gutschein dafür."),
        ((*NL, "benefit"), "Je krijgt er een cadeau voor."),
    ],
    "law-known": [((*HEAD, "preset"), ["us_va", "atlantis"]), ((*HEAD, "preset"), None)],
    "law-verified": [((*HEAD, "preset"), ["eu_gdpr"])],
    "law-validity": [
        ((*HEAD, "preset"), ["eu_gdpr"]),
    ],
    "law-reask": [((*FIRST, "reask"), "P181D"), ((*SECOND, "validity"), "P5M")],
    "law-age": [((*HEAD, "preset"), ["us_co"])],
    "law-refresh": [((*HEAD, "preset"), ["us_co"])],
    "law-retention-told": [((*HEAD, "preset"), ["eu_gdpr"])],
}  # fmt: skip
TOGETHER = {
    "law-validity": [((*FIRST, "validity"), "P396D")],
    "law-refresh": [((*FIRST, "validity"), "P731D")],
    "law-retention-told": [((*NL, "short"), "Dit apparaat onthoudt wat je koopt.")],
}
"""What has to change too for a law to be broken."""

WARNINGS = {"crowd", "law-verified"}
"""Rules that only ever warn; `law-fresh` does too, and is broken by the calendar."""


def test_a_careful_policy_passes_every_rule_without_a_warning():
    assert set(outcomes(careful_policy()).values()) == {"passed"}
    Policy.parse(careful_policy())


@pytest.mark.parametrize(
    ("rule", "change"),
    [(rule, change) for rule, changes in BROKEN.items() for change in changes],
    ids=[f"{rule}-{row}" for rule, changes in BROKEN.items() for row, _ in enumerate(changes)],
)
def test_each_rule_fails_a_policy_on_purpose(rule, change):
    verdict = check(careless(change, *TOGETHER.get(rule, [])), on=TODAY)

    (judged,) = [judged for judged in verdict.rules if judged.rule.id == rule]
    assert judged.outcome != "passed"
    assert all(fault.where and fault.got and fault.wanted for fault in judged.faults)
    if judged.outcome == "failed":
        assert not verdict.passed
    else:
        assert rule in {*WARNINGS, "sensitive", "reviewed", "law-known"}


@pytest.mark.parametrize("rule", sorted(TOGETHER))
def test_what_a_law_forbids_is_no_fault_without_that_law(rule):
    assert outcomes(careless(*TOGETHER[rule]))[rule] == "passed"


def test_no_rule_is_left_without_a_policy_that_breaks_it():
    assert {*BROKEN, "law-fresh"} == {rule.id for rule in RULES}
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.sentence.endswith(".") and rule.source for rule in RULES)


def test_a_look_at_the_law_is_good_for_a_year():
    looked = min(fact.checked_on for fact in load_preset("us_va", on=TODAY).facts)

    def fresh(days):
        verdict = check(careful_policy(), on=looked + timedelta(days=days))
        (judged,) = [judged for judged in verdict.rules if judged.rule.id == "law-fresh"]
        return judged.outcome

    assert (fresh(365), fresh(366)) == ("passed", "warning")


def test_a_policy_that_nobody_signed_is_a_warning_and_no_failure():
    verdict = check(
        careless(((*HEAD, "reviewed_by"), None), ((*HEAD, "reviewed_on"), None)), on=TODAY
    )

    assert verdict.passed
    assert [j.rule.id for j in verdict.rules if j.outcome == "warning"] == ["reviewed"]


def test_several_faults_are_all_named_although_a_device_stops_at_the_first():
    broken = careless(
        ((*FIRST, "surfaces"), ["push"]),
        ((*FIRST, "field", 0, "origin"), "third_party"),
        ((*EN, "short"), "We keep your location for 9 days."),
    )

    found = {rule for rule, outcome in outcomes(broken).items() if outcome == "failed"}

    assert found >= {"readable", "no-push", "own-data", "no-location", "numbers"}


def test_an_empty_policy_is_judged_and_no_rule_stumbles():
    assert outcomes(b"")["readable"] == "failed"
    assert outcomes(b"policy = 1\npurpose = 2\nsensitive = 3\nages = 4")["controller"] == "failed"
    assert outcomes(b"[policy]\npreset = 1\nlanguages = 1\n[[purpose]]\ntext = 1\nfield = 1\n")


def test_what_is_no_toml_is_refused():
    with pytest.raises(DataError, match="not TOML"):
        check(b"= 1", on=TODAY)


@pytest.mark.parametrize(
    ("line", "language"),
    [
        ("We keep it for {retention_days} days.", "en"),
        ("We keep it for 180 days, and ask again after twelve months.", "en"),
        ("Wir merken es uns {retention_days} Tage und fragen nach einem Jahr.", "de"),
        ("Wij vragen het na twaalf maanden opnieuw.", "nl"),
    ],
)
def test_a_number_that_is_enforced_may_be_said_in_words(line, language):
    assert outcomes(careless(((*FIRST, "text", language, "short"), line)))["numbers"] == "passed"


@pytest.mark.parametrize(
    "line",
    [
        "You can withdraw at any time, here, without a reason.",
        "Sie können jederzeit kostenlos widerrufen, auch ohne Begründung.",
        "Intrekken kan altijd op dezelfde plek, zonder kosten.",
    ],
)
def test_a_way_out_that_takes_nothing_may_be_told(line):
    assert outcomes(careless(((*EN, "without"), line)))["leaving"] == "passed"


# --- The demo's policy ---


def demo_policy() -> bytes:
    return resources.files("shelfrank_training.demo").joinpath("policy.toml").read_bytes()


@pytest.mark.parametrize(
    "presets", [[], *([preset_id] for preset_id in preset_ids()), preset_ids()]
)
def test_the_demos_policy_passes_under_every_law(presets):
    verdict = check(demo_policy(), presets=presets, on=TODAY)

    assert [j.rule.id for j in verdict.rules if j.outcome == "failed"] == []
    assert verdict.presets == tuple(presets or preset_ids())


# --- The command ---


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shelfrank_training.cli.console.stderr.width", 400)
    (tmp_path / "good.toml").write_bytes(careful_policy())
    (tmp_path / "bad.toml").write_bytes(careless(((*EN, "short"), "[bold]\\u001b[2J 90 days.")))
    return tmp_path


def told(*arguments):
    return run(["privacy", "check", *arguments, "--at", TODAY.isoformat()])


@pytest.mark.usefixtures("place")
def test_the_table_names_each_rule_and_that_it_is_no_advice(capsys):
    assert told("good.toml") == 0

    shown = capsys.readouterr()
    assert shown.out == ""
    assert all(f" {rule.id} " in shown.err for rule in RULES)
    assert "careful-shop 4 under us_va" in shown.err
    assert "0 failed" in shown.err
    assert "not legal advice" in shown.err


@pytest.mark.usefixtures("place")
def test_a_broken_policy_is_said_with_its_place_and_the_command_fails(capsys):
    assert told("bad.toml") == 1

    shown = capsys.readouterr().err
    assert "failed numbers: purpose rank_products.text.en, got the number '90', wanted 180" in shown
    assert "\x1b[2J" not in shown


@pytest.mark.usefixtures("place")
def test_as_json_it_has_every_rule_and_every_duty(capsys):
    assert told("good.toml", "--preset", "us_co", "--preset", "eu_gdpr", "--json") == 1

    found = json.loads(capsys.readouterr().out)
    assert (found["passed"], found["presets"]) == (False, ["eu_gdpr", "us_co"])
    assert [rule["id"] for rule in found["rules"]] == [rule.id for rule in RULES]
    (age,) = [rule for rule in found["rules"] if rule["id"] == "law-age"]
    assert age["faults"] == [
        {"where": "ages.minimum", "got": "16", "wanted": "at least 18", "outcome": "failed"}
    ]
    assert {duty["preset"] for duty in found["duties"]} == {"eu_gdpr", "us_co"}
    assert all(duty["answer"] and duty["source"] for duty in found["duties"])
    assert "not legal advice" in found["note"]


@pytest.mark.usefixtures("place")
def test_a_preset_that_does_not_exist_is_wrong_use(capsys):
    assert told("good.toml", "--preset", "atlantis") == 2
    assert "eu_gdpr, us_ca" in capsys.readouterr().err


def test_a_policy_without_presets_is_held_against_all_laws():
    data = careful_data()
    del data["policy"]["preset"]

    assert check(to_toml(data), on=TODAY).presets == preset_ids()
