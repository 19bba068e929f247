"""Why nobody may become root on a node, in words for people. Pure.

sudo says no in several ways, and each has another remedy: a wrong password, a user who is in no rule, a
rule that wants a terminal (requiretty), no sudo at all.
"""

from __future__ import annotations

from machines.errors import Failure
from mk8s.cluster import Cluster
from mk8s.preflight.base import Trouble

__all__ = ["refusal"]

WORDS = (
    (
        ("must have a tty",),
        "{by} wants a terminal (requiretty)",
        "write `Defaults:{user} !requiretty` into a file of /etc/sudoers.d",
    ),
    (
        ("not in the sudoers", "may not run", "not allowed to", "operation not permitted"),
        "{user} is in no rule of {by}",
        "write `{user} ALL=(ALL) NOPASSWD: ALL` into a file of /etc/sudoers.d, or log in as root",
    ),
    (
        ("not found", "no such file"),
        "there is no {by} on the host",
        "install it, or log in as root",
    ),
)
"""What is in the node's words, what it means, and what helps."""


def refusal(failure: Failure, cluster: Cluster, name: str) -> Trouble:
    """The trouble behind a failure of class ``sudo``."""
    login = next(node.login for node in cluster.nodes if node.name == name)
    said = failure.message.removeprefix(f"{name}: ")
    if failure.kind == "sudo.refused":
        for signs, meaning, remedy in WORDS:
            if any(sign in said.lower() for sign in signs):
                names = {"user": login.user, "by": login.escalate}
                return Trouble(f"{meaning.format(**names)}: {said}", remedy.format(**names))
    return Trouble(said, failure.remedy)
