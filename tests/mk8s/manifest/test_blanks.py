"""A manifest out of a bundle is refused until its secrets are written in again."""

from __future__ import annotations

from pathlib import Path

import pytest

from machines.errors import Fault
from mk8s.errors import ManifestError
from mk8s.manifest import load_cluster_text
from mk8s.manifest.blanks import PLACEHOLDER

HEAD = "distro: rke2\nversion: v1.28.3+rke2r2\n"


def faults(text: str) -> list[Fault]:
    with pytest.raises(ManifestError) as caught:
        load_cluster_text(text, Path("cluster.yaml"))
    return list(caught.value.faults)


@pytest.mark.parametrize(
    ("nodes", "path", "place"),
    [
        (
            "  - address: 10.0.0.1\n    role: server\n    config: {token: %s}\n",
            "nodes[0].config.token",
            (6, 14),
        ),
        (
            "  - address: 10.0.0.1\n    role: server\n    config: |\n      # why\n      token: %s\n",
            "nodes[0].config.token",
            (8, 7),
        ),
        (
            '  - address: 10.0.0.1\n    role: server\n    config: "a: 1\\ntoken: %s\\n"\n',
            "nodes[0].config.token",
            (6, 5),
        ),
        ("  - address: 10.0.0.1\n    role: server\n    user: %s\n", "nodes[0].user", (6, 5)),
        (
            "  - address: 10.0.0.1\n    role: server\n    config: {a: [x, pw-%s]}\n",
            "nodes[0].config.a[1]",
            (6, 21),
        ),
    ],
)
def test_each_missing_secret_is_told_with_its_key_and_place(
    nodes: str, path: str, place: tuple[int, int]
) -> None:
    """In a mapping, in a text block, in quotes, as a part of a value."""
    (fault,) = faults(f"{HEAD}nodes:\n{nodes % PLACEHOLDER}")
    assert (fault.path, (fault.line, fault.column)) == (path, place)
    assert "the secret is missing" in fault.message
    assert PLACEHOLDER in (fault.hint or "")


def test_every_missing_secret_is_told_at_once() -> None:
    """Whoever fills them in does it once."""
    node = "  - address: 10.0.0.{}\n    role: server\n    config: {{token: {}}}\n"
    nodes = "".join(node.format(number, PLACEHOLDER) for number in (1, 2))
    assert len(faults(f"{HEAD}nodes:\n{nodes}")) == 2


def test_a_comment_may_speak_of_the_placeholder() -> None:
    """The notes at the top of such a manifest do, and stay when the secrets are in."""
    text = (
        f"# {PLACEHOLDER}: write the token there\n{HEAD}nodes:\n  - address: 10.0.0.1\n    role: server\n"
        f"    config: |\n      token: hush-hush  # was {PLACEHOLDER}\n"
    )
    assert load_cluster_text(text, Path("cluster.yaml")).cluster.primary.config["token"] == "hush-hush"
