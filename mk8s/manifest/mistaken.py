"""Files that are named in a manifest's place and are another kind of file of ours, or none at all. Pure.

Whoever names a journal is to be told that, and the command that they meant, not where its YAML is wrong.

Law: no manifest is ever mistaken. What is told apart by its keys has neither of two that each manifest has,
or no distro and three keys that no manifest has together.
Begin reading at `mistaken_for`.
"""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

from machines.framing import looks_framed

__all__ = ["A_SCENARIO", "BEGINNING", "Mistaken", "mistaken_for"]

BEGINNING = 64 << 10  # bytes, enough to know a file by
NEEDED = frozenset({"distro", "nodes"})  # keys of every manifest
OF_FEWER_NODES = frozenset({"scenario", "faults", "nodes"})  # keys of a scenario that was shrunk
KEY = re.compile(r'^(?:\{? ?")?(\w+)"?:', re.MULTILINE)  # outermost ones, of YAML or of our own JSON
TRANSCRIPT = re.compile(r'\{[^\n{[]*"operation": ?"')  # of the outermost object: a node may have such a label
PAGE = re.compile(r"\s*<(!doctype html|html)\b", re.IGNORECASE)

A_SCENARIO = "a scenario of a simulation"

OF_A_RUN = (
    "name the cluster's manifest: its own journal is found beside it; another one is named with --journal: "
    "mk8s replay cluster.yaml --journal {file} (and so `mk8s journal`, `report`, and `graph --run`)"
)
STEPS = "name the cluster's manifest: mk8s journal cluster.yaml --steps shows what stands in a transcript"
SCENARIO = "name the cluster's manifest first: mk8s simulate cluster.yaml --scenario {file}"
PROFILE = "name the cluster's manifest first: mk8s plan cluster.yaml --profile {file}"
APPLIED = "name the cluster's manifest; what its cluster is to apply stands there under `manifests`"
ANY = "name the cluster's manifest; `mk8s init` prints one to begin with"

UNSEEN = re.compile(rb"[\x00-\x08\x0e-\x1f]")
SOME = 0.05  # of a file's bytes that no text has: more are no mistake of one's editor
OTHER_TEXT = (b"\xff\xfe", b"\xfe\xff")  # UTF-16, which its reader refuses with a better remedy


class Mistaken(NamedTuple):
    """What a file is, and what to do."""

    what: str
    remedy: str


def mistaken_for(beginning: bytes, file: str) -> Mistaken | None:
    """What a file that begins like this is; None: it may be a manifest. `file`: what names it."""
    text = beginning.decode("utf-8", "replace")
    what, remedy = _by_beginning(beginning, text) or _by_keys(frozenset(KEY.findall(text))) or ("", "")
    return Mistaken(what, remedy.format(file=shlex.quote(file))) if what else None


def _by_beginning(beginning: bytes, text: str) -> tuple[str, str] | None:
    if b"{" in beginning[:16] and looks_framed(beginning):
        return "the journal of a run", OF_A_RUN
    if TRANSCRIPT.match(text):
        return "the transcript of a run", STEPS
    if PAGE.match(text):
        return "a page for a browser", ANY
    if len(UNSEEN.findall(beginning)) > SOME * len(beginning) and not beginning.startswith(OTHER_TEXT):
        return "no text", ANY
    return None


def _by_keys(keys: frozenset[str]) -> tuple[str, str] | None:
    if keys >= OF_FEWER_NODES and "distro" not in keys:
        return A_SCENARIO, SCENARIO
    if keys & NEEDED:
        return None
    if "scenario" in keys:
        return A_SCENARIO, SCENARIO
    if keys >= {"durations", "source"}:
        return "a profile of durations", PROFILE
    if keys >= {"apiVersion", "kind"}:
        return "an object for Kubernetes", APPLIED
    return None
