"""Where the pages may be served. There is no sign-in yet, so only this machine may see them unless told otherwise."""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple

_ADDRESS: Final = re.compile(r"^(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:\s]+)):(?P<port>\d{1,5})$")
_HIGHEST_PORT: Final = 65535


class ListenError(Exception):
    """The pages cannot be served there; the text says why and what to do."""


class Address(NamedTuple):
    """A host and a TCP port; port 0 lets the system choose."""

    host: str
    port: int


def parse_listen(listen: str, *, allow_remote: bool = False) -> Address:
    """Read `host:port` (`127.0.0.1:8080`, `localhost:8080`, `[::1]:8080`).

    Args:
        listen: the address as configured.
        allow_remote: whether other machines may reach it. The pages show buyers' data and ask nobody who they are.

    Raises:
        ListenError: it is no address, or one that other machines reach although that is not allowed.
    """
    match = _ADDRESS.match(listen)
    port = int(match["port"]) if match else _HIGHEST_PORT + 1
    if match is None or port > _HIGHEST_PORT:
        raise ListenError(f"web.listen is {listen!r}; write it like 127.0.0.1:8080")
    host = match["six"] or match["host"]
    if not is_loopback(host) and not allow_remote:
        raise ListenError(
            f"web.listen is {listen!r}, which other machines can reach, and the pages have no sign-in yet: whoever"
            f" reaches them reads every buyer's data; listen on 127.0.0.1:{port} and let a reverse proxy with a sign-in"
            f" of its own stand before it, or allow it explicitly"
        )
    return Address("127.0.0.1" if host.lower() == "localhost" else host, port)


def is_loopback(host: str) -> bool:
    """Tell whether a name or address can only mean this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(header: str) -> str:
    """Take the name or address out of a Host header, without its port and brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.rpartition(":")[0] if ":" in header else header
