"""Runs in a network namespace that has nothing: gives it addresses, listens on them, and hands the listeners over.

    network.py SOCKET 'ADDRESS PORT'...

What was handed over listens there, whoever holds it. The namespace lives until this process ends.
"""

from __future__ import annotations

import socket
import subprocess
import sys


def listen(address: str, port: str) -> socket.socket:
    if not address.startswith("127."):
        # An address of IPv6 would have to wait until nobody else claims it.
        options = ["nodad"] if ":" in address else []
        subprocess.run(["ip", "address", "add", address, "dev", "lo", *options], check=True)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, int(port)), family=family, backlog=64)


def main() -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    listeners = [listen(*place.split()) for place in sys.argv[2:]]
    with socket.socket(fileno=int(sys.argv[1])) as receiver:
        socket.send_fds(receiver, [b"x"], [listener.fileno() for listener in listeners])
        receiver.recv(1)


if __name__ == "__main__":
    main()
