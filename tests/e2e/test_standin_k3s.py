"""The stand-in K3s release on real hosts: does it behave as K3s is known to?

What it shares with RKE2's (learners, tokens, power cuts) is in test_standin.py. Each test has new hosts.
"""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from mk8s.standin import build_release
from tests.e2e.labs import LabMaker
from tests.e2e.postgres import postgres
from tests.e2e.standin_hosts import K3S, TOKEN, StandinHosts, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

VERSION = "v1.33.4+k3s1"


@pytest.fixture(scope="module")
def small_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_release(tmp_path_factory.mktemp("standin") / "release", VERSION, images_size=100_000)


@pytest.fixture
def hosts(lab: LabMaker, small_release: Path) -> StandinHosts:
    return StandinHosts(lab.fresh(3), small_release, K3S)


def test_three_servers_of_an_etcd_cluster(hosts: StandinHosts) -> None:
    """cluster-init and two joins on port 6443; learners one at a time, roles in the Nodes."""
    hosts.first(settings={"PROMOTE_SECONDS": 3}, cluster_init="true")
    hosts.freeze_at(2, "join-learner")
    hosts.begin(2, server=hosts.url(1))
    hosts.wait_frozen(2)
    hosts.begin(3, server=hosts.url(1))
    eventually(lambda: hosts.when(3, "join-refused"), "host 3 is refused meanwhile")
    hosts.thaw(2)
    for i in (2, 3):
        hosts.wait_active(i)
    hosts.wait_ready(3, 1, 2, 3)
    assert len(hosts.when(2, "join-refused") + hosts.when(3, "join-refused")) == 1
    node = json.loads(hosts.kubectl(1, f"get node {hosts.name(2)} -o json").stdout)
    assert node["metadata"]["labels"]["node-role.kubernetes.io/etcd"] == "true"
    assert node["status"]["nodeInfo"]["kubeletVersion"] == VERSION


def test_one_port_answers_as_supervisor_and_as_api(hosts: StandinHosts) -> None:
    """Open: ping and cacerts. By token: readyz of the supervisor. By client certificate: the API."""
    hosts.first(cluster_init="true")
    ask, code = "curl -sk https://127.0.0.1:6443", "curl -sk -o /dev/null -w %{http_code}"
    assert hosts.sh(1, f"{ask}/ping") == "pong"
    assert hosts.sh(1, f"{ask}/cacerts").startswith("-----BEGIN CERTIFICATE-----")
    assert hosts.sh(1, f"{ask}/v1-k3s/readyz -u node:{TOKEN}") == "ok"
    assert hosts.sh(1, f"{code} https://127.0.0.1:6443/readyz") == "401"
    assert hosts.sh(1, "k3s kubectl get --raw=/readyz") == "ok"
    assert hosts.sh(1, "kubectl get --raw /readyz") == "ok"


def test_a_server_alone_has_sqlite_and_becomes_etcd_when_told(hosts: StandinHosts) -> None:
    """No etcd role before; cluster-init converts, the Nodes stay, and then servers can join."""
    hosts.first()
    hosts.wait_ready(1, 1)
    assert hosts.run(1, "k3s etcd-snapshot ls").returncode == 1
    assert "etcd" not in hosts.kubectl(1, "get nodes").stdout
    hosts.begin(2, server=hosts.url(1))
    hosts.wait_said(2, "the datastore of this cluster is not etcd but sqlite")
    hosts.configure(1, token=TOKEN, cluster_init="true")
    hosts.sh(1, "systemctl restart k3s")
    assert [line["how"] for line in hosts.evidence(1) if line["event"] == "ready"] == ["init", "convert"]
    assert "etcd" in hosts.kubectl(1, "get nodes").stdout
    hosts.wait_active(2)
    hosts.wait_ready(1, 1, 2)


def test_a_restart_resumes_what_is_on_the_disk(hosts: StandinHosts) -> None:
    """SQLite and the agent: same cluster, same Node."""
    hosts.first()
    hosts.begin(2, "agent", server=hosts.url(1))
    hosts.wait_active(2, "agent")
    for i, unit in ((1, "k3s"), (2, "k3s-agent")):
        hosts.sh(i, f"systemctl restart {unit}")
    hosts.wait_ready(1, 1, 2)
    assert [line["how"] for line in hosts.evidence(1) if line["event"] == "ready"] == ["init", "resume"]
    own = "kubectl --kubeconfig /var/lib/rancher/k3s/agent/kubelet.kubeconfig get node"
    assert hosts.run(2, f"{own} {hosts.name(2)}").returncode == 0
    assert "Forbidden" in hosts.run(2, f"{own} {hosts.name(1)}").stderr


def test_wrong_tokens_and_known_names_are_refused(hosts: StandinHosts) -> None:
    """As by RKE2: a server ends with 401, an agent goes on asking, a twin's password is not the Node's."""
    hosts.first(cluster_init="true")
    hosts.begin(2, server=hosts.url(1), token="wrong")
    hosts.wait_said(2, "/v1-k3s/server-bootstrap: 401 Unauthorized")
    hosts.begin(3, "agent", server=hosts.url(1), node_name=hosts.name(1))
    hosts.wait_said(3, "Node password rejected, duplicate hostname", "agent")


def test_the_uninstall_scripts_leave_nothing(hosts: StandinHosts) -> None:
    """No file, no unit, no process, no port; the agent's script has another name."""
    hosts.first()
    hosts.begin(2, "agent", server=hosts.url(1))
    hosts.wait_active(2, "agent")
    for i, script in ((1, "k3s-uninstall.sh"), (2, "k3s-agent-uninstall.sh")):
        hosts.sh(i, script)
        places = (
            "/usr/local/bin/* /etc/rancher/k3s /etc/systemd/system/k3s* /var/lib/rancher /run/standin-k3s"
        )
        assert hosts.sh(i, f"ls -d {places} 2>/dev/null || :") == ""
        hosts.wait_nothing(i, "ss -Hlntu 'sport = :6443'")
        hosts.wait_nothing(i, "pgrep -fa '[b]in/k3s|[s]_server' || :")


def test_servers_share_a_real_postgresql(hosts: StandinHosts) -> None:
    """Same endpoint, same token, no `server:`. A wrong password and another token fail in the known words."""
    with postgres(hosts.lab) as database:

        def endpoint(password: str) -> str:
            login = f"{database.user}:{quote(password, safe='')}"
            return f"postgres://{login}@{database.address}:{database.port}/k3s?sslmode=disable"

        hosts.begin(1, datastore_endpoint=endpoint("wrong"))
        hosts.wait_said(1, 'password authentication failed for user \\"kine\\"')
        hosts.configure(1, token=TOKEN, datastore_endpoint=endpoint(database.password))
        hosts.wait_active(1)
        hosts.begin(2, token="other", datastore_endpoint=endpoint(database.password))
        hosts.wait_said(2, "bootstrap data already found and encrypted with different token")
        hosts.configure(2, token=TOKEN, datastore_endpoint=endpoint(database.password))
        hosts.begin(3, "agent", server=hosts.url(2))
        hosts.wait_active(2)
        hosts.wait_ready(1, 1, 2, 3)
        hosts.sh(1, "systemctl restart k3s")
        hosts.wait_ready(1, 1, 2, 3)
        known = database.rows("k3s", "SELECT DISTINCT name FROM kine ORDER BY name").splitlines()
    assert known == ["/bootstrap/standin", "/standin/state"]
    assert len(hosts.when(1, "cluster-init") + hosts.when(2, "cluster-init")) == 1
    assert hosts.run(1, "test -e /var/lib/rancher/k3s/server/db/etcd").returncode == 1
