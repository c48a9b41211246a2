"""Real mail servers for the connector: pymap and aiosmtpd in memory, and Dovecot where it is installed."""

from __future__ import annotations

import grp
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from imap_tools import MailBoxUnencrypted

from aftersail.sdk import ChannelContext
from aftersail_email import EmailConnector, EmailSettings
from aftersail_email.simulator import MailSimulator

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECRET = "correct-horse-battery"


@dataclass
class Box:
    """A mailbox under test, whichever server holds it, and the outgoing server beside it."""

    simulator: MailSimulator
    imap_port: int
    username: str
    name: str

    def connector(self, **changes) -> EmailConnector:
        values = {
            "address": "help@shop.example",
            "display_name": "The Shop",
            "imap_host": "127.0.0.1",
            "imap_port": self.imap_port,
            "imap_security": "none",
            "imap_username": self.username,
            "imap_password": SECRET,
            "smtp_host": "127.0.0.1",
            "smtp_port": self.simulator.smtp_port,
            "smtp_security": "none",
            "smtp_username": "help@shop.example",
            "timeout": 10,
        }
        context = ChannelContext(channel_id="mailbox", now=lambda: NOW, random=random.Random(1))
        return EmailConnector(EmailSettings.model_validate(values | changes), context)

    def deliver(self, content: bytes, received_at: datetime = NOW - timedelta(hours=1), folder: str = "INBOX") -> None:
        if self.name == "pymap":
            self.simulator.deliver(content, received_at, folder)
            return
        with self.open() as box:
            box.append(content, folder, dt=received_at)

    def open(self) -> MailBoxUnencrypted:
        return MailBoxUnencrypted("127.0.0.1", self.imap_port, timeout=10).login(
            self.username, SECRET, initial_folder=None
        )

    def make_folder(self, name: str) -> None:
        with self.open() as box:
            box.folder.create(name)


@pytest.fixture
def simulator() -> Iterator[MailSimulator]:
    with MailSimulator(password=SECRET) as simulator:
        yield simulator


@pytest.fixture
def plain(simulator: MailSimulator) -> Box:
    """The mailbox on the simulator alone, for what Dovecot does not decide."""
    return Box(simulator, simulator.imap_port, simulator.address, "pymap")


@pytest.fixture(params=["pymap", "dovecot"])
def box(request) -> Box:
    """The same mailbox on each server."""
    return request.getfixturevalue("plain" if request.param == "pymap" else "dovecot_box")


@pytest.fixture
def dovecot_box(dovecot: int, simulator: MailSimulator, request) -> Box:
    return Box(simulator, dovecot, f"user{abs(hash(request.node.nodeid))}@shop.example", "dovecot")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed; it makes the certificate of the TLS tests")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(
        [program, "req", *kind, *subject, "-out", str(cert), "-keyout", str(key)], check=True, capture_output=True
    )
    return cert, key


@pytest.fixture(scope="session")
def dovecot(certificate) -> Iterator[int]:
    """Dovecot on loopback, as the current user, with any user name and one password; TLS on the next port."""
    program = shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("dovecot is not installed; apt-get install dovecot-imapd")
    folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
    owner = _owner()
    folder.chmod(0o755)
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    port = _two_free_ports()
    config = folder / "dovecot.conf"
    config.write_text(_config(folder, port, owner, certificate))
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen([program, "-F", "-c", str(config)], stdout=subprocess.DEVNULL, stderr=stderr)
    try:
        _wait_for(port, process, folder)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _two_free_ports() -> int:
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def _owner() -> pwd.struct_passwd:
    """Who holds the mail: the current user, but for root, whom Dovecot refuses."""
    return pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())


def _config(folder: Path, port: int, owner: pwd.struct_passwd, certificate: tuple[Path, Path]) -> str:
    login, internal = ("dovenull", "dovecot") if os.getuid() == 0 else (owner.pw_name, owner.pw_name)
    group = grp.getgrgid(pwd.getpwnam(internal).pw_gid).gr_name
    return f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate[0]}
ssl_key = <{certificate[1]}
disable_plaintext_auth = no
first_valid_uid = 0
first_valid_gid = 0
default_login_user = {login}
default_internal_user = {internal}
default_internal_group = {group}
mail_location = maildir:{folder}/mail/%u
mail_uid = {owner.pw_uid}
mail_gid = {owner.pw_gid}
mailbox_list_index = no
passdb {{
  driver = static
  args = password={SECRET}
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={folder}/home/%u allow_all_users=yes
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {port + 1}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


def _wait_for(port: int, process: subprocess.Popen, folder: Path) -> None:
    for _ in range(100):
        if process.poll() is not None:
            pytest.skip(f"dovecot does not start as this user: {(folder / 'stderr').read_text()[-300:]}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)  # a foreign process has no other way to say that it listens
        else:
            return
    pytest.fail(f"dovecot does not listen: {(folder / 'log').read_text()[-500:]}")
