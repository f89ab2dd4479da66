"""What a device accepts, and what it remembers. The attacks stand in tests/attacks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shelfrank.bundle.archive import root_name
from shelfrank.bundle.verify import verify_bundle
from shelfrank.errors import (
    BundleError,
    BundleExpiredError,
    BundleFormatError,
    BundleVersionError,
    RollbackError,
    SignatureError,
)
from support.publisher import ALICE, BOB, NOW, TRIO, YEAR, Forgery, Publisher
from support.tiny_model import ROWS, tiny_model


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


def accept(publisher, data, *, installed=None, now=NOW):
    """Verify with the publisher's first root and return what the device remembers next."""
    bundle = verify_bundle(data, trust=publisher.trust, now=now, installed=installed)
    return bundle.mark(installed)


def test_a_good_bundle_comes_back_with_all_its_files(publisher):
    policy = b"[policy]\n"
    data = publisher.bundle(version=7, forgery=Forgery(files={"policy.toml": policy}))

    bundle = verify_bundle(data, trust=publisher.trust, now=NOW)

    assert (bundle.manifest.name, bundle.manifest.version) == ("shop-14", 7)
    assert bundle.model == tiny_model()
    assert bundle.catalog.item_ids == [row.item_id for row in ROWS]
    assert bundle.label.min_shoppers == 50
    assert bundle.policy == policy
    assert bundle.root == publisher.trust
    assert not bundle.stale


def test_a_bundle_without_policy_says_so(publisher):
    assert verify_bundle(publisher.bundle(), trust=publisher.trust, now=NOW).policy is None


def test_the_same_inputs_give_the_same_bytes():
    assert Publisher().bundle(version=3) == Publisher().bundle(version=3)


def test_a_bundle_says_nothing_about_its_contents_when_printed(publisher):
    bundle = verify_bundle(publisher.bundle(), trust=publisher.trust, now=NOW)

    assert "sku-17" not in repr(bundle)
    assert len(repr(bundle)) < 5_000


def test_a_higher_version_is_taken_and_remembered(publisher):
    installed = accept(publisher, publisher.bundle(version=5))

    installed = accept(publisher, publisher.bundle(version=6), installed=installed)

    assert installed.version == 6


def test_a_lower_version_is_refused(publisher):
    installed = accept(publisher, publisher.bundle(version=5))

    with pytest.raises(RollbackError) as caught:
        accept(publisher, publisher.bundle(version=4), installed=installed)

    assert (caught.value.offered, caught.value.installed) == (4, 5)


def test_the_installed_bundle_itself_is_taken_again(publisher):
    data = publisher.bundle(version=5)
    installed = accept(publisher, data)

    assert accept(publisher, data, installed=installed) == installed


def test_another_bundle_of_the_same_version_is_refused(publisher):
    installed = accept(publisher, publisher.bundle(version=5))

    with pytest.raises(RollbackError, match="version 5 with other contents"):
        accept(publisher, publisher.bundle(version=5, expires=NOW + 2 * YEAR), installed=installed)


def test_a_bundle_expires_at_its_very_second(publisher):
    data = publisher.bundle(expires=NOW)

    accept(publisher, data, now=NOW - timedelta(seconds=1))
    with pytest.raises(BundleExpiredError):
        accept(publisher, data, now=NOW)


def test_an_installed_bundle_keeps_serving_after_its_date_and_says_so(publisher):
    data = publisher.bundle(expires=NOW + YEAR)
    installed = accept(publisher, data)

    later = verify_bundle(data, trust=publisher.trust, now=NOW + 2 * YEAR, installed=installed)

    assert later.stale


def test_a_clock_set_back_revives_no_expired_bundle(publisher):
    newest = publisher.bundle(version=5, issued_at=NOW, expires=NOW + YEAR)
    installed = accept(publisher, newest)
    expired = publisher.bundle(version=6, issued_at=NOW - YEAR, expires=NOW - timedelta(days=1))

    for clock in (datetime(1970, 1, 1, tzinfo=UTC), NOW - YEAR):
        with pytest.raises(BundleExpiredError):
            accept(publisher, expired, installed=installed, now=clock)


def test_the_newest_issue_ever_seen_is_kept_when_an_older_dated_bundle_follows(publisher):
    installed = accept(publisher, publisher.bundle(version=5, issued_at=NOW))

    installed = accept(
        publisher, publisher.bundle(version=6, issued_at=NOW - YEAR), installed=installed
    )

    assert installed.newest_issued_at == NOW


def test_the_year_2100_refuses_without_breaking(publisher):
    with pytest.raises(BundleExpiredError):
        accept(publisher, publisher.bundle(), now=datetime(2100, 1, 1, tzinfo=UTC))


def test_a_naive_time_is_misuse(publisher):
    with pytest.raises(ValueError, match="aware"):
        verify_bundle(publisher.bundle(), trust=publisher.trust, now=NOW.replace(tzinfo=None))


def test_a_bundle_of_another_name_is_refused(publisher):
    installed = accept(publisher, publisher.bundle(version=1))
    other = Publisher(name="shop-15")

    with pytest.raises(BundleError, match=r"offered bundle is called shop-15, .* shop-14"):
        accept(publisher, other.bundle(version=2), installed=installed)


def test_a_kiosk_that_slept_through_two_rotations_walks_from_root_1_to_3(publisher):
    publisher.rotate(BOB)
    publisher.rotate(TRIO)

    installed = accept(publisher, publisher.bundle(version=9))

    assert installed.root == publisher.roots[2]


def test_a_root_between_may_have_expired_but_the_last_may_not():
    publisher = Publisher(root_expires=NOW - YEAR)
    publisher.rotate(BOB)

    accept(publisher, publisher.bundle())

    publisher.add_root(BOB, signers=BOB.root, expires=NOW)
    with pytest.raises(BundleExpiredError, match=r"roots/3\.json expired"):
        accept(publisher, publisher.bundle())


def test_a_device_that_walked_on_takes_no_bundle_of_the_keys_before(publisher):
    old = publisher.bundle(version=99)
    publisher.rotate(BOB)
    installed = accept(publisher, publisher.bundle(version=1))

    with pytest.raises(SignatureError):
        accept(publisher, old, installed=installed)


def test_an_app_that_ships_a_newer_root_takes_no_bundle_of_the_keys_before(publisher):
    old = publisher.bundle()
    publisher.rotate(BOB)

    with pytest.raises(SignatureError):
        verify_bundle(old, trust=publisher.roots[1], now=NOW)


def test_an_update_of_the_app_with_a_newer_root_outranks_the_one_walked_to(publisher):
    installed = accept(publisher, publisher.bundle(version=1))
    old = publisher.bundle(version=2)
    publisher.rotate(BOB)

    with pytest.raises(SignatureError):
        verify_bundle(old, trust=publisher.roots[1], now=NOW, installed=installed)


def test_after_a_stolen_key_signed_a_huge_version_a_rotation_starts_afresh(publisher):
    installed = accept(publisher, publisher.bundle(version=2**53 - 1))
    publisher.rotate(BOB)

    installed = accept(publisher, publisher.bundle(version=2), installed=installed)

    assert installed.version == 2
    with pytest.raises(RollbackError):
        accept(publisher, publisher.bundle(version=1), installed=installed)


def test_a_rotation_that_keeps_the_bundle_keys_keeps_the_version_too(publisher):
    installed = accept(publisher, publisher.bundle(version=5))
    publisher.add_root(ALICE, signers=ALICE.root)

    with pytest.raises(RollbackError):
        accept(publisher, publisher.bundle(version=4), installed=installed)


def test_two_of_three_owners_are_enough_and_one_is_not():
    publisher = Publisher(TRIO)
    red, green, blue = TRIO.bundle

    for signers in ((red, green), (blue, red), (red, green, blue)):
        accept(publisher, publisher.bundle(forgery=Forgery(signers=signers)))
    for signers in ((), (red,)):
        with pytest.raises(SignatureError, match=f"signed by {len(signers)} trusted keys, 2 are"):
            accept(publisher, publisher.bundle(forgery=Forgery(signers=signers)))


def test_the_signature_of_a_stranger_beside_a_good_one_changes_nothing(publisher):
    signers = (*ALICE.bundle, *BOB.bundle)

    accept(publisher, publisher.bundle(forgery=Forgery(signers=signers)))


def test_an_unknown_file_is_passed_over_unless_it_is_critical(publisher):
    def critical(manifest):
        entry = next(f for f in manifest["files"] if f["path"] == "texts.toml")
        entry["critical"] = True

    texts = {"texts.toml": b"x = 1"}

    accept(publisher, publisher.bundle(forgery=Forgery(files=texts)))
    with pytest.raises(BundleFormatError, match=r"needs texts\.toml to be understood"):
        accept(publisher, publisher.bundle(forgery=Forgery(files=texts, edit_manifest=critical)))


def test_an_unknown_member_of_the_manifest_is_passed_over(publisher):
    forgery = Forgery(edit_manifest=lambda manifest: manifest.update(colour="red"))

    accept(publisher, publisher.bundle(forgery=forgery))


def test_another_format_number_is_named(publisher):
    forgery = Forgery(edit_manifest=lambda manifest: manifest.update(format=9))

    with pytest.raises(BundleVersionError) as caught:
        accept(publisher, publisher.bundle(forgery=forgery))

    assert (caught.value.offered, caught.value.supported) == (9, (0,))


def test_a_bundle_for_a_newer_sdk_is_refused_and_says_which(publisher):
    for min_sdk in ("99.0", "0.9999"):
        forgery = Forgery(edit_manifest=lambda m, v=min_sdk: m.update(min_sdk=v))
        with pytest.raises(BundleError, match=f"needs shelfrank {min_sdk}, this is"):
            accept(publisher, publisher.bundle(forgery=forgery))


def test_a_root_beyond_the_trusted_one_is_needed_without_a_gap(publisher):
    publisher.rotate(BOB)
    publisher.rotate(TRIO)
    forgery = Forgery(files={root_name(2): None})

    with pytest.raises(SignatureError, match=r"has roots/3\.json but not roots/2\.json"):
        accept(publisher, publisher.bundle(forgery=forgery))


def test_roots_up_to_the_trusted_one_need_not_travel(publisher):
    publisher.rotate(BOB)
    forgery = Forgery(files={root_name(1): None})

    accept(publisher, publisher.bundle(forgery=forgery))
