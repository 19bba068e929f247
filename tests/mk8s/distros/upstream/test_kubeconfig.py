"""Kubeconfigs that are made here; what is refused on the way back is tested with RKE2's."""

from __future__ import annotations

import base64

import pytest
import yaml

from machines.errors import ActionError
from mk8s.distros.upstream import kubeconfig
from mk8s.needs import Pair
from tests.mk8s.distros.upstream.made import cluster

CLIENT = Pair(b"certificate\n", b"key\n")


def test_everything_is_in_one_file() -> None:
    text = kubeconfig.render("https://10.0.0.11:6443", b"ca\n", CLIENT, user="admin")
    config = yaml.safe_load(text)

    assert config["current-context"] == "admin@kubernetes"
    assert config["contexts"][0]["context"] == {"cluster": "kubernetes", "user": "admin"}
    assert config["clusters"][0]["cluster"]["server"] == "https://10.0.0.11:6443"
    assert base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]) == b"ca\n"
    assert base64.b64decode(config["users"][0]["user"]["client-key-data"]) == b"key\n"


def test_the_same_input_gives_the_same_bytes_in_whole_lines() -> None:
    """A file that is compared by its hash must not change by itself, nor be folded."""
    long = Pair(b"c" * 5000, b"k" * 5000)
    texts = {kubeconfig.render("https://h:6443", b"ca", long, user="u") for _ in range(3)}

    assert len(texts) == 1
    assert max(map(len, texts.pop().splitlines())) > 6000


def test_what_is_made_here_passes_the_check_and_gets_the_clusters_address() -> None:
    text = kubeconfig.render("https://127.0.0.1:6443", b"ca", CLIENT, user="admin").decode()
    rewritten = kubeconfig.rewrite(text, cluster(endpoint="api.example"), author="kubeadm")

    assert rewritten == text.replace("127.0.0.1", "api.example")


def test_the_message_names_who_writes_such_files() -> None:
    with pytest.raises(ActionError, match="not as kubeadm writes it: it is no kubeconfig"):
        kubeconfig.rewrite("[]", cluster(), author="kubeadm")


def test_a_key_that_stands_twice_is_refused() -> None:
    """Some readers believe the first of the two, some join them; here the last one would hide a program."""
    text = kubeconfig.render("https://127.0.0.1:6443", b"ca", CLIENT, user="admin").decode()
    hidden = text.replace("  user:\n", "  user: {exec: {command: evil}}\n  user:\n")
    assert yaml.safe_load(hidden) == yaml.safe_load(text)

    with pytest.raises(ActionError, match="it is no kubeconfig"):
        kubeconfig.rewrite(hidden, cluster(), author="kubeadm")
