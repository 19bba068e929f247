"""The stand-in k0s release on real hosts: does it behave as k0s is known to? Each test has new hosts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from mk8s.standin import build_release
from tests.e2e.labs import LabMaker
from tests.e2e.standin_hosts import K0S, StandinHosts, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

VERSION = "v1.33.4+k0s.0"
TOKEN_FILE = "/etc/k0s/token"


@pytest.fixture(scope="module")
def small_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_release(tmp_path_factory.mktemp("standin") / "release", VERSION, images_size=100_000)


class K0sHosts(StandinHosts):
    """k0s has no token of the user's choice and no install script: its own verbs do it."""

    def start(
        self, i: int, words: str, token: str = "", settings: Mapping[str, object] | None = None
    ) -> None:
        """Install and start. `words`: of `k0s install`."""
        role = "agent" if words.startswith("worker") else "server"
        self.install(i, role, settings)
        if token:
            self.sh(i, f"mkdir -p /etc/k0s; umask 077; echo {token} > {TOKEN_FILE}")
            words += f" --token-file {TOKEN_FILE}"
        self.sh(i, f"k0s install {words} && k0s start")

    def up(self, i: int = 1, words: str = "controller") -> None:
        """A first controller, ready."""
        self.start(i, words)
        self.wait_api(i)

    def wait_api(self, i: int) -> None:
        eventually(lambda: self.kubectl(i, "get --raw=/readyz").stdout == "ok", f"the API on {i} is ready")

    def token(self, role: str, more: str = "") -> str:
        return self.sh(1, f"k0s token create --role {role} {more}").strip()

    def members(self, i: int) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.sh(i, "k0s etcd member-list"))["members"]
        return found


@pytest.fixture
def hosts(lab: LabMaker, small_release: Path) -> K0sHosts:
    return K0sHosts(lab.fresh(3), small_release, K0S)


def test_a_controller_runs_the_control_plane_and_is_no_node(hosts: K0sHosts) -> None:
    """It answers on its socket, 401 to strangers; the unit is active at once and proves nothing."""
    hosts.start(1, "controller")
    assert hosts.run(1, "systemctl is-active k0scontroller").stdout == "active\n"
    assert "Type=notify" not in hosts.sh(1, "cat /etc/systemd/system/k0scontroller.service")
    hosts.wait_api(1)
    status = json.loads(hosts.sh(1, "k0s status -o json"))
    assert (status["Version"], status["Role"], status["Workloads"]) == (VERSION, "controller", False)
    assert hosts.sh(1, "curl -sk -o /dev/null -w %{http_code} https://127.0.0.1:6443/readyz") == "401"
    assert hosts.kubectl(1, "get nodes -o name").stdout == ""
    again = hosts.run(1, "k0s install controller")
    assert (again.returncode, "Init already exists" in again.stderr) == (1, True)


def test_controllers_and_a_worker_join_by_tokens(hosts: K0sHosts) -> None:
    """Members by name; the worker is a Node, may read its own, and comes back without a token."""
    hosts.up()
    hosts.start(2, "controller", hosts.token("controller"))
    hosts.wait_api(2)
    assert list(hosts.members(2)) == [hosts.name(1), hosts.name(2)]
    hosts.start(3, "worker", hosts.token("worker", "--expiry 10m"))
    hosts.wait_ready(2, 3)
    hosts.sh(3, f": > {TOKEN_FILE}; systemctl restart k0sworker")
    eventually(lambda: len(hosts.when(3, "ready")) == 2, "the worker is back")
    own = f"k0s kubectl --kubeconfig /var/lib/k0s/kubelet.conf get node {hosts.name(3)}"
    assert "v1.33.4+k0s" in hosts.sh(3, own)
    hosts.sh(1, f"k0s etcd leave --peer-address {hosts.lab.hosts[1].address}")
    assert list(hosts.members(1)) == [hosts.name(1)]


def test_two_controllers_at_once_are_one_too_many(hosts: K0sHosts) -> None:
    """A voter that does not run yet takes the majority away: the other one is refused, and tries again."""
    hosts.up()
    token = hosts.token("controller")
    hosts.freeze_at(2, "join-member")
    hosts.start(2, "controller", token, {"ETCD_START_SECONDS": 3})
    hosts.wait_frozen(2)
    eventually(lambda: "[-]etcd failed" in hosts.kubectl(1, "get --raw=/readyz").stderr, "no majority")
    hosts.start(3, "controller", token)
    hosts.wait_said(3, "not enough started members")
    hosts.thaw(2)
    for i in (2, 3):
        hosts.wait_api(i)
    assert [i for i in (2, 3) if hosts.when(i, "join-refused")] == [3]
    assert set(hosts.members(1)) == {hosts.name(i) for i in (1, 2, 3)}


def test_tokens_of_the_wrong_kind_or_past_their_time_are_refused(hosts: K0sHosts) -> None:
    """A worker's token makes no controller; an expired one and one taken back get 401."""
    hosts.up()
    hosts.start(2, "controller", hosts.token("worker"))
    hosts.wait_said(2, "wrong token type kubelet-bootstrap, expected type: controller-bootstrap")
    hosts.start(3, "worker", hosts.token("worker", "--expiry 1s"), {"START_SECONDS": 4})
    hosts.wait_said(3, "401 Unauthorized", "agent")
    assert hosts.name(3) not in hosts.conditions(1)


def test_a_restart_keeps_the_data_and_a_reset_leaves_none(hosts: K0sHosts) -> None:
    """A controller with a worker in it: the same cluster, its taint; reset only when it is stopped."""
    hosts.up(1, "controller --enable-worker")
    hosts.wait_ready(1, 1)
    node = json.loads(hosts.kubectl(1, f"get node {hosts.name(1)} -o json").stdout)
    assert node["spec"]["taints"][0]["key"] == "node-role.kubernetes.io/control-plane"
    hosts.sh(1, "systemctl restart k0scontroller")
    hosts.wait_api(1)  # before that it already tells of its Node, as it was
    hosts.wait_ready(1, 1)
    starts = [line for line in hosts.evidence(1) if line["event"] == "ready"]
    assert [line["how"] for line in starts] == ["init", "resume"]
    assert hosts.run(1, "k0s reset").returncode == 1
    hosts.sh(1, "k0s stop && k0s reset")
    places = "/var/lib/k0s /etc/systemd/system/k0s* /run/k0s /run/standin-k0s"
    assert hosts.sh(1, f"ls -d {places} 2>/dev/null || :") == ""
    hosts.wait_nothing(1, "ss -Hlntu 'sport = :6443 or sport = :9443 or sport = :8132'")


def test_one_node_alone_lets_nobody_join(hosts: K0sHosts) -> None:
    """--single: SQLite, no taint, no tokens. Without its bundle of images the node does not become Ready."""
    hosts.up(1, "controller --single")
    hosts.wait_ready(1, 1)
    assert "cannot join into a single node cluster" in hosts.run(1, "k0s token create").stderr
    assert hosts.run(1, "k0s etcd member-list").returncode == 1
    hosts.install(2)
    hosts.sh(2, "rm /var/lib/k0s/images/*; k0s install controller --single && k0s start")
    hosts.wait_api(2)
    eventually(lambda: hosts.conditions(2) == {hosts.name(2): "False"}, "registered, not Ready")
