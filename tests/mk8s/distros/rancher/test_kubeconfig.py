"""The kubeconfig of a server becomes the operator's, and may not bring anything along."""

from __future__ import annotations

import pytest

from machines.errors import ActionError
from mk8s.distros.rke2 import DISTRO
from tests.mk8s.distros.situations import make_cluster

GENUINE = """\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: QQ==
    server: https://127.0.0.1:6443
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
preferences: {}
users:
- name: default
  user:
    client-certificate-data: QQ==
    client-key-data: QQ==
"""


@pytest.mark.parametrize("address", ["10.0.0.11", "fd00::11"])
def test_a_kubeconfig_is_rewritten_for_use_from_outside(address: str) -> None:
    """The address alone changes."""
    shown = f"[{address}]" if ":" in address else address

    rewritten = DISTRO.rewrite_kubeconfig(GENUINE, make_cluster(endpoint=address))

    assert rewritten == GENUINE.replace("127.0.0.1", shown)


HOSTILE = {
    "a program": ("    client-key-data: QQ==", "    exec: {command: sh}", "users: user: 'exec'"),
    "a program in other letters": ("    client-key-data: QQ==", "    Exec: {}", "users: user: 'Exec'"),
    "a plug-in": ("    client-key-data: QQ==", "    auth-provider: {}", "users: user: 'auth-provider'"),
    "a file of ours": ("    client-key-data: QQ==", "    tokenFile: /etc/x", "users: user: 'tokenFile'"),
    "somebody between": (
        "  name: default\ncont",
        "    proxy-url: x\n  name: d\ncont",
        "cluster: 'proxy-url'",
    ),
    "another list of users": ("kind: Config", "Users: []", "'Users'"),
    "a program by reference": ("    client-key-data: QQ==", "    <<: {exec: {}}", "users: user: 'exec'"),
    "two documents": ("kind: Config", "---\nkind: Config", "is no kubeconfig"),
    "no text for a parser": ("kind: Config", "kind: [" * 5000, "is no kubeconfig"),
    "no end": ("kind: Config", "kind: " + "x" * 1_000_000, "is no kubeconfig"),
    "no list of users": ("users:\n- name", "users:\n  name", "users is no list"),
    "a user that is none": ("  user:\n", "  user: x\n  other:\n", "something in users"),
}


@pytest.mark.parametrize(("genuine", "planted", "named"), HOSTILE.values(), ids=HOSTILE)
def test_what_rke2_does_not_write_is_refused(genuine: str, planted: str, named: str) -> None:
    """kubectl would run or read it on the machine of the person who runs mk8s."""
    text = GENUINE.replace(genuine, planted)
    assert text != GENUINE
    with pytest.raises(ActionError) as refused:
        DISTRO.rewrite_kubeconfig(text, make_cluster())

    assert refused.value.failure.lineage == ("kubeconfig",)
    assert refused.value.failure.final
    assert named in refused.value.failure.message
