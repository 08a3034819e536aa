"""Machines of other kinds: one without certificates, one with AWS's own addresses on it, one with a proxy before it."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent

# Where systems keep certificates.
STORES = [
    *("/etc/ssl", "/etc/pki", "/etc/openssl", "/etc/certs", "/etc/ca-certificates", "/opt/etc/ssl", "/var/ssl"),
    *("/usr/lib/ssl", "/usr/ssl", "/usr/share/ssl", "/usr/share/ca-certificates", "/usr/share/pki", "/usr/local/ssl"),
    *("/usr/local/openssl", "/usr/local/etc/openssl", "/usr/local/share/certs", "/usr/local/share/ca-certificates"),
]
COVER = """
empty=$1; shift
while [ "$1" != -- ]; do
    if [ -d "$1" ]; then mount --bind "$empty" "$1" || exit 99; fi
    shift
done
shift
exec "$@"
"""


def need(able: bool, what: str) -> None:
    """Skips what this machine cannot do; in CI that is a failure."""
    if not able:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have {what}", pytrace=False)
        pytest.skip(f"there is no {what}")


def can_unshare(*options: str) -> bool:
    unshare = shutil.which("unshare")
    return unshare is not None and subprocess.run([unshare, *options, "true"], capture_output=True).returncode == 0


def without_certificates(empty: Path) -> list[str]:
    """What starts a program on a machine that trusts nobody."""
    need(can_unshare("-rm"), "way to mount in a namespace of one's own")
    empty.mkdir()
    return ["unshare", "-rm", "sh", "-c", COVER, "sh", str(empty), *STORES, "--"]


@dataclass
class Network:
    """A network of its own: listeners on addresses that a program in it reaches."""

    listeners: dict[str, socket.socket]
    # What starts a program there.
    wrapper: list[str]


@contextlib.contextmanager
def network(**addresses: str) -> Iterator[Network]:
    """`addresses` are of the form ADDRESS PORT, by any name."""
    need(can_unshare("-rn") and shutil.which("ip") is not None, "way to have a network namespace of one's own")
    ours, theirs = socket.socketpair()
    command = ["unshare", "-rn", sys.executable, str(HERE / "network.py"), str(theirs.fileno()), *addresses.values()]
    with ours, subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE, text=True) as holder:
        theirs.close()
        ours.settimeout(10)
        _, descriptors, _, _ = socket.recv_fds(ours, 1, len(addresses))
        assert len(descriptors) == len(addresses), holder.communicate(timeout=10)[1]
        listeners = dict(zip(addresses, (socket.socket(fileno=descriptor) for descriptor in descriptors)))
        try:
            yield Network(listeners, ["nsenter", "--preserve-credentials", "-U", "-n", "-t", str(holder.pid), "--"])
        finally:
            holder.terminate()


@dataclass
class Tinyproxy:
    address: str
    log: Path

    @property
    def requests(self) -> list[str]:
        """The request lines that reached it."""
        return re.findall(r"Request \(file descriptor \d+\): (.*) HTTP/", self.log.read_text())


# Where it connects from, so that whoever is behind it sees that it was used.
PROXY_PEER = "127.0.0.2"


def free_port() -> int:
    """One that no connection takes meanwhile, since those get higher ones."""
    while True:
        port = random.randrange(10_000, 30_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@contextlib.contextmanager
def tinyproxy(folder: Path, *lines: str) -> Iterator[Tinyproxy]:
    program = shutil.which("tinyproxy")
    need(program is not None, "tinyproxy")
    assert program is not None
    port = free_port()
    log = folder / "tinyproxy.log"
    settings = [f"Port {port}", "Listen 127.0.0.1", f"Bind {PROXY_PEER}", f'LogFile "{log}"', "LogLevel Connect"]
    configuration = folder / "tinyproxy.conf"
    configuration.write_text("\n".join([*settings, *lines, ""]))
    with subprocess.Popen([program, "-d", "-c", str(configuration)], stderr=subprocess.PIPE, text=True) as process:
        try:
            while True:
                assert process.poll() is None, f"tinyproxy ended: {process.communicate()[1]}"
                with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.01)
            yield Tinyproxy(f"127.0.0.1:{port}", log)
        finally:
            process.terminate()
