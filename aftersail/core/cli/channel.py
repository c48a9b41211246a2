"""`aftersail channel`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import rich_click as click

from aftersail.core.cli.output import json_option, print_rows

if TYPE_CHECKING:
    from pydantic import BaseModel

    from aftersail.core.runtime.app import App

_COLUMNS: Final = {
    "id": "Channel",
    "kind": "Connector",
    "synced_at": "Last sync",
    "due_at": "Next",
    "failures": "Failures",
    "attention": "Needs attention",
}

_STATUS: Final = {
    "id": "Channel",
    "state": "State",
    "synced_at": "Last success",
    "due_at": "Next",
    "failures": "Failures",
    "unsent": "Unsent",
    "parked": "Parked",
    "mend": "Mend",
    "why": "Why",
}


@click.group()
def channel() -> None:
    """Add, list, check, renew and remove channels."""


@channel.command("list")
@json_option
@click.pass_context
def list_channels(ctx: click.Context, as_json: bool) -> None:
    """List channels and how they stand."""
    import sqlalchemy as sa

    from aftersail.core.cli.session import open_app
    from aftersail.core.store import tables
    from aftersail.core.store.engine import reading

    with open_app(ctx) as app:
        app.register_channels()
        with reading(app.engine).connect() as conn:
            query = sa.select(tables.channel).where(tables.channel.c.active).order_by(tables.channel.c.id)
            rows = [dict(row._mapping) for row in conn.execute(query)]  # noqa: SLF001 - SQLAlchemy's public name
    print_rows(rows, _COLUMNS, as_json=as_json, empty="no channels; aftersail channel add", wide="Needs attention")


@channel.command()
@click.argument("name", required=False)
@json_option
@click.pass_context
def status(ctx: click.Context, name: str | None, as_json: bool) -> None:
    """Tell how channels stand, why one is not well, and the command that mends it; code 1 if a person is needed."""
    from aftersail.core.cli.session import open_app
    from aftersail.core.insight.channel_status import channel_statuses
    from aftersail.core.insight.health import ChannelState
    from aftersail.core.store.engine import reading

    with open_app(ctx) as app:
        app.register_channels()
        if name is not None:
            _configured(app, name)
        with reading(app.engine).connect() as conn:
            found = [
                each
                for each in channel_statuses(conn, app.now())
                if each.id == name or (name is None and each.state is not ChannelState.OFF)
            ]
    rows = [dict(each) for each in found]
    print_rows(rows, _STATUS, as_json=as_json, empty="no channels; aftersail channel add", wide="Why")
    if any(each.state is ChannelState.ATTENTION for each in found):
        ctx.exit(1)


@channel.command()
@click.argument("connector")
@click.option("--id", "name", help="The channel's id; the connector's kind unless given.")
@click.option("--set", "given", multiple=True, metavar="FIELD=VALUE", help="Answer a question beforehand.")
@click.option("--mailbox", help="The e-mail channel that answers its buyers.")
@click.option("--signature", default="", help="Who signs answers, such as the shop's name.")
@click.option("--poll-seconds", type=click.IntRange(1, 86400), default=60, show_default=True)
@click.option("--no-check", is_flag=True, help="Save without asking the platform whether the account works.")
@click.pass_context
def add(
    ctx: click.Context,
    connector: str,
    name: str | None,
    given: tuple[str, ...],
    mailbox: str | None,
    signature: str,
    poll_seconds: int,
    no_check: bool,
) -> None:
    """Add a channel: asks for what the connector needs, checks the account, then saves.

    Secrets are asked for without showing them, or read from the environment, and kept encrypted beside the settings.
    """
    from aftersail.core.cli.session import open_app
    from aftersail.core.runtime.channels import ChannelConfigError
    from aftersail.core.runtime.edit import add_channel
    from aftersail.core.runtime.settings import ChannelSettings

    with open_app(ctx, check_schema=False) as app:
        name = name or connector
        if name in app.settings.channels:
            raise ChannelConfigError(
                f"there is a channel {name!r} already; give another --id, or: channel renew {name}"
            )
        if mailbox is not None and mailbox not in app.settings.channels:
            raise ChannelConfigError(f"there is no channel {mailbox!r} to use as mailbox; aftersail channel list")
        model = app.host.connector_type(connector).settings_model
        plain, secrets = _ask(model, name, _parse(given), app)
        configured = ChannelSettings(
            connector=connector, poll_seconds=poll_seconds, mailbox=mailbox, signature=signature, settings=plain
        )
        _check_and_keep(app, name, configured, secrets, check=not no_check)
        add_channel(ctx.obj["config"], name, configured)
    click.echo(f"saved channel {name}; next: aftersail sync --channel {name}")


@channel.command()
@click.argument("name")
@click.option("--set", "given", multiple=True, metavar="FIELD=VALUE", help="Answer a question beforehand.")
@click.pass_context
def renew(ctx: click.Context, name: str, given: tuple[str, ...]) -> None:
    """Give a channel new secrets, after it needed attention; it is synced again at once."""
    import sqlalchemy as sa

    from aftersail.core.cli.session import open_app
    from aftersail.core.runtime.channels import ChannelConfigError, secret_fields
    from aftersail.core.store import tables

    with open_app(ctx) as app:
        configured = _configured(app, name)
        model = app.host.connector_type(configured.connector).settings_model
        answers = _parse(given)
        plain = next((field for field in answers if field in model.model_fields.keys() - secret_fields(model)), None)
        if plain is not None:
            raise ChannelConfigError(f"{plain} is no secret; change it in {ctx.obj['config']} under channels.{name}")
        _, secrets = _ask(model, name, answers, app, only_secrets=True)
        _check_and_keep(app, name, configured, secrets, check=True)
        table = tables.channel
        with app.engine.begin() as conn:
            conn.execute(
                sa.update(table).where(table.c.id == name).values(attention=None, due_at=app.now(), failures=0)
            )
    click.echo(f"channel {name} works again")


@channel.command()
@click.argument("name")
@click.pass_context
def check(ctx: click.Context, name: str) -> None:
    """Ask the platform whether the account works."""
    from aftersail.core.cli.session import open_app

    with open_app(ctx, check_schema=False) as app:
        _configured(app, name)
        account = app.channels.get(name).check_account()
    click.echo(f"{account.title} ({account.external_id}) works")
    for warning in account.warnings:
        click.echo(f"warning: {warning}", err=True)


@channel.command()
@click.argument("name")
@click.confirmation_option(prompt="Tickets stay, but the channel is not synced any more. Go on?")
@click.pass_context
def remove(ctx: click.Context, name: str) -> None:
    """Remove a channel and its secrets; what came through it stays."""
    from aftersail.core.cli.session import open_app
    from aftersail.core.runtime.channels import ChannelConfigError
    from aftersail.core.runtime.edit import remove_channel

    with open_app(ctx, check_schema=False) as app:
        _configured(app, name)
        needed = next((other for other, it in app.settings.channels.items() if it.mailbox == name), None)
        if needed is not None:
            raise ChannelConfigError(
                f"channel {needed} answers its buyers through {name}; first take `mailbox` off channels.{needed}"
            )
        remove_channel(ctx.obj["config"], name)
        app.secrets.forget(name)
    click.echo(f"removed channel {name}")


def _configured(app: App, name: str) -> Any:
    from aftersail.core.runtime.channels import ChannelConfigError

    configured = app.settings.channels.get(name)
    if configured is None:
        known = ", ".join(app.settings.channels) or "none"
        raise ChannelConfigError(f"there is no channel {name!r}; configured are: {known}")
    return configured


def _parse(given: tuple[str, ...]) -> dict[str, str]:
    pairs = [item.partition("=") for item in given]
    wrong = next((field for field, sign, _ in pairs if not sign), None)
    if wrong is not None:
        raise click.UsageError(f"--set {wrong}: write FIELD=VALUE")
    return {field: value for field, _, value in pairs}


def _ask(
    model: type[BaseModel], name: str, given: dict[str, Any], app: App, *, only_secrets: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ask for every field that is not given, secrets without showing them; return plain values and secrets."""
    from pydantic import SecretStr
    from pydantic_core import PydanticUndefined

    from aftersail.core.runtime.channels import ChannelConfigError, secret_fields

    unknown = [field for field in given if field not in model.model_fields]
    if unknown:
        raise ChannelConfigError(
            f"{unknown[0]!r} is no setting of this connector; it has: {', '.join(model.model_fields)}"
        )
    hidden = secret_fields(model)
    plain: dict[str, Any] = {}
    secrets: dict[str, Any] = {}
    for field, info in model.model_fields.items():
        is_secret = field in hidden
        if field in given:
            value: Any = given[field]
        elif is_secret and (known := app.secrets.get(name, field)) is not None and not only_secrets:
            value = known.get_secret_value()
        elif only_secrets and not is_secret:
            continue
        elif info.is_required():
            value = click.prompt(f"{info.title or field} ({info.description or field})", hide_input=is_secret)
        elif is_secret:
            value = click.prompt(
                f"{info.title or field} (empty for none)", default="", show_default=False, hide_input=True
            )
        else:
            default = info.get_default(call_default_factory=False)
            shown = default is not None and default is not PydanticUndefined
            value = click.prompt(info.title or field, default=default if shown else "", show_default=shown)
        if value in {"", None}:
            continue
        if is_secret:
            secrets[field] = SecretStr(str(value))
        else:
            plain[field] = value
    return plain, secrets


def _check_and_keep(app: App, name: str, configured: Any, secrets: dict[str, Any], *, check: bool) -> None:
    """Check the account with what was answered, and keep the secrets only if it works."""
    from aftersail.core.runtime.channels import build_settings

    model = app.host.connector_type(configured.connector).settings_model
    settings = build_settings(name, model, configured.settings, _Answers(secrets))
    for field in configured.settings:  # "993" typed in becomes 993 in the file
        configured.settings[field] = settings.model_dump(mode="json")[field]
    if check:
        channel = app.channels.build_from(name, configured.connector, settings)
        try:
            account = channel.check_account()
        finally:
            channel.close()
        click.echo(f"{account.title} works")
        for warning in account.warnings:
            click.echo(f"warning: {warning}", err=True)
    if secrets:
        app.secrets.put(name, secrets)


class _Answers:
    """Secrets that were just typed in and are not kept yet."""

    def __init__(self, secrets: dict[str, Any]) -> None:
        self._secrets = secrets

    def get(self, _: str, field: str) -> Any:
        return self._secrets.get(field)
