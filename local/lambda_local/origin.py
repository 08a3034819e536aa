"""Refuses requests that a web page can make a browser send here: those for another host name or from another origin.

The signature does not protect functions that skip its check. A page reaches this endpoint under its own address from
any origin, and, once its own host name resolves to this machine (DNS rebinding), even reads the responses.
"""

from __future__ import annotations

import socket
from collections.abc import Collection

from .answers import refusal
from .message import Head


def host_names(host: str, port: int) -> frozenset[str]:
    """Returns the values of Host under which the endpoint is known to its clients."""
    names = (bracketed(host).lower(), "localhost")
    with_port = {f"{name}:{port}" for name in names}
    # Clients leave out the port that is HTTP's own.
    return frozenset(with_port.union(names) if port == 80 else with_port)


def local_names(connection: socket.socket) -> frozenset[str]:
    """Returns the values of Host that name the address on which the connection arrived.

    An endpoint that listens on all addresses is reached by each of them. No DNS answer is involved in an address.
    """
    address, port = connection.getsockname()[:2]
    return host_names(address.partition("%")[0], port)


def bracketed(host: str) -> str:
    """Returns the host as URLs and Host headers write it."""
    return f"[{host}]" if ":" in host else host


def check_origin(head: Head, hosts: Collection[str]) -> None:
    """Raises Refusal unless the request is for one of the hosts, and not from a page of another origin."""
    host = (head.get("host") or "").lower()
    if host not in hosts:
        wanted = " or ".join(sorted(hosts))
        raise refusal(
            "InvalidSignatureException", f"The Host header is '{head.get('host')}', but this endpoint is {wanted}."
        )
    origin = head.get("origin")
    if origin is not None and origin.lower() != f"http://{host}":
        raise refusal("AccessDeniedException", f"This endpoint takes no requests from web pages of '{origin}'.")
    # Older browsers leave Origin out of some requests.
    if head.get("sec-fetch-site") not in (None, "none", "same-origin"):
        raise refusal("AccessDeniedException", "This endpoint takes no requests from web pages of other sites.")
