"""Streams as the event says: a line for each action. The body ends with the connection.

chunk TEXT          a PayloadChunk with Python's escapes in it
chunks COUNT SIZE   so many, of so many bytes each
complete JSON       an InvokeComplete; "{}" if it is left out
event NAME          an event of another name
cut COUNT           of the frames after it only the first so many bytes, and nothing else
split SIZE          sends the frames after it in pieces of so many bytes
flip COUNT          one bit in the byte with that number of all that follow
stall               until the client has closed the connection
"""

from lambda_local.eventstream import CONTENT_TYPE, event, payload_chunk

PATIENCE = 20.0
HEAD = f"HTTP/1.1 200 OK\r\nX-Amz-Executed-Version: 7\r\nContent-Type: {CONTENT_TYPE}\r\n\r\n"


def respond(request, connection):
    connection.send(HEAD.encode())
    out = Out(connection)
    for line in request.body.decode().split("\n"):
        action, _, rest = line.partition(" ")
        if action == "chunk":
            out.send(payload_chunk(rest.encode("latin-1").decode("unicode_escape").encode("latin-1")))
        elif action == "chunks":
            count, size = map(int, rest.split())
            frame = payload_chunk(b"x" * size)
            for _ in range(count):
                out.send(frame)
        elif action == "complete":
            frame = event("InvokeComplete", (rest or "{}").encode(), "application/json")
            out.send(frame)
        elif action == "event":
            out.send(event(rest, b"{}", "application/json"))
        elif action == "cut":
            out.left = int(rest)
        elif action == "split":
            out.size = int(rest)
        elif action == "flip":
            out.flip = int(rest)
        elif action == "stall":
            connection.wait_closed(PATIENCE)
        else:
            raise ValueError(f"no action: {line!r}")


class Out:
    def __init__(self, connection):
        self._connection = connection
        self.left = self.size = self.flip = None

    def send(self, data):
        if self.left is not None:
            data = data[: self.left]
            self.left -= len(data)
        if self.flip is not None:
            if self.flip < len(data):
                data = bytearray(data)
                data[self.flip] ^= 0x20
                self.flip = None
            else:
                self.flip -= len(data)
        size = self.size or max(1, len(data))
        for at in range(0, len(data), size):
            self._connection.send(bytes(data[at : at + size]))
