"""What kubeadm said, when it failed, in words for people."""

from __future__ import annotations

from mk8s.distros.kubeadm.readiness import kubeadm_is_done
from mk8s.last_words import MARK
from mk8s.problems import load_catalogue
from tests.mk8s.distros.situations import outcome

KUBEADM = load_catalogue("kubeadm")


def test_what_else_kubeadm_said_stands_behind_what_was_recognised() -> None:
    """Without the advice that it prints after every failure."""
    asked = outcome(
        "ActiveState=failed\nprogress=half\n--- journal\n"
        "[certs] Generating certificates\n\t[ERROR Swap]: running with swap on is not supported\n"
        "To see the stack trace of this error execute with --v=5 or higher\n"
    )

    verdict = kubeadm_is_done(asked)

    assert verdict.lineage == ("check.swap", "check")
    assert verdict.reason.split(MARK)[1:] == ["[certs] Generating certificates"]
