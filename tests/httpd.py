"""A real HTTP/1.1 server on loopback with ranges, validators and scripted faults, for tests.

    with Server({"/a/file": b"content"}) as server:
        server.fault("/a/file", Cut(after=5))        # the next answer only
        fetch(server.url("/a/file"))
        assert server.sent["/a/file"] == ...

``python -m tests.httpd FOLDER --port 8080 --bind 127.0.0.1`` serves a folder and prints each request.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import socket
import ssl
import struct
import sys
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import unquote, urlsplit

__all__ = [
    "Cut",
    "Fault",
    "Hold",
    "NoLength",
    "Server",
    "Slow",
    "Stall",
    "Status",
    "Swap",
    "WrongLength",
    "WrongRange",
]

PIECE = 16 << 10
ONE_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass(frozen=True)
class Cut:
    """Send so many bytes of the body, then reset the connection."""

    after: int


@dataclass(frozen=True)
class Stall:
    """Send so many bytes of the body, then nothing, until the client goes away or the server is closed."""

    after: int


@dataclass(frozen=True)
class Hold:
    """Send so many bytes of the body, and the rest once the event is set."""

    after: int
    until: threading.Event


@dataclass(frozen=True)
class Slow:
    """Wait so many seconds after each 16 KiB; for tests that kill a client on the way."""

    seconds: float


@dataclass(frozen=True)
class Status:
    """Answer with this status, these headers and this body instead."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"<html>an error page</html>"


@dataclass(frozen=True)
class WrongLength:
    """Claim another Content-Length than is sent."""

    claimed: int


@dataclass(frozen=True)
class NoLength:
    """Say no length: the end of the connection is the end of the file, or a cut after so many bytes."""

    after: int | None = None


@dataclass(frozen=True)
class WrongRange:
    """Answer a range with 206 and a part that begins elsewhere."""

    shift: int = 1


@dataclass(frozen=True)
class Swap:
    """Put other content at the path before answering; it stays."""

    content: bytes


Fault = Cut | Stall | Hold | Slow | Status | WrongLength | NoLength | WrongRange | Swap


class Server:
    """Serves a dict of paths, or a folder. What was asked and sent is counted by path."""

    def __init__(
        self,
        content: Mapping[str, bytes] | Path,
        port: int = 0,
        bind: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.content = content if isinstance(content, Path) else dict(content)
        self.sent: Counter[str] = Counter()  # bytes of bodies
        self.asked: list[tuple[str, str, dict[str, str]]] = []  # method, path, headers in small letters
        self.ranges = True  # whether Range is understood
        self.validators = True  # whether ETag and Last-Modified are sent
        self.extra: dict[str, str] = {}  # headers of every answer
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}
        self._server = _Threads((bind, port), self)
        self._scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.closing.set()
        try:
            self._server.shutdown()
        finally:
            self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str = "") -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}{path}"

    def fault(self, path: str, *faults: Fault, always: bool = False) -> None:
        """The next answers for this path go wrong so, one fault each; with `always`, all of them."""
        if always:
            self._always[path] = faults[0]
        else:
            self._faults[path].extend(faults)

    def times(self, path: str, method: str = "GET") -> int:
        """How often a path was asked for."""
        return sum(asked[:2] == (method, path) for asked in self.asked)

    def next_fault(self, path: str) -> Fault | None:
        queue = self._faults.get(path)
        return queue.popleft() if queue else self._always.get(path)

    def get(self, path: str) -> bytes | Path | None:
        """Content in memory, or a file, which is read piece by piece."""
        if not isinstance(self.content, Path):
            return self.content.get(path)
        file = (self.content / path.lstrip("/")).resolve()
        return file if file.is_relative_to(self.content.resolve()) and file.is_file() else None


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # with the usual five, a caller whose turn is late is kept waiting for a second

    def __init__(self, address: tuple[str, int], owner: Server) -> None:
        self.owner = owner
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Threads

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def log_message(self, format: str, *args: Any) -> None:
        if self.server.owner.extra.get("X-Log"):
            sys.stderr.write(f"{self.address_string()} {format % args}\n")

    def _answer(self, body: bool) -> None:
        owner = self.server.owner
        path = unquote(urlsplit(self.path).path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        with owner.lock:
            owner.asked.append((self.command, path, headers))
            fault = owner.next_fault(path) if body else None
            if isinstance(fault, Swap) and isinstance(owner.content, dict):
                owner.content[path] = fault.content
        content = owner.get(path)
        if isinstance(fault, Status):
            self._send(fault.status, dict(fault.headers), fault.body, 0, len(fault.body), path, None, body)
        elif content is None:
            page = b"<html><body>404: no such file</body></html>"
            self._send(404, {"Content-Type": "text/html"}, page, 0, len(page), path, None, body)
        else:
            self._send_file(content, headers, path, fault, body)

    def _send_file(
        self, content: bytes | Path, asked: Mapping[str, str], path: str, fault: Fault | None, body: bool
    ) -> None:
        owner = self.server.owner
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        etag = _etag(content)
        headers = {"Content-Type": "application/octet-stream"}
        if owner.validators:
            headers["ETag"] = etag
        found = ONE_RANGE.fullmatch(asked.get("range", "")) if owner.ranges else None
        if not found or asked.get("if-range", etag) != etag:
            self._send(200, headers, content, 0, size, path, fault, body)
            return
        start, end = int(found[1]), min(int(found[2] or size - 1), size - 1) + 1
        if start >= size:
            self._send(416, {**headers, "Content-Range": f"bytes */{size}"}, b"", 0, 0, path, None, body)
            return
        shown = start + fault.shift if isinstance(fault, WrongRange) else start
        headers["Content-Range"] = f"bytes {shown}-{end - 1}/{size}"
        self._send(206, headers, content, start, end, path, fault, body)

    def _send(
        self, status: int, headers: Mapping[str, str], content: bytes | Path, start: int, end: int,
        path: str, fault: Fault | None, body: bool,
    ) -> None:  # fmt: skip
        length = fault.claimed if isinstance(fault, WrongLength) else end - start
        ending = {"Connection": "close"} if isinstance(fault, NoLength) else {"Content-Length": str(length)}
        self.send_response(status)
        for name, value in {**headers, **self.server.owner.extra, **ending}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            with _opened(content) as stream:
                stream.seek(start)
                self._send_body(stream, end - start, path, fault)
        if isinstance(fault, WrongLength):
            self.close_connection = True

    def _send_body(self, stream: IO[bytes], rest: int, path: str, fault: Fault | None) -> None:
        owner = self.server.owner
        stop = fault.after if isinstance(fault, Cut | Stall | NoLength) else None
        most = rest if stop is None else min(rest, stop)
        while most > 0 and not owner.closing.is_set():
            piece = stream.read(min(PIECE, most))
            most -= len(piece)
            with owner.lock:  # before it goes: who has the last byte may look at once
                owner.sent[path] += len(piece)
            self.wfile.write(piece)
            if isinstance(fault, Slow):
                owner.closing.wait(fault.seconds)
            while isinstance(fault, Hold) and rest - most >= fault.after and not fault.until.is_set():
                if owner.closing.wait(0.02):
                    return
        if isinstance(fault, Cut):
            self._reset()
        if isinstance(fault, Stall):
            owner.closing.wait()
            self.close_connection = True

    def _reset(self) -> None:
        """End the connection in the middle of the body."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 5))
        self.connection.shutdown(socket.SHUT_WR)
        self.close_connection = True


def _etag(content: bytes | Path) -> str:
    if isinstance(content, Path):
        found = content.stat()
        return f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
    return f'"{hashlib.sha256(content).hexdigest()[:16]}"'


def _opened(content: bytes | Path) -> IO[bytes]:
    import io

    return content.open("rb") if isinstance(content, Path) else io.BytesIO(content)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--bind", default="127.0.0.1")
    args = parser.parse_args()
    with Server(args.folder, args.port, args.bind) as server:
        server.extra["X-Log"] = "1"
        print(f"serving {args.folder} on {args.bind}:{server.port}", file=sys.stderr, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
