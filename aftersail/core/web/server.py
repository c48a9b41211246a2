"""Serves the web application beside the daemon, in a thread of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
import uvicorn

from aftersail.core.runtime.app import App
from aftersail.core.web.app import create_app
from aftersail.core.web.listen import Address, ListenError, parse_listen

_log = structlog.get_logger(__name__)

_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 5
_MOST_REQUESTS: Final = 100


@contextmanager
def serve(app: App, listen: str, *, allow_remote: bool = False) -> Iterator[str]:
    """Serve pages, API and webhooks until the block ends; gives the address they are at.

    Args:
        app: the desk.
        listen: `host:port`; port 0 lets the system choose one.
        allow_remote: whether other machines may reach it, although there is no sign-in yet.

    Raises:
        ListenError: the address is none, is taken, or is one that other machines reach although that is not allowed.
    """
    address = parse_listen(listen, allow_remote=allow_remote)
    with _bound(address) as sock:
        server = _server(app, allow_remote=allow_remote)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="web", daemon=True)
        thread.start()
        try:
            _wait(server, thread)
            url = _url(address.host, sock.getsockname()[1])
            _log.info("web_started", url=url)
            yield url
        finally:
            server.should_exit = True
            thread.join(_STOP_SECONDS * 2)
            if thread.is_alive():
                server.force_exit = True
                thread.join(_STOP_SECONDS)
            _log.info("web_stopped", clean=not thread.is_alive())


def _server(app: App, *, allow_remote: bool) -> uvicorn.Server:
    config = uvicorn.Config(
        create_app(app, allow_remote=allow_remote),
        access_log=False,
        limit_concurrency=_MOST_REQUESTS,
        log_config=None,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
        timeout_keep_alive=15,
    )
    return uvicorn.Server(config)


def _bound(address: Address) -> socket.socket:
    """Take the port at once, so that one that is taken is told before any work begins."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server(address, family=family, backlog=128)
    except OSError as error:
        where = f"{address.host}:{address.port}"
        raise ListenError(
            f"cannot listen on {where}: {error.strerror or error}; set web.listen to a free address"
        ) from None


def _wait(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise ListenError("the web server did not start; its log says why")
        time.sleep(0.01)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
