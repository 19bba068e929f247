"""Commands that start others, and a listener that learns their process numbers."""

from __future__ import annotations

from transports.base import Stream

GROUP = "sleep 1001 & echo $! $$; sleep 1002"
STUBBORN = (
    "trap '' TERM; (trap '' TERM; while :; do sleep 0.1; done) & echo $! $$; while :; do sleep 0.1; done"
)


class Pids:
    """Collects process numbers that a command prints."""

    def __init__(self) -> None:
        self.text = b""

    def __call__(self, stream: Stream, data: bytes) -> None:
        self.text += data if stream == "stdout" else b""

    def all(self, count: int) -> list[int]:
        words = self.text.split()
        return [int(word) for word in words] if len(words) == count else []
