"""The system's keyring keeps the wrapping keys; what it cannot do, it says with a type."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, ClassVar

import pytest

from shelfrank import keys
from shelfrank.errors import (
    HistoryDamagedError,
    HistoryRolledBackError,
    KeyUnavailableError,
    MissingExtraError,
    WrongKeyError,
)
from support import keyrings
from support.histories import Profile, items_of, new_event
from support.keyrings import Chain, KeyringLocked, OtherVault, SystemVault, like

if TYPE_CHECKING:
    from pathlib import Path

    from shelfrank.history.keys import KeyProvider

ROOT = b"r" * 32
STORE = b"s" * 16
ENTRY = ("Corner Shop", "shopper")


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> SystemVault:
    vault = SystemVault()
    keyrings.install(monkeypatch, vault)
    return vault


@pytest.fixture
def provider(vault: SystemVault) -> KeyProvider:
    assert vault.secrets == {}
    return keys.keyring(*ENTRY)


@pytest.fixture
def profile(tmp_path: Path, provider: KeyProvider) -> Profile:
    profile = Profile(tmp_path, provider)
    with profile.open() as history:
        history.append([new_event("sku-1"), new_event("sku-2", minutes=1)])
    return profile


def test_a_history_opens_with_the_key_in_the_keyring(profile: Profile) -> None:
    with profile.open(keys.keyring(*ENTRY)) as history:
        assert items_of(history) == ["sku-1", "sku-2"]


def test_the_root_is_not_in_the_keyring_and_the_key_not_in_the_history(
    profile: Profile, vault: SystemVault
) -> None:
    wrapped = keys.keyring("other", "one").wrap(ROOT, STORE)
    (entry,) = (secret for name, secret in vault.secrets.items() if name == ("other", "one"))
    key = base64.b64decode(entry)[-32:]

    assert ROOT not in base64.b64decode(entry)
    assert key not in wrapped
    kept = base64.b64decode(vault.secrets[ENTRY])[-32:]
    assert all(kept not in data for data in profile.files().values())


def test_it_destroys_and_retires_and_says_so(provider: KeyProvider) -> None:
    assert (provider.name, provider.can_destroy, provider.can_retire) == ("keyring", True, True)
    assert repr(provider) == "<SystemKeyring>"


def test_after_an_erasure_an_older_copy_opens_with_nothing(profile: Profile) -> None:
    before = profile.files()
    with profile.open() as history:
        assert history.erase(lambda stored: stored.event.item_id == "sku-1") == 1
    for path in (profile.database, profile.anchor):
        path.write_bytes(before[path.name])

    with pytest.raises(HistoryRolledBackError, match="destroyed when events were erased"):
        profile.open()


def test_a_rotation_leaves_one_key(profile: Profile, vault: SystemVault) -> None:
    size = len(vault.secrets[ENTRY])
    with profile.open() as history:
        history.erase(lambda stored: stored.event.item_id == "sku-1")

    assert len(vault.secrets[ENTRY]) == size


def test_erasing_everything_removes_the_entry(profile: Profile, vault: SystemVault) -> None:
    before = profile.files()
    with profile.open() as history:
        history.destroy()
        assert vault.secrets == {}
        history.destroy()

    for path in (profile.database, profile.anchor):
        path.write_bytes(before[path.name])
    with pytest.raises(KeyUnavailableError, match="has no entry"):
        profile.open()


def test_the_entry_of_another_history_is_another_key(profile: Profile, tmp_path: Path) -> None:
    other = Profile(tmp_path / "other", keys.keyring("Corner Shop", "somebody else"))
    with other.open() as history:
        history.append([new_event("sku-9")])

    with pytest.raises(WrongKeyError):
        profile.open(other.key)


def test_a_whole_folder_put_back_is_noticed_though_nothing_was_erased(profile: Profile) -> None:
    before = profile.files()
    with profile.open() as history:
        history.append([new_event("sku-3", minutes=2)])
    for path in (profile.database, profile.anchor):
        path.write_bytes(before[path.name])

    with pytest.raises(HistoryRolledBackError, match="its key has already seen"):
        profile.open()


@pytest.mark.parametrize("entry", ["", "no marks", "c2hlbGY="])
def test_marks_that_are_damaged_are_none(profile: Profile, vault: SystemVault, entry: str) -> None:
    (marks,) = set(vault.secrets) - {ENTRY}
    vault.secrets[marks] = entry

    assert items_of(profile.open()) == ["sku-1", "sku-2"]


# --- Not now ---


@pytest.mark.parametrize(
    "trouble", [KeyringLocked("locked"), PermissionError("denied"), RuntimeError("no bus")], ids=str
)
def test_a_keyring_that_is_locked_or_refuses_is_not_available_and_nothing_changes(
    profile: Profile, vault: SystemVault, trouble: Exception
) -> None:
    before = profile.files()
    vault.trouble = trouble

    with pytest.raises(KeyUnavailableError, match=f"cannot be read: {type(trouble).__name__}"):
        profile.open()

    vault.trouble = None
    assert profile.files() == before
    assert items_of(profile.open()) == ["sku-1", "sku-2"]


def test_a_keyring_that_locks_before_an_erasure_leaves_the_events(
    profile: Profile, vault: SystemVault
) -> None:
    with profile.open() as history:
        vault.trouble = KeyringLocked("locked")
        with pytest.raises(KeyUnavailableError):
            history.erase(lambda _: True)
        vault.trouble = None

        assert items_of(history) == ["sku-1", "sku-2"]


def test_another_back_end_than_then_is_named(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyrings.install(monkeypatch, OtherVault())

    with pytest.raises(KeyUnavailableError) as caught:
        profile.open()

    assert "lies in the keyring support.keyrings.SystemVault" in str(caught.value)
    assert "this process uses support.keyrings.OtherVault" in str(caught.value)


def test_of_a_chain_the_first_is_used_and_named(
    profile: Profile, vault: SystemVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyrings.install(monkeypatch, Chain([vault, OtherVault()]))
    assert items_of(profile.open()) == ["sku-1", "sku-2"]

    keyrings.install(monkeypatch, Chain([OtherVault(), vault]))
    with pytest.raises(KeyUnavailableError, match=r"uses support\.keyrings\.OtherVault"):
        profile.open()

    keyrings.install(monkeypatch, Chain([]))
    with pytest.raises(KeyUnavailableError, match="keeps no secrets"):
        profile.open()


def test_the_name_beside_the_wrapped_root_is_authenticated(
    provider: KeyProvider, monkeypatch: pytest.MonkeyPatch, vault: SystemVault
) -> None:
    wrapped = provider.wrap(ROOT, STORE)
    other = OtherVault()
    other.secrets = vault.secrets
    keyrings.install(monkeypatch, other)
    name = b"support.keyrings.OtherVault"
    size = 1 + wrapped[0]

    with pytest.raises(HistoryDamagedError, match="fails authentication"):
        provider.unwrap(bytes([len(name)]) + name + wrapped[size:], STORE)


@pytest.mark.parametrize("wrapped", [b"", b"\x05", b"\x05abcde", b"\x00"])
def test_a_wrapped_root_that_is_cut_short_is_damage(provider: KeyProvider, wrapped: bytes) -> None:
    provider.wrap(ROOT, STORE)

    with pytest.raises(HistoryDamagedError, match=r"cut short|has \d+ bytes"):
        provider.unwrap(wrapped, STORE)


# --- Not at all ---


@pytest.mark.parametrize(
    ("module", "name", "priority"),
    [
        ("keyring.backends.fail", "Keyring", 0),
        ("keyring.backends.null", "Keyring", -1),
        ("keyring.backends.null", "Keyring", 99),
        ("keyrings.alt.file", "PlaintextKeyring", 0.5),
        ("keyrings.alt.file", "PlaintextKeyring", 99),
        ("somebody.elses", "NotRecommended", 0.9),
    ],
)
def test_a_back_end_that_keeps_secrets_in_the_open_or_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str, priority: float
) -> None:
    backend = like(module, name, priority=priority)
    keyrings.install(monkeypatch, backend)

    with pytest.raises(KeyUnavailableError, match=f"{module}.{name} keeps no secrets"):
        keys.keyring(*ENTRY).wrap(ROOT, STORE)

    assert backend.secrets == {}  # type: ignore[attr-defined]


def test_one_that_derives_from_such_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    base = type(like("keyrings.alt.file", "PlaintextKeyring", priority=5))
    keyrings.install(monkeypatch, type("Mine", (base,), {"__module__": "mine"})())

    with pytest.raises(KeyUnavailableError, match=r"mine\.Mine"):
        keys.keyring(*ENTRY).wrap(ROOT, STORE)


def test_a_name_that_only_begins_alike_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    keyrings.install(monkeypatch, like("keyrings.alternative", "Vault", priority=5))

    assert keys.keyring(*ENTRY).unwrap(keys.keyring(*ENTRY).wrap(ROOT, STORE), STORE) == ROOT


@pytest.mark.parametrize(("longest", "forgets"), [(99, False), (2560, True)])
def test_a_back_end_that_cuts_or_forgets_is_noticed_before_anything_depends_on_it(
    tmp_path: Path, vault: SystemVault, longest: int, forgets: bool
) -> None:
    vault.longest, vault.forgets = longest, forgets
    profile = Profile(tmp_path, keys.keyring(*ENTRY))

    history = profile.open()
    with pytest.raises(KeyUnavailableError, match="did not keep the key"):
        history.append([new_event()])


def test_a_back_end_with_room_for_one_key_does_not_lose_it_at_a_rotation(
    profile: Profile, vault: SystemVault
) -> None:
    vault.longest = len(vault.secrets[ENTRY])

    history = profile.open()
    with pytest.raises(KeyUnavailableError, match="did not keep the key"):
        history.erase(lambda _: True)
    history.close()

    with profile.open() as history:
        assert items_of(history) == ["sku-1", "sku-2"]


def test_an_entry_that_does_not_go_is_said_so(profile: Profile, vault: SystemVault) -> None:
    vault.forgets = True

    with profile.open() as history, pytest.raises(KeyUnavailableError, match="still in"):
        history.destroy()


@pytest.mark.parametrize("entry", ["", "a password of somebody else", "c2hlbGY=", "ä"])
def test_an_entry_of_another_program_is_not_overwritten(
    vault: SystemVault, provider: KeyProvider, entry: str
) -> None:
    vault.secrets[ENTRY] = entry

    with pytest.raises(KeyUnavailableError, match="not written by shelfrank") as caught:
        provider.wrap(ROOT, STORE)

    assert vault.secrets[ENTRY] == entry
    assert "password of" not in str(caught.value)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    keyrings.uninstall(monkeypatch)

    with pytest.raises(MissingExtraError) as caught:
        keys.keyring(*ENTRY)

    assert caught.value.hint == "pip install 'shelfrank[keyring]'"


@pytest.mark.parametrize(
    ("service", "account", "error"),
    [("", "x", ValueError), ("x", "", ValueError), (None, "x", TypeError), ("x", 1, TypeError)],
)
@pytest.mark.usefixtures("vault")
def test_an_entry_needs_a_service_and_an_account(
    service: object, account: object, error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"is empty|wanted text"):
        keys.keyring(service, account)  # type: ignore[arg-type]


# --- The package itself, where it is installed ---


def test_the_real_package_is_used_as_the_stand_in_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = pytest.importorskip("keyring", reason="the extra `keyring` is not installed")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")

    class Vault(package.backend.KeyringBackend):  # type: ignore[name-defined,misc]
        priority = 5
        secrets: ClassVar[dict[tuple[str, str], str]] = {}

        def get_password(self, service: str, username: str) -> str | None:
            return self.secrets.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            self.secrets[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            if self.secrets.pop((service, username), None) is None:
                raise package.errors.PasswordDeleteError("not there")

    before = package.get_keyring()
    try:
        package.set_keyring(Vault())
        profile = Profile(tmp_path, keys.keyring(*ENTRY))
        with profile.open() as history:
            history.append([new_event("sku-1")])
            history.erase(lambda stored: stored.event.item_id == "sku-9")
        with profile.open() as history:
            assert items_of(history) == ["sku-1"]
            history.destroy()
        assert Vault.secrets == {}

        for refused in (package.backends.null.Keyring(), package.backends.fail.Keyring()):
            package.set_keyring(refused)
            with pytest.raises(KeyUnavailableError, match="keeps no secrets"):
                keys.keyring(*ENTRY).wrap(ROOT, STORE)
    finally:
        package.set_keyring(before)
