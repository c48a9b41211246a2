"""Secrets: encrypted at rest, taken from the environment first, never half written, never shown."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from aftersail.core.host import files
from aftersail.core.runtime.secrets import SecretError, SecretStore, environment_name

SECRET = "correct horse battery"


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.delenv("AFTERSAIL_KEY_FILE", raising=False)
    kept = SecretStore(tmp_path)
    kept.put("shop", {"token": SecretStr(SECRET)})
    return kept


def value(store, channel="shop", field="token"):
    found = store.get(channel, field)
    return None if found is None else found.get_secret_value()


@given(
    st.dictionaries(
        st.text(min_size=1), st.dictionaries(st.text(min_size=1), st.text(), min_size=1), min_size=1, max_size=3
    )
)
def test_what_is_put_is_what_is_got(tmp_path_factory, known):
    kept = SecretStore(tmp_path_factory.mktemp("secrets"))
    for channel, values in known.items():
        kept.put(channel, {field: SecretStr(text) for field, text in values.items()})
    for channel, values in known.items():
        assert {field: value(kept, channel, field) for field in values} == values


def test_the_file_is_age_and_its_key_is_an_age_identity(store, tmp_path):
    sealed = (tmp_path / "aftersail.secrets").read_bytes()
    assert sealed.startswith(b"age-encryption.org/v1\n")
    assert SECRET.encode() not in sealed
    identity = pyrage.x25519.Identity.from_str((tmp_path / "aftersail.key").read_text().strip())
    assert SECRET.encode() in pyrage.decrypt(sealed, [identity])


def test_a_key_file_as_age_keygen_writes_it_is_taken(tmp_path):
    identity = pyrage.x25519.Identity.generate()
    key = tmp_path / "key.txt"
    key.write_text(f"# created: 2026-11-22T00:00:00Z\n# public key: {identity.to_public()}\n{identity}\n")
    kept = SecretStore(tmp_path, key)
    kept.put("shop", {"token": SecretStr(SECRET)})
    assert value(kept) == SECRET


def test_nobody_else_may_read_the_files(store, tmp_path):
    for name in ("aftersail.secrets", "aftersail.key"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_a_lost_key_is_told_with_what_to_do(store, tmp_path):
    (tmp_path / "aftersail.key").unlink()
    with pytest.raises(SecretError, match=r"aftersail\.key is not there: put the key back, or set AFTERSAIL_KEY_FILE"):
        store.get("shop", "token")
    with pytest.raises(SecretError, match="put the key back"):
        store.put("shop", {"token": SecretStr("another")})
    assert not (tmp_path / "aftersail.key").exists(), "a new key would not open the old file"


def test_a_lost_key_is_mended_as_the_error_says(store, tmp_path):
    (tmp_path / "aftersail.key").unlink()
    (tmp_path / "aftersail.secrets").unlink()
    store.put("shop", {"token": SecretStr("another")})
    assert value(store) == "another"


def test_the_key_may_lie_elsewhere(store, tmp_path, monkeypatch):
    elsewhere = tmp_path / "vault"
    elsewhere.mkdir()
    (tmp_path / "aftersail.key").rename(elsewhere / "key")
    monkeypatch.setenv("AFTERSAIL_KEY_FILE", str(elsewhere / "key"))
    assert value(SecretStore(tmp_path)) == SECRET


@pytest.mark.parametrize("place", [0.0, 0.5, 0.99])
def test_a_file_that_was_tampered_with_is_refused(store, tmp_path, place):
    path = tmp_path / "aftersail.secrets"
    sealed = bytearray(path.read_bytes())
    sealed[int(len(sealed) * place)] ^= 1
    path.write_bytes(bytes(sealed))
    with pytest.raises(SecretError, match="cannot be decrypted") as caught:
        store.get("shop", "token")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"# only a comment\n", b"AGE-SECRET-KEY-1NOT\n", b"\xff\xfe\x00"])
def test_a_key_file_that_holds_no_key(store, tmp_path, content):
    (tmp_path / "aftersail.key").write_bytes(content)
    with pytest.raises(SecretError, match="holds no age key"):
        store.get("shop", "token")


def test_another_key_does_not_open_the_file(store, tmp_path):
    (tmp_path / "aftersail.key").write_text(str(pyrage.x25519.Identity.generate()))
    with pytest.raises(SecretError, match="cannot be decrypted"):
        store.get("shop", "token")


def test_the_environment_wins_over_the_file(store, tmp_path, monkeypatch):
    name = environment_name("shop", "token")
    assert name == "AFTERSAIL_CHANNEL_SHOP_TOKEN"
    (tmp_path / "mounted").write_text("of the file\n")
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "mounted"))
    assert value(store) == "of the file"
    monkeypatch.setenv(name, "of the environment")
    assert value(store) == "of the environment"


def test_a_mounted_secret_that_is_not_there_is_named(store, tmp_path, monkeypatch):
    monkeypatch.setenv("AFTERSAIL_CHANNEL_SHOP_TOKEN_FILE", str(tmp_path / "nothing"))
    with pytest.raises(SecretError, match=r"AFTERSAIL_CHANNEL_SHOP_TOKEN_FILE names .*nothing, which cannot be read"):
        store.get("shop", "token")


def test_a_mounted_secret_that_is_no_text_is_named(store, tmp_path, monkeypatch):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    monkeypatch.setenv("AFTERSAIL_CHANNEL_SHOP_TOKEN_FILE", str(tmp_path / "binary"))
    with pytest.raises(SecretError, match="holds no UTF-8 text"):
        store.get("shop", "token")


@pytest.mark.parametrize("channel", ["amazon-de", "amazon.de", "Amazon DE"])
def test_names_of_variables_are_what_a_shell_takes(channel):
    assert environment_name(channel, "token") == "AFTERSAIL_CHANNEL_AMAZON_DE_TOKEN"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_crash_while_writing_leaves_the_old_secrets(store, tmp_path, monkeypatch, step):
    def crash(*_):
        raise KeyboardInterrupt

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", crash)
    else:
        monkeypatch.setattr(files.Path, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        store.put("shop", {"token": SecretStr("half")})
    monkeypatch.undo()
    assert value(store) == SECRET
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "aftersail.key",
        "aftersail.secrets",
        "aftersail.secrets.lock",
    ]


def test_one_channel_is_forgotten_and_the_others_stay(store):
    store.put("mail", {"password": SecretStr("x")})
    store.forget("shop")
    store.forget("never there")
    assert value(store) is None
    assert value(store, "mail", "password") == "x"


def test_new_secrets_stand_in_place_of_all_a_channel_had(store):
    store.put("shop", {"other": SecretStr("y")})
    assert value(store) is None
    assert value(store, field="other") == "y"


def test_without_a_file_there_are_none(tmp_path):
    assert SecretStore(tmp_path).get("shop", "token") is None
    assert list(tmp_path.iterdir()) == []


class TestReplacedByThePlatform:
    def test_what_took_its_place_holds_until_a_person_gives_another(self, store, tmp_path):
        store.rotate("shop", "token", SecretStr("second"))
        store.rotate("shop", "token", SecretStr("third"))
        assert value(SecretStore(tmp_path)) == "third"
        store.put("shop", {"token": SecretStr("anew")})
        assert value(store) == "anew"

    def test_it_stands_in_for_the_environments_until_that_changes(self, store, monkeypatch):
        name = environment_name("shop", "token")
        monkeypatch.setenv(name, "first")
        store.rotate("shop", "token", SecretStr("second"))
        assert value(store) == "second"
        monkeypatch.setenv(name, "anew")
        assert value(store) == "anew"

    def test_only_what_a_person_gave_makes_the_channel_another(self, store):
        before = store.fingerprint("shop")
        store.rotate("shop", "token", SecretStr("second"))
        assert store.fingerprint("shop") == before
        store.put("shop", {"token": SecretStr("anew")})
        assert store.fingerprint("shop") != before

    def test_two_who_write_at_once_lose_nothing(self, store):
        def write(number):
            store.rotate(f"channel-{number}", "token", SecretStr(str(number)))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(24)))
        found = [store.get(f"channel-{number}", "token") for number in range(24)]
        assert [each and each.get_secret_value() for each in found] == [str(number) for number in range(24)]
