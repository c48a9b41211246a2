"""`aftersail.yaml`: what a seller writes, checked with line, column and the key that was meant."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError

from aftersail.core.desk.declared import CustomerRow, Declared, Delivery, GoodsRow, unreached
from aftersail.core.desk.retention import PrivacySettings
from aftersail.core.desk.roster import Roster, complaints
from aftersail.core.policy.document import Document, read_document
from aftersail.core.policy.problems import PackError, Problem, did_you_mean

_SECRET_LINE: Final = re.compile(r"(?i)((?:passw|secret|token|key)[^:]*:\s*)\S.*")
_URL_PASSWORD: Final = re.compile(r"(://[^/@\s:]*:).*@")

DEFAULT_FILE: Final = Path("aftersail.yaml")


class SettingsError(Exception):
    """The settings cannot be used; the text names file, line, column and the fix."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PluginSettings(_Section):
    """Which plugins to leave alone."""

    disabled: tuple[str, ...] = ()


class WebSettings(_Section):
    """Where the desk's pages are served, such as `127.0.0.1:8080`; no address, no pages.

    `allow_remote` lets others than this machine in: there is no sign-in yet, so put a proxy with one in front.
    `metrics_token` lets whoever shows it (`Authorization: Bearer …`) read `/metrics` and the reasons of `/readyz` from
    another machine; the environment variable `AFTERSAIL_METRICS_TOKEN` wins over it.
    """

    listen: str | None = None
    allow_remote: bool = False
    metrics_token: SecretStr | None = Field(default=None, min_length=16)


class ReadyLimits(_Section):
    """How far things may be behind, in seconds, before `/readyz` answers 503.

    Attributes:
        queue_lag: how long a job may wait for its turn.
        unsent_reply: how long an answer that nobody needs to approve may wait to leave.
        channel: how long ago a channel's last good sync may be; never less than three of its own polls.
    """

    queue_lag: int = Field(default=300, ge=1)
    unsent_reply: int = Field(default=900, ge=1)
    channel: int = Field(default=3600, ge=1)


class LogSettings(_Section):
    """How much is logged and in which form."""

    level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    json_lines: bool = False


class ChannelSettings(_Section):
    """One account on one platform.

    Attributes:
        connector: the kind, such as `shopify`.
        poll_seconds: how often it is synced.
        mailbox: id of the e-mail channel that answers its buyers, where the platform has no message API.
        signature: who signs answers.
        return_address: where goods come back to, for labels that a person makes.
        settings: what the connector's settings model needs; its secrets are kept apart.
    """

    connector: str
    poll_seconds: int = Field(default=60, ge=1, le=86400)
    mailbox: str | None = None
    signature: str = ""
    return_address: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)


class DeskSettings(Roster):
    """Who works at the desk, and what they are shown.

    Attributes:
        solutions: a file of the seller's own solutions for common complaints, which go before the shipped ones.
    """

    solutions: Path | None = None


class Settings(_Section):
    """All settings.

    Attributes:
        database: `sqlite:///file.db` or `postgresql://…`; a relative SQLite path counts from the settings file.
        pack: id of the policy pack in use.
        packs: folder with the seller's own packs.
        ready: how far things may be behind before the desk counts as not ready.
        desk: who works at the desk, and who gets which tickets.
        goods: what the seller knows of the goods, the first row that says something of an article before the others.
        delivery: what delivery costs.
        customers: what buyers are worth; the first row that fits counts.
        privacy: what is forgotten by schedule.
    """

    database: str = "sqlite:///aftersail.db"
    pack: str = "starter"
    packs: Path | None = None
    plugins: PluginSettings = PluginSettings()
    web: WebSettings = WebSettings()
    ready: ReadyLimits = ReadyLimits()
    log: LogSettings = LogSettings()
    desk: DeskSettings = DeskSettings()
    goods: tuple[GoodsRow, ...] = ()
    delivery: Delivery = Delivery()
    customers: tuple[CustomerRow, ...] = ()
    privacy: PrivacySettings = PrivacySettings()
    channels: dict[str, ChannelSettings] = Field(default_factory=dict)
    _document: Document | None = PrivateAttr(default=None)

    @property
    def declared(self) -> Declared:
        """What the seller says of goods, delivery and buyers."""
        return Declared(goods=self.goods, delivery=self.delivery, customers=self.customers)

    def place(self, *path: str) -> str:
        """Say where a key stands, as `file:line:column: `; empty where these settings came from no file."""
        if self._document is None:
            return ""
        problem = self._document.problem(path, "", at_key=True)
        return f"{problem.file}:{problem.line}:{problem.column}: "


def load_settings(path: Path) -> Settings:
    """Read and check the settings file.

    The environment variable `AFTERSAIL_DATABASE` wins over the file, so that a password needs not stand in it.

    Raises:
        SettingsError: there is no such file, or something in it is wrong.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise SettingsError(f"{path} is not there; `aftersail init` writes one, --config names another") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    try:
        document = read_document(content, str(path))
    except PackError as error:
        raise _refused(error.problems) from None
    if not isinstance(document.data, dict):
        raise _refused([document.problem((), "this is no settings file", "write keys and values: pack: starter")])
    try:
        settings = Settings.model_validate(document.data)
    except ValidationError as error:
        raise _refused(_problem(document, details) for details in error.errors()) from None
    for name, channel in settings.channels.items():
        if channel.mailbox is not None and channel.mailbox not in settings.channels:
            meant = did_you_mean(channel.mailbox, settings.channels)
            where = ("channels", name, "mailbox")
            raise _refused([document.problem(where, f"there is no channel {channel.mailbox!r}", meant)])
    wrong = [
        document.problem(("desk", *where), what, fix)
        for where, what, fix in complaints(settings.desk, settings.channels)
    ]
    wrong += [
        document.problem(("customers", index), "nobody comes to this row", "put the row without conditions last")
        for index in unreached(settings.customers)
    ]
    if wrong:
        raise _refused(wrong)
    settings = _resolved(settings, path)
    settings._document = document  # noqa: SLF001 - its own module; pydantic keeps private values out of the constructor
    return settings


def _refused(problems: Iterable[Problem]) -> SettingsError:
    ordered = sorted(problems, key=lambda problem: (problem.line, problem.column))
    return SettingsError("\n".join(str(_hushed(problem)) for problem in ordered))


def _hushed(problem: Problem) -> Problem:
    """Show a line without what may be a secret in it, and without advice that is for packs."""
    source = _URL_PASSWORD.sub(r"\1***@", _SECRET_LINE.sub(r"\1***", problem.source))
    fix = "see the file that `aftersail init` writes" if "pack" in problem.fix else problem.fix
    return problem.model_copy(update={"source": source, "fix": fix})


def _resolved(settings: Settings, path: Path) -> Settings:
    folder = path.resolve().parent
    database = os.environ.get("AFTERSAIL_DATABASE") or settings.database
    prefix = "sqlite:///"
    if database.startswith(prefix) and not Path(database.removeprefix(prefix)).is_absolute():
        database = f"{prefix}{folder / database.removeprefix(prefix)}"
    packs = folder / settings.packs if settings.packs else None
    solutions = folder / settings.desk.solutions if settings.desk.solutions else None
    desk = settings.desk.model_copy(update={"solutions": solutions})
    web = settings.web
    if token := os.environ.get("AFTERSAIL_METRICS_TOKEN"):
        web = web.model_copy(update={"metrics_token": SecretStr(token)})
    return settings.model_copy(update={"database": database, "packs": packs, "desk": desk, "web": web})


def _problem(document: Document, details: Any) -> Problem:
    path = tuple(details["loc"])
    if details["type"] == "extra_forbidden":
        known = _fields_at(path[:-1])
        return document.problem(path, f"unknown key {path[-1]!r}", did_you_mean(str(path[-1]), known), at_key=True)
    if details["type"] == "missing":
        return document.problem(path[:-1], f"the key {path[-1]!r} is missing here", f"add: {path[-1]}: …")
    if path[-1] == "[key]":
        return document.problem(path[:-1], details["msg"], _fix_of(details), at_key=True)
    return document.problem(path, details["msg"], _fix_of(details))


def _fix_of(details: Any) -> str:
    """Return what mends a value, where its validator says so."""
    return str(details.get("ctx", {}).get("fix", ""))


def _fields_at(path: tuple[Any, ...]) -> list[str]:
    """Name the keys that a place in the file may have."""
    annotation: Any = Settings
    for part in path:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            field = annotation.model_fields.get(str(part))
            annotation = field.annotation if field else None
        else:  # the row of a list, or what stands under a name
            annotation = next((each for each in reversed(get_args(annotation)) if each is not Ellipsis), None)
    known = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return list(annotation.model_fields) if known else []
