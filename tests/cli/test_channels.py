"""`aftersail channel`: what is asked, what is checked, what is kept and where."""

from __future__ import annotations

import pytest

from aftersail.core.runtime.settings import load_settings
from tests.faults.shop import TOKEN

WRONG = "not-the-password"


def mail_answers(mail, **changed):
    """Answers to every plain question about the mailbox of a simulator, as `--set` options."""
    answers = {
        "address": mail.address,
        "imap_host": "127.0.0.1",
        "imap_port": mail.imap_port,
        "imap_security": "none",
        "smtp_host": "127.0.0.1",
        "smtp_port": mail.smtp_port,
        "smtp_security": "none",
        **changed,
    }
    return [part for field, value in answers.items() for part in ("--set", f"{field}={value}")]


def left_on_disk(folder):
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def endpoint(shop):
    """Where the shop's simulator listens."""
    return load_settings(shop.config).channels["shop"].settings["endpoint"]


@pytest.fixture
def bare(shop, endpoint, aftersail):
    """The servers of a shop, and a desk that knows none of them."""
    aftersail.config.unlink()
    (aftersail.config.parent / "aftersail.secrets").unlink()
    (aftersail.config.parent / "aftersail.key").unlink()
    aftersail("init")
    return aftersail


def test_email_is_added_after_its_login_works(bare, shop, tmp_path):
    # What is not set is asked: the name, users, folders, days, trusted host, patience; the password is typed blind.
    typed = f"\n\n{shop.mail.password}\n" + "\n" * 12
    result = bare("channel", "add", "email", "--id", "mail", *mail_answers(shop.mail), typed=typed)
    assert "works" in result.stdout
    assert "saved channel mail; next: aftersail sync --channel mail" in result.stdout
    assert shop.mail.password not in result.output
    assert shop.mail.password.encode() not in left_on_disk(tmp_path)
    assert load_settings(bare.config).channels["mail"].settings["imap_port"] == shop.mail.imap_port
    assert bare("sync", "--channel", "mail").exit_code == 0
    assert shop.mail.password.encode() not in left_on_disk(tmp_path)
    assert (tmp_path / "aftersail.secrets").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "aftersail.key").stat().st_mode & 0o777 == 0o600


def test_everything_is_asked_where_nothing_is_set(bare, endpoint):
    typed = f"test.myshopify.com\n{TOKEN}\n\n\n{endpoint}\n\n"
    result = bare("channel", "add", "shopify", typed=typed)
    assert "Shop domain" in result.stdout
    assert "saved channel shopify" in result.stdout
    assert TOKEN not in result.output
    assert load_settings(bare.config).channels["shopify"].settings["endpoint"] == endpoint


def test_a_wrong_password_saves_nothing(bare, shop, tmp_path):
    before = bare.config.read_bytes()
    typed = f"\n\n{WRONG}\n" + "\n" * 12
    said = bare.fails("channel", "add", "email", *mail_answers(shop.mail), typed=typed)
    assert "refuses the login of 'help@shop.example'" in said
    assert WRONG not in said
    assert bare.config.read_bytes() == before
    assert not (tmp_path / "aftersail.secrets").exists()
    assert WRONG.encode() not in left_on_disk(tmp_path)


def test_a_host_that_cannot_be_reached_saves_nothing(bare, shop, tmp_path):
    typed = "\n\nany\n" + "\n" * 12
    said = bare.fails("channel", "add", "email", *mail_answers(shop.mail, imap_port=9), typed=typed)
    assert "127.0.0.1:9 cannot be reached" in said
    assert "check host, port and security" in said
    assert not (tmp_path / "aftersail.secrets").exists()
    assert not load_settings(bare.config).channels


def test_secrets_come_from_the_environment_without_being_asked(bare, endpoint):
    settings = ["--set", "shop=test.myshopify.com", "--set", f"endpoint={endpoint}"]
    env = {"AFTERSAIL_CHANNEL_EU_ACCESS_TOKEN": TOKEN, "AFTERSAIL_CHANNEL_EU_CLIENT_SECRET": "signs webhooks"}
    result = bare("channel", "add", "shopify", "--id", "eu", *settings, env=env, typed="\n\n")
    assert "token" not in result.stdout
    assert bare("channel", "check", "eu", env=env).exit_code == 0


def test_no_check_saves_without_asking_the_platform(bare, shop):
    settings = mail_answers(shop.mail, imap_port=9)
    result = bare("channel", "add", "email", "--no-check", *settings, typed="\n\nany\n" + "\n" * 12)
    assert "works" not in result.stdout
    assert "email" in load_settings(bare.config).channels
    assert "cannot be reached" in bare.fails("channel", "check", "email")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["emial"], "did you mean 'email'?"),
        (["email", "--set", "imap_hots=x"], "'imap_hots' is no setting of this connector; it has: address"),
        (["email", "--set", "imap_host"], "write FIELD=VALUE"),
        (["email", "--mailbox", "post"], "no channel 'post' to use as mailbox"),
        (["email", "--poll-seconds", "0"], "0 is not in the range"),
    ],
)
def test_what_cannot_be_added_says_why(desk, arguments, said):
    before = desk.config.read_bytes()
    result = desk("channel", "add", *arguments, code=1 if "FIELD" not in said and "range" not in said else 2)
    assert said in result.stderr
    assert desk.config.read_bytes() == before


def test_a_wrong_value_names_the_field(bare, shop):
    said = bare.fails(
        "channel", "add", "email", *mail_answers(shop.mail, imap_security="tls"), typed="\n\nx\n" + "\n" * 12
    )
    assert "channel email: imap_security: " in said
    assert not load_settings(bare.config).channels


def test_a_channel_is_not_added_twice(open_desk):
    said = open_desk.fails("channel", "add", "email", "--id", "mail")
    assert "there is a channel 'mail' already" in said


def test_list_shows_how_channels_stand(open_desk, shop):
    open_desk("sync", "--channel", "mail")
    shop.mail.change_password("another")
    open_desk("sync", "--channel", "mail", code=1)
    rows = {row["id"]: row for row in open_desk.json("channel", "list")}
    assert rows["mail"]["failures"] == 1
    assert rows["mail"]["attention"].endswith("run: aftersail channel renew mail")
    assert rows["shop"]["synced_at"] is None
    assert "aftersail channel renew mail" in open_desk("channel", "list").stdout


def test_renew_takes_the_new_password_and_the_channel_works_again(open_desk, shop, tmp_path):
    shop.mail.change_password("the new one")
    open_desk("sync", "--channel", "mail", code=1)
    result = open_desk("channel", "renew", "mail", typed="the new one\n\n")
    assert "channel mail works again" in result.stdout
    assert "the new one" not in result.output
    row = next(row for row in open_desk.json("channel", "list") if row["id"] == "mail")
    assert (row["attention"], row["failures"]) == (None, 0)
    open_desk("sync", "--channel", "mail")


def test_renew_with_a_wrong_password_keeps_the_old_one(open_desk):
    assert WRONG not in open_desk.fails("channel", "renew", "mail", typed=f"{WRONG}\n\n")
    assert "works" in open_desk("channel", "check", "mail").stdout


def test_renew_changes_secrets_only(open_desk):
    said = open_desk.fails("channel", "renew", "mail", "--set", "imap_host=other.example")
    assert "imap_host is no secret; change it in" in said


def test_remove_takes_the_channel_and_its_secrets(open_desk, tmp_path):
    from aftersail.core.runtime.secrets import SecretStore

    open_desk("channel", "list")
    open_desk("channel", "remove", "shop", typed="n\n", code=1)
    assert "shop" in load_settings(open_desk.config).channels
    open_desk("channel", "remove", "shop", "--yes")
    assert list(load_settings(open_desk.config).channels) == ["mail"]
    assert SecretStore(tmp_path).get("shop", "access_token") is None
    assert SecretStore(tmp_path).get("mail", "imap_password") is not None
    assert [row["id"] for row in open_desk.json("channel", "list")] == ["mail"]


def test_the_mailbox_of_another_channel_is_not_removed(open_desk):
    before = open_desk.config.read_bytes()
    said = open_desk.fails("channel", "remove", "mail", "--yes")
    assert "channel shop answers its buyers through mail" in said
    assert open_desk.config.read_bytes() == before
    open_desk("channel", "list")


@pytest.mark.parametrize("command", ["check", "renew"])
def test_an_unknown_channel_names_those_there_are(open_desk, command):
    assert "configured are: mail, shop" in open_desk.fails("channel", command, "shpo")


def test_a_plugin_that_is_gone_names_what_to_install(desk):
    desk.config.write_text("channels: {sales: {connector: cornershop}}\n")
    assert "pip install aftersail-cornershop" in desk.fails("channel", "check", "sales")
    assert "pip install aftersail-cornershop" in desk.fails("sync")


def statuses(desk, code=0):
    return {row["id"]: row for row in desk.json("channel", "status", code=code)}


def test_status_names_the_command_that_mends(open_desk, shop):
    assert {row["mend"] for row in statuses(open_desk).values()} == {
        "aftersail sync --channel mail",
        "aftersail sync --channel shop",
    }
    open_desk("sync")
    assert {(row["state"], row["why"], row["mend"]) for row in statuses(open_desk).values()} == {("well", None, None)}
    shop.shop.fail_next("*", 401, times=5)
    open_desk("sync", "--channel", "shop", code=1)
    found = statuses(open_desk, code=1)
    assert found["mail"]["state"] == "well"
    assert (found["shop"]["state"], found["shop"]["failures"]) == ("attention", 1)
    assert found["shop"]["mend"] == "aftersail channel renew shop"
    assert found["shop"]["synced_at"] is not None
    assert found["shop"]["due_at"] is not None
    table = open_desk("channel", "status", "shop", code=1).stdout
    assert "aftersail channel renew shop" in table
    assert "mail" not in table


def test_status_tells_why_a_channel_fails(open_desk, shop):
    text = open_desk.config.read_text()
    port = f"imap_port: {shop.mail.imap_port}"
    open_desk.config.write_text(text.replace(port, "imap_port: 9"))
    open_desk("sync", "--channel", "mail", code=1)
    row = statuses(open_desk)["mail"]
    assert (row["state"], row["mend"]) == ("failing", "aftersail channel check mail")
    assert row["why"].startswith("Unavailable: ")


def test_status_of_a_plugin_that_is_gone_names_what_to_install(desk):
    desk.config.write_text(
        f"{desk.config.read_text().replace('channels: {}', '')}\nchannels: {{sales: {{connector: cornershop}}}}\n"
    )
    desk("sync", code=1)
    row = statuses(desk, code=1)["sales"]
    assert row["mend"] == "pip install aftersail-cornershop"


def test_status_counts_what_is_on_its_way_and_what_was_given_up(open_desk, shop):
    shop.buy_and_complain()
    open_desk("sync")
    found = statuses(open_desk)
    assert sum(row["unsent"] for row in found.values()) >= 1
    assert {row["parked"] for row in found.values()} == {0}
    assert "configured are: mail, shop" in open_desk.fails("channel", "status", "shpo")
