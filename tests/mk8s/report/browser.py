"""A real browser for tests: Chromium without a screen, spoken to over a pipe (the DevTools protocol).

No port is opened, and nothing but the page's own file is there to be loaded. `found()` says where it is.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fcntl import F_DUPFD, fcntl
from pathlib import Path
from typing import Any

__all__ = ["Browser", "found", "running"]

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
END = b"\0"


def found() -> str | None:
    """The browser's program; None: there is none here."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page at a time. What the page logs and what it asks the network for is kept."""

    def __init__(self, send: int, receive: int) -> None:
        self._send, self._receive = send, receive
        self._buffer = b""
        self._number = 0
        self._session = self._target = ""
        self._loaded: set[str] = set()  # loaders of pages that are shown; an empty page has its own
        self.logged: list[str] = []
        self.asked: list[str] = []

    def open(self, file: Path, *, width: int = 1200, height: int = 900, scripts: bool = True) -> None:
        """Load a file, and wait until it is shown. `scripts`: whether the page's own may run."""
        before, self._session = self._target, ""
        target = self._target = self._call("Target.createTarget", url="about:blank")["targetId"]
        if before:
            self._call("Target.closeTarget", targetId=before)
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        self._call("Page.setLifecycleEventsEnabled", enabled=True)
        self.resize(width, height)
        self._call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.logged, self.asked = [], []
        loader = self._call("Page.navigate", url=file.as_uri())["loaderId"]
        while loader not in self._loaded:  # it may have been said before the answer was
            self._note(self._next())

    def resize(self, width: int, height: int) -> None:
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def prefer(self, scheme: str, media: str = "screen") -> None:
        """`scheme`: dark or light; `media`: screen or print."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._call("Emulation.setEmulatedMedia", media=media, features=features)

    def says(self, script: str) -> Any:
        """The value of an expression on the page. Raises RuntimeError with the page's error."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def picture(self, *, whole: bool = True) -> bytes:
        """A PNG of all of the page, or of what is seen of it."""
        answer = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])

    def paper(self) -> bytes:
        """The page as a PDF, A4 upright."""
        answer = self._call("Page.printToPDF", printBackground=False, paperWidth=8.27, paperHeight=11.69)
        return base64.b64decode(answer["data"])

    def close(self) -> None:
        self._session = ""
        self._call("Browser.close")

    def _call(self, method: str, **params: object) -> dict[str, Any]:
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._send, json.dumps(message).encode() + END)
        answer = self._next_until(lambda got: got.get("id") == self._number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _next_until(self, fits: Any) -> dict[str, Any]:
        while True:
            got = self._next()
            self._note(got)
            if fits(got):
                return got

    def _next(self) -> dict[str, Any]:
        while END not in self._buffer:
            data = os.read(self._receive, 1 << 16)
            if not data:
                raise RuntimeError("the browser has gone away")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(END)
        message: dict[str, Any] = json.loads(line)
        return message

    def _note(self, got: Mapping[str, Any]) -> None:
        params = got.get("params", {})
        if got.get("method") == "Log.entryAdded":
            self.logged.append(params["entry"]["text"])
        elif got.get("method") == "Runtime.exceptionThrown":
            self.logged.append(str(params["exceptionDetails"]))
        elif got.get("method") == "Runtime.consoleAPICalled":
            self.logged.append(str(params["args"]))
        elif got.get("method") == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif got.get("method") == "Page.lifecycleEvent" and params["name"] == "load":
            self._loaded.add(params["loaderId"])


@contextmanager
def running(folder: Path) -> Iterator[Browser]:
    """A browser with its profile in a folder of the test's; ended with the block."""
    to_read, send = os.pipe()
    receive, to_write = os.pipe()

    def wire() -> None:  # the protocol's: it reads 3 and writes 4
        its_input, its_output = (fcntl(end, F_DUPFD, 5) for end in (to_read, to_write))
        os.dup2(its_input, 3)
        os.dup2(its_output, 4)

    program = subprocess.Popen(
        [str(found()), *QUIET, f"--user-data-dir={folder}", "about:blank"],
        preexec_fn=wire,
        pass_fds=(3, 4),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_read)
    os.close(to_write)
    try:
        browser = Browser(send, receive)
        yield browser
        with suppress(RuntimeError, OSError):  # it may be gone before it has answered
            browser.close()
    finally:
        program.terminate()
        try:
            program.wait(30)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
        os.close(send)
        os.close(receive)
