"""What a real v1.20.2 with etcd 3.4.23 answered; in `data`, as it came."""

from __future__ import annotations

from pathlib import Path

from mk8s.distros.base import Tools
from transports.base import Command, Outcome

__all__ = ["TOOLS", "failed", "said", "text_of"]

DATA = Path(__file__).parent / "data"


def _etcdctl(words: tuple[str, ...]) -> Command:
    return Command(operation="test.etcdctl", description="etcdctl", args=("/usr/bin/etcdctl", *words))


TOOLS = Tools(kubectl=("/usr/bin/kubectl", "--kubeconfig", "/etc/admin.conf"), etcdctl=_etcdctl)


def text_of(name: str) -> bytes:
    return (DATA / name).read_bytes()


def said(name: str, status: int = 0) -> Outcome:
    """A file of `data` on stdout."""
    return Outcome(status=status, stdout=text_of(name))


def failed(name: str) -> Outcome:
    """A file of `data` on stderr, and exit status 1."""
    return Outcome(status=1, stderr=text_of(name))
