"""What the seller tells of a mailbox."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, SecretStr

from aftersail.sdk import ConnectorSettings


class Security(StrEnum):
    """How a connection is protected."""

    SSL = "ssl"
    """TLS from the first byte (IMAP 993, SMTP 465)."""
    STARTTLS = "starttls"
    """Plain at first, then TLS (IMAP 143, SMTP 587); refused where the server does not offer it."""
    NONE = "none"
    """No protection: for a server on the same machine only."""


class EmailSettings(ConnectorSettings):
    """One mailbox: read by IMAP, answered by SMTP."""

    address: str = Field(
        title="Address",
        description="The mailbox's own address; answers are sent from it.",
        pattern=r"^[^@\s]+@[^@\s]+$",
        examples=["help@shop.example"],
    )
    display_name: str = Field(default="", title="Name", description="The name buyers see before the address.")
    imap_host: str = Field(title="IMAP host", description="The server that holds the mailbox.")
    imap_port: int = Field(
        default=993, ge=1, le=65535, title="IMAP port", description="993 for ssl, 143 for starttls and none."
    )
    imap_security: Security = Field(
        default=Security.SSL, title="IMAP security", description="ssl, starttls, or none on the same machine."
    )
    imap_username: str = Field(
        default="", title="IMAP user", description="The login name; the address where it is left empty."
    )
    imap_password: SecretStr = Field(
        title="IMAP password", description="The password, or the app password where the provider wants one."
    )
    folder: str = Field(default="INBOX", title="Folder", description="The folder buyers' mail arrives in.")
    sent_folder: str | None = Field(
        default=None,
        title="Sent folder",
        description="Where copies of sent mail are kept. It is read too, so that an answer from another mail program"
        " stops the clocks. Left empty, no copies are kept.",
    )
    since_days: int = Field(
        default=30,
        ge=0,
        le=3650,
        title="Days to look back",
        description="How old a mail the first sync takes, in days.",
    )
    authserv_id: str | None = Field(
        default=None,
        title="Trusted mail host",
        description="The name your receiving host writes first into Authentication-Results, such as mx.google.com."
        " Left empty, no mail counts as proven to be from whom it claims.",
    )
    smtp_host: str = Field(title="SMTP host", description="The server that sends answers.")
    smtp_port: int = Field(
        default=465, ge=1, le=65535, title="SMTP port", description="465 for ssl, 587 for starttls, 25 for none."
    )
    smtp_security: Security = Field(
        default=Security.SSL, title="SMTP security", description="ssl, starttls, or none on the same machine."
    )
    smtp_username: str | None = Field(
        default=None,
        title="SMTP user",
        description="The login name for sending; the IMAP one where it is left out, no login where it is empty.",
    )
    smtp_password: SecretStr | None = Field(
        default=None, title="SMTP password", description="The password for sending; the IMAP one where it is left out."
    )
    timeout: float = Field(
        default=30.0, gt=0, le=600, title="Patience", description="Seconds to wait for a server before giving up."
    )
