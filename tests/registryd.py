"""A stand-in for a container registry: the OCI distribution protocol over HTTP on loopback, read only.

In a test: ``with RegistryServer(store) as registry``, then ask `registry.url`. By hand, serving what an
archive of images holds: ``python -m tests.registryd images-linux-amd64.tar --port 5000``.

It can want tokens, send blobs elsewhere, and have bad days (`Fault`), each once, in order. It keeps every
request in `requests`, so that a test can say what was asked and what was not.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import re
import ssl
import tarfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from io import BufferedReader

__all__ = ["Fault", "RegistryServer", "Request", "Store", "digest_of", "load_archive", "put_image"]

OCI, DOCKER = "application/vnd.oci.image", "application/vnd.docker"
INDEX_TYPE = f"{OCI}.index.v1+json"
MANIFEST_TYPE, DOCKER_MANIFEST = f"{OCI}.manifest.v1+json", f"{DOCKER}.distribution.manifest.v2+json"
CONFIG_TYPE, LAYER_TYPE = f"{OCI}.config.v1+json", f"{OCI}.layer.v1.tar"
ROUTE = re.compile(r"(?:/.*)?/v2/(?P<repository>.+)/(?P<kind>manifests|blobs)/(?P<version>[^/]+)")
PIECE = 1 << 18


@dataclass(frozen=True)
class Stored:
    """Bytes here, or a range of a file."""

    media_type: str
    size: int
    content: bytes = b""
    path: Path | None = None
    offset: int = 0

    def read(self, start: int, length: int) -> bytes:
        if self.path is None:
            return self.content[start : start + length]
        with self.path.open("rb") as stream:
            stream.seek(self.offset + start)
            return stream.read(min(length, self.size - start))


@dataclass
class Store:
    """What a registry holds."""

    tags: dict[tuple[str, str], str] = field(default_factory=dict)  # repository, tag -> digest
    manifests: dict[str, Stored] = field(default_factory=dict)
    blobs: dict[str, Stored] = field(default_factory=dict)

    def add_blob(self, content: bytes, media_type: str) -> dict[str, Any]:
        """Keep it. The result: its descriptor."""
        self.blobs[digest_of(content)] = Stored(media_type, len(content), content)
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

    def add_manifest(self, document: object, media_type: str) -> dict[str, Any]:
        content = document if isinstance(document, bytes) else json.dumps(document, sort_keys=True).encode()
        self.manifests[digest_of(content)] = Stored(media_type, len(content), content)
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

    def repository(self, path: str) -> str:
        """The name that is known, where a mirror's folder stands before it."""
        names = {repository for repository, _ in self.tags}
        while path not in names and "/" in path:
            path = path.partition("/")[2]
        return path


@dataclass
class Fault:
    """One bad answer to the next request whose path holds `part`."""

    part: str
    status: int = 0  # this instead of the answer; 0: the right one
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None  # bytes of the body, then the connection ends
    body: bytes | None = None  # this instead of the content


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    host: str
    authorization: str
    range: str


class RegistryServer:
    """Serves a store until the block ends.

    `login`: user and password that a token costs; None: everybody gets one. `tokens`: whether one is wanted.
    `cdn`: blobs are redirected to another host name of this machine, as large registries do.
    """

    def __init__(
        self,
        store: Store,
        *,
        tokens: bool = False,
        login: tuple[str, str] | None = None,
        cdn: bool = False,
        faults: Sequence[Fault] = (),
        port: int = 0,
        token_seconds: int = 300,
        address: str = "127.0.0.1",
    ) -> None:
        self.store, self.tokens, self.login, self.cdn = store, tokens, login, cdn
        self.faults, self.requests = list(faults), list[Request]()
        self.token_seconds = token_seconds
        self.token = "token-1"  # change it, and the old one is good for nothing
        self.lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"registry": self})
        self._server = _Threads((address, port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.host = f"{address}:{self._server.server_port}"
        self.other_host = f"localhost:{self._server.server_port}"
        self.url = f"http://{self.host}"

    def __enter__(self) -> RegistryServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on; before the first request."""
        self._server.socket = context.wrap_socket(
            self._server.socket,
            server_side=True,
            do_handshake_on_connect=False,  # a thread's own affair: one who never greets would stop all
        )
        self.url = f"https://{self.host}"

    def asked(self, part: str) -> list[Request]:
        """The requests whose path holds `part`."""
        return [request for request in self.requests if part in request.path]

    def fault_for(self, path: str) -> Fault | None:
        with self.lock:
            found = next((fault for fault in self.faults if fault.part in path), None)
            if found:
                self.faults.remove(found)
            return found


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # with the usual five, a caller whose turn is late is kept waiting for a second


class _Handler(BaseHTTPRequestHandler):
    registry: RegistryServer
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: `requests` is the log."""

    def handle(self) -> None:
        with suppress(ConnectionError, ssl.SSLError):  # a client may leave at any time, or not trust us
            super().handle()

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        """The other way to a token, which older registries do not know: clients then ask by GET."""
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self._send(405, b"{}")

    def _answer(self) -> None:
        registry, path = self.registry, urlsplit(self.path).path
        given = [self.headers.get(name, "") for name in ("Host", "Authorization", "Range")]
        registry.requests.append(Request(self.command, self.path, *given))
        fault = registry.fault_for(self.path)
        if fault and fault.status:
            self._send(fault.status, fault.body or b"{}", dict(fault.headers))
        elif path.startswith("/cdn/"):
            self._stored(registry.store.blobs.get(path.rpartition("/")[2]), fault)
        elif path == "/token":
            self._token()
        elif not self._may_enter():
            self._refuse()
        else:
            self._route(path, fault)

    def _route(self, path: str, fault: Fault | None) -> None:
        store, match = self.registry.store, ROUTE.fullmatch(path)
        if match is None:
            self._send(200 if path.rstrip("/") == "/v2" else 404, b"{}")
        elif match["kind"] == "manifests":
            repository = store.repository(match["repository"])
            digest = store.tags.get((repository, match["version"]), match["version"])
            self._stored(store.manifests.get(digest), fault, {"Docker-Content-Digest": digest})
        elif self.registry.cdn and match["version"] in store.blobs:
            target = f"http://{self.registry.other_host}/cdn/{match['version']}?signature=secret"
            self._send(307, b"", {"Location": target})
        else:
            self._stored(store.blobs.get(match["version"]), fault)

    def _stored(
        self, stored: Stored | None, fault: Fault | None, more: Mapping[str, str] | None = None
    ) -> None:
        if stored is None:
            self._send(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
            return
        if fault and fault.body is not None:
            stored = Stored(stored.media_type, len(fault.body), fault.body)
        name = self.path.rpartition("/")[2].partition("?")[0]
        start = self._start(f'"{name}"', stored.size)
        headers = {
            "Content-Type": stored.media_type,
            "ETag": f'"{name}"',
            "Accept-Ranges": "bytes",
            **(more or {}),
        }
        headers |= dict(fault.headers) if fault else {}
        if start:
            headers["Content-Range"] = f"bytes {start}-{stored.size - 1}/{stored.size}"
        self._head(206 if start else 200, stored.size - start, headers)
        if self.command == "GET":
            self._body(stored, start, fault.cut_after if fault else None)

    def _body(self, stored: Stored, start: int, most: int | None) -> None:
        end = stored.size if most is None else min(stored.size, start + most)
        for place in range(start, end, PIECE):
            self.wfile.write(stored.read(place, min(PIECE, end - place)))
        if end < stored.size:
            self.wfile.flush()
            self.close_connection = True

    def _start(self, etag: str, size: int) -> int:
        """Where to begin, by Range and If-Range."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not match or self.headers.get("If-Range", etag) != etag:
            return 0
        return int(match[1]) if int(match[1]) < size else 0

    def _may_enter(self) -> bool:
        registry = self.registry
        return not registry.tokens or self.headers.get("Authorization") == f"Bearer {registry.token}"

    def _refuse(self) -> None:
        match = ROUTE.fullmatch(urlsplit(self.path).path)
        scope = f',scope="repository:{match["repository"]}:pull"' if match else ""
        realm = f'Bearer realm="http://{self.headers["Host"]}/token",service="stand-in"{scope}'
        self._send(401, b'{"errors":[{"code":"UNAUTHORIZED"}]}', {"WWW-Authenticate": realm})

    def _token(self) -> None:
        registry = self.registry
        known = base64.b64encode(":".join(registry.login or ("", "")).encode()).decode()
        if registry.login and self.headers.get("Authorization") != f"Basic {known}":
            self._send(401, b'{"details":"incorrect username or password"}')
        elif "scope" not in parse_qs(urlsplit(self.path).query):
            self._send(400, b'{"details":"no scope"}')
        else:
            answer = {"token": registry.token, "expires_in": registry.token_seconds}
            self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self._head(status, len(body), headers or {})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: int, length: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()


def put_image(
    store: Store,
    repository: str,
    tag: str,
    layers: Sequence[bytes],
    architectures: Sequence[str] = ("amd64",),
    *,
    index: bool = True,
    packed: bool = False,
) -> str:
    """Keep an image of these layers (tar files) for these architectures. The result: its tag's digest."""
    entries = []
    blobs = [gzip.compress(layer, mtime=0) if packed else layer for layer in layers]
    layer_type = LAYER_TYPE + "+gzip" * packed
    for arch in architectures:
        diffs = [digest_of(layer) for layer in layers]
        config = {
            "architecture": arch,
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": diffs},
        }
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": store.add_blob(json.dumps(config).encode(), CONFIG_TYPE),
            "layers": [store.add_blob(blob, layer_type) for blob in blobs],
        }
        platform = {"os": "linux", "architecture": arch, **({"variant": "v8"} if arch == "arm64" else {})}
        entries.append({**store.add_manifest(document, MANIFEST_TYPE), "platform": platform})
    found = entries[0]
    if index:
        document = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries}
        found = store.add_manifest(document, INDEX_TYPE)
    store.tags[(repository, tag)] = str(found["digest"])
    return str(found["digest"])


def load_archive(path: Path, store: Store | None = None) -> Store:
    """Keep every image of a docker archive. Layers stay in the file and are read when they are asked for."""
    store = store or Store()
    with tarfile.open(path) as tar:
        for image in json.loads(_member(tar, "manifest.json")):
            config = _member(tar, image["Config"])
            layers = [_layer(store, path, tar, tar.getmember(name)) for name in image["Layers"]]
            described = store.add_blob(config, f"{DOCKER}.container.image.v1+json")
            document = {
                "schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": described, "layers": layers,
            }  # fmt: skip
            digest = str(store.add_manifest(document, DOCKER_MANIFEST)["digest"])
            for name in image["RepoTags"]:
                repository, _, tag = name.rpartition(":")
                store.tags[(repository.partition("/")[2], tag)] = digest
    return store


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _layer(store: Store, path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, Any]:
    stream = tar.extractfile(member)
    if stream is None:
        raise ValueError(f"{member.name} is not a file")
    digest = f"sha256:{hashlib.file_digest(cast('BufferedReader', stream), 'sha256').hexdigest()}"
    media_type = f"{DOCKER}.image.rootfs.diff.tar"
    store.blobs[digest] = Stored(media_type, member.size, path=path, offset=member.offset_data)
    return {"mediaType": media_type, "digest": digest, "size": member.size}


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    stream = tar.extractfile(name)
    if stream is None:
        raise ValueError(f"{name} is not a file")
    return stream.read()


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the images of an archive as a registry, on loopback.")
    parser.add_argument("archives", nargs="+", type=Path)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    store = Store()
    for path in given.archives:
        load_archive(path, store)
    with RegistryServer(store, port=given.port) as registry:
        print(registry.url, flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
