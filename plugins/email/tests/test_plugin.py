from __future__ import annotations

from pydantic import SecretStr

from aftersail.core.host import Host
from aftersail_email import EmailSettings


def test_the_installed_plugin_is_found_and_does_not_contradict_itself():
    host = Host()
    assert "email" in host.connectors
    assert host.connectors["email"].operations == {"check_account", "fetch_messages", "post_reply"}


def test_every_setting_has_a_title_and_a_description_and_passwords_are_secrets():
    for name, field in EmailSettings.model_fields.items():
        assert field.title, name
        assert field.description, name
        assert ("password" in name) == (SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ()))), (
            name
        )


def test_closing_twice_does_no_harm(plain):
    connector = plain.connector()
    connector.close()
    connector.close()
