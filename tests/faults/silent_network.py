"""Runs a program in a network of its own, whose only server can be made silent in the middle of a call.

    silent_network.py PROGRAM [ARGUMENT ...]

The program gets the server's URL as its last argument. It runs in one network namespace, the server in another, and a
pair of virtual Ethernet devices connects them. The server drops packets at its end by routing rules, so nobody is told:
neither side gets an error or a reset. A request's function name tells what becomes of it (see `SCRIPTS`). Between its
calls the program changes the network by commands on standard output (see `COMMANDS`), and gets "done" on standard
input.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
import zlib
from collections.abc import Callable

CLIENT, SERVER, PORT = "10.77.0.1", "10.77.0.2", 8080
CLIENTS_HARDWARE, SERVERS_HARDWARE = "02:00:00:00:00:01", "02:00:00:00:00:02"
PAYLOAD = b'"' + b"x" * 100_000 + b'"'
# Ahead of the rule that delivers packets to this machine itself.
BEFORE_LOCAL, LOCAL = "10", "100"


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def set_up(device: str, address: str, peer: str, peers_hardware: str) -> None:
    """Without ARP, which routing rules would silence too, but with an error."""
    ip("address", "add", f"{address}/24", "dev", device)
    ip("link", "set", device, "up")
    ip("neighbour", "add", peer, "lladdr", peers_hardware, "dev", device, "nud", "permanent")


def drop(*what: str) -> None:
    """Drops packets in both directions: those that arrive, and those that leave."""
    ip("rule", "add", "pref", BEFORE_LOCAL, "blackhole", "iif", "v1", *what)
    swapped = [{"sport": "dport"}.get(word, word) for word in what]
    ip("rule", "add", "pref", BEFORE_LOCAL, "blackhole", "iif", "lo", "to", CLIENT, *swapped)


def restore() -> None:
    while subprocess.run(["ip", "rule", "del", "pref", BEFORE_LOCAL], stderr=subprocess.DEVNULL).returncode == 0:
        pass
    ports.clear()


def frame(event: bytes, payload: bytes) -> bytes:
    """A frame of an event stream."""
    headers = b""
    for name, value in ((b":message-type", b"event"), (b":event-type", event)):
        headers += bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value
    prelude = struct.pack(">II", len(headers) + len(payload) + 16, len(headers))
    prelude += struct.pack(">I", zlib.crc32(prelude))
    message = prelude + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))


def response(body: bytes, content_type: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nx-amzn-RequestId: r\r\nContent-Type: {content_type}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


RESPONSE = response(PAYLOAD, "application/json")
FRAMES = frame(b"PayloadChunk", PAYLOAD) + frame(b"InvokeComplete", b"{}")
STREAM = response(FRAMES, "application/vnd.amazon.eventstream")


class Connection:
    def __init__(self, connection: socket.socket, port: int) -> None:
        self.connection = connection
        self.port = port
        self.read = b""
        self.response = RESPONSE

    def until(self, length: int) -> bytes:
        while len(self.read) < length:
            received = self.connection.recv(65536)
            if not received:
                raise ConnectionError
            self.read += received
        taken, self.read = self.read[:length], self.read[length:]
        return taken

    def head(self) -> tuple[str, int]:
        """Returns the function's name and the length of the body."""
        while b"\r\n\r\n" not in self.read:
            received = self.connection.recv(65536)
            if not received:
                raise ConnectionError
            self.read += received
        head, _, self.read = self.read.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.response = STREAM if "/response-streaming-invocations " in lines[0] else RESPONSE
        length = next(int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:"))
        return lines[0].split("/functions/")[1].split("/")[0], length


def sound(connection: Connection, length: int) -> None:
    connection.until(length)
    connection.connection.sendall(connection.response)


def sending(connection: Connection, length: int) -> None:
    connection.until(min(length, 100_000))
    drop()


def waiting(connection: Connection, length: int) -> None:
    connection.until(length)
    drop()
    connection.connection.sendall(connection.response)


def reading(connection: Connection, length: int) -> None:
    connection.until(length)
    connection.connection.sendall(connection.response[:1000])
    wait_until_received(connection)
    drop()
    connection.connection.sendall(connection.response[1000:])


def together(connection: Connection, length: int) -> None:
    """Answers once there are so many requests, each of which needs a connection of its own."""
    connection.until(length)
    meeting.wait()
    connection.connection.sendall(connection.response)


def forgotten_sending(connection: Connection, length: int) -> None:
    connection.until(min(length, 100_000))
    forget_one(connection.port)


def forgotten_waiting(connection: Connection, length: int) -> None:
    connection.until(length)
    forget_one(connection.port)


def forgotten_reading(connection: Connection, length: int) -> None:
    connection.until(length)
    connection.connection.sendall(connection.response[:1000])
    wait_until_received(connection)
    forget_one(connection.port)


def wait_until_received(connection: Connection) -> None:
    """Returns once the client has acknowledged everything (SIOCOUTQ, which nothing announces)."""
    while struct.unpack("i", fcntl.ioctl(connection.connection, termios.TIOCOUTQ, b"\0" * 4))[0] > 0:
        time.sleep(0.001)


SCRIPTS: dict[str, Callable[[Connection, int], None]] = {
    script.__name__: script
    for script in (
        sound,
        sending,
        waiting,
        reading,
        together,
        forgotten_sending,
        forgotten_waiting,
        forgotten_reading,
    )
}


def forget() -> None:
    """Drops the packets of all connections that there are, as a NAT does that has lost its table: new ones pass."""
    while ports:
        forget_one(ports.pop())


def forget_one(port: int) -> None:
    drop("ipproto", "tcp", "sport", str(port))


COMMANDS = {"silence": drop, "forget": forget, "restore": restore}
# The client's, of all connections since the network was restored.
ports: list[int] = []
# As many as silent.c calls together.
meeting = threading.Barrier(4)


def serve_connection(accepted: socket.socket, port: int) -> None:
    connection = Connection(accepted, port)
    try:
        while True:
            name, length = connection.head()
            SCRIPTS[name](connection, length)
    except OSError:
        accepted.close()


def serve() -> None:
    """Runs in the server's namespace, where its device arrives; the other end says on standard input when."""
    sys.stdin.readline()
    ip("link", "set", "lo", "up")
    set_up("v1", SERVER, CLIENT, CLIENTS_HARDWARE)
    ip("rule", "add", "pref", LOCAL, "lookup", "local")
    ip("rule", "del", "pref", "0")
    listener = socket.create_server((SERVER, PORT), backlog=64)
    print("ready", flush=True)

    def accept() -> None:
        while True:
            accepted, (_, port) = listener.accept()
            ports.append(port)
            threading.Thread(target=serve_connection, args=(accepted, port), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    for command in sys.stdin:
        COMMANDS[command.strip()]()
        print("done", flush=True)


def main() -> int:
    command = ["unshare", "-n", sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin and server.stdout
        try:
            ip("link", "set", "lo", "up")
            end, peer = ["v0", "address", CLIENTS_HARDWARE], ["v1", "address", SERVERS_HARDWARE]
            ip("link", "add", *end, "type", "veth", "peer", "name", *peer, "netns", str(namespace_of(server)))
            set_up("v0", CLIENT, SERVER, SERVERS_HARDWARE)
            server.stdin.write("go\n")
            server.stdin.flush()
            assert server.stdout.readline() == "ready\n"
            # The program gives its commands through the pipes that the server has.
            pipes = {"stdin": server.stdout, "stdout": server.stdin}
            url = f"http://{SERVER}:{PORT}"
            return subprocess.run([*sys.argv[1:], url], **pipes, timeout=200).returncode
        finally:
            server.stdin.close()
            server.terminate()


def namespace_of(server: subprocess.Popen[str]) -> int:
    """Returns the process id once it is in a namespace of its own."""
    own = os.readlink("/proc/self/ns/net")
    while os.readlink(f"/proc/{server.pid}/ns/net") == own:
        pass
    return server.pid


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        sys.exit(main())
