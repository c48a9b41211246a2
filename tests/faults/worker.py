"""One process of a fleet whose channels are marketplaces in boxes: `python worker.py SETTINGS ROLE`."""

from __future__ import annotations

import sys
from pathlib import Path

from aftersail.core.host import Host
from aftersail.core.host.plugins import Candidate
from aftersail.core.runtime.app import App
from aftersail.core.runtime.channels import ChannelDirectory
from aftersail.core.runtime.daemon import Daemon, Role
from tests.faults.connector import Plugin


def open_app(settings: Path) -> App:
    """Open the application with the marketplaces' connectors and no other."""
    app = App.open(settings, plugins=False)
    app.host = Host([Candidate(name="market", distribution="market 1", load=Plugin)])
    app.channels = ChannelDirectory(app.host, app.settings, app.secrets, app.now, app.engine)
    return app


if __name__ == "__main__":
    with open_app(Path(sys.argv[1])) as opened:
        Daemon(opened, role=Role(sys.argv[2])).run()
