"""What the answers mean: how far has kubeadm come, and what is missing? Pure judges.

kubeadm runs once, as a oneshot unit. While it runs, its last words are the reason for waiting. A failed
unit is a failure with the class that the catalogue gives its words; a unit that is neither running nor
done was cut off (power loss), and the next attempt takes back what it left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from mk8s.distros.kubeadm.certificate import public_key_info
from mk8s.last_words import as_evidence, plain_words, useful_lines
from mk8s.problems import load_catalogue
from mk8s.steps import Verdict
from mk8s.units import JOURNAL
from transports.base import Outcome

__all__ = [
    "Progress",
    "RunView",
    "ca_hash",
    "is_registered",
    "kubeadm_has_joined",
    "kubeadm_is_done",
    "no_image_is_missing",
    "read_progress",
]

Progress: TypeAlias = Literal["none", "running", "half", "done"]

RUNNING = ("activating", "reloading", "deactivating")
LONGEST = 240  # characters of a journal line that people are shown
NOISE = ("To see the stack trace", "[preflight] If you know what you are doing", "systemd", "mk8s-kubeadm")
READ_ON = "read `journalctl -u mk8s-kubeadm` on the host"


@dataclass(frozen=True, slots=True)
class RunView:
    """The output of the `kubeadm.ask` command."""

    properties: Mapping[str, str]
    journal: tuple[str, ...] = ()

    @classmethod
    def of(cls, outcome: Outcome) -> RunView:
        text = outcome.stdout.decode("utf-8", "replace")
        state, _, journal = text.partition(f"{JOURNAL}\n")
        properties = dict(line.split("=", 1) for line in state.splitlines() if "=" in line)
        return cls(properties, tuple(journal.splitlines()))

    @property
    def progress(self) -> Progress:
        """Raises ValueError for an answer that does not say."""
        said = self.properties.get("progress", "")
        if said not in ("none", "half", "done"):
            raise ValueError("it does not say how far kubeadm has come")
        if said != "done" and self.is_running:
            return "running"
        return cast(Progress, said)

    @property
    def is_running(self) -> bool:
        """Or about to: a job waits for what the unit comes after, such as the network being online."""
        return self.properties.get("ActiveState") in RUNNING or bool(self.properties.get("Job"))

    @property
    def has_failed(self) -> bool:
        return self.properties.get("ActiveState") == "failed"

    @property
    def last_words(self) -> str:
        """The last line that says something."""
        said = [line.strip() for line in self.journal if line.strip() and not line.startswith(NOISE)]
        return said[-1][:LONGEST] if said else ""

    def failure(self) -> Verdict:
        """Why a unit that does not run has not come to its end."""
        if not self.has_failed:
            reason = "kubeadm was cut off before it was done"
            return Verdict(False, reason, ("unit.interrupted", "unit"), "it is taken back and run again")
        finding = load_catalogue("kubeadm").find("\n".join(self.journal))
        if finding:
            known = finding.problem
            reason = finding.message + self._evidence(finding.line)
            return Verdict(False, reason, known.lineage, known.remedy, known.final)
        last = self.last_words
        reason = f"kubeadm failed: {plain_words(last)}{self._evidence(last)}"
        return Verdict(False, reason, ("unit.failed", "unit"), READ_ON)

    def _evidence(self, known: str) -> str:
        """What else kubeadm said, to stand behind a message that holds the line `known`."""
        said = [line for line in self.journal if not line.strip().startswith(NOISE)]
        return as_evidence(useful_lines(said, known)[1:]) if known else ""


def read_progress(outcome: Outcome) -> str:
    """For `Distro.lookups`. Raises ValueError."""
    return RunView.of(outcome).progress


def is_registered(outcome: Outcome) -> str:
    """For `Distro.lookups`: ``yes`` once this host's kubelet has had its own kubeconfig; else nothing."""
    return RunView.of(outcome).properties.get("registered", "")


def kubeadm_is_done(outcome: Outcome) -> Verdict:
    """Met once init or join has succeeded; never when it has failed or was cut off."""
    view = RunView.of(outcome)
    try:
        progress = view.progress
    except ValueError as error:
        return Verdict(False, str(error))
    if progress == "done":
        return Verdict(True, "kubeadm has succeeded")
    if progress == "running":
        return Verdict(False, view.last_words or "kubeadm has begun")
    return view.failure()


def kubeadm_has_joined(outcome: Outcome) -> Verdict:
    """Met when init or join has succeeded and a reboot will start the kubelet. It gives up on nothing."""
    verdict = kubeadm_is_done(outcome)
    if verdict.met and RunView.of(outcome).properties.get("kubelet") != "enabled":
        return Verdict(False, "joined, but a reboot would not start the kubelet")
    return Verdict(verdict.met, verdict.reason)


def no_image_is_missing(outcome: Outcome) -> Verdict:
    """Of `find_missing_images`: nothing was printed. What is missing stays missing, so it is final."""
    if not outcome.ok:
        return Verdict(False, outcome.complaint[:LONGEST], ("exit",))
    missing = outcome.text.split()
    if not missing:
        return Verdict(True, "every image is there")
    return Verdict(
        False,
        f"the release lacks {', '.join(missing)}",
        ("artifact.missing", "artifact"),
        "put it into the archive of images, in the version that `kubeadm config images list` names",
        True,
    )


def ca_hash(outcome: Outcome) -> str:
    """The hash by which joining nodes know the cluster's authority: of its public key, as kubeadm makes it.

    Source: kubeadm implementation details (sha256 of the DER SubjectPublicKeyInfo). Raises ValueError.
    """
    return f"sha256:{hashlib.sha256(public_key_info(outcome.text)).hexdigest()}"
