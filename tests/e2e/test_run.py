"""`mk8s run` on real hosts: six nodes healthy in the declared order; a second run changes nothing."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.driving import Driver, Finished, drive, intervals, states_of
from tests.e2e.labs import LabMaker

pytestmark = pytest.mark.e2e

SNAPSHOT = """
find /etc /usr/local /opt /var/lib/mk8s /var/lib/rancher -xdev -type f ! -name 'standin-*' ! -path '*/db/*' \
  -printf '%p %i %T@ %m %u\\n' 2>/dev/null | grep -v -e /etc/resolv.conf -e leases | sort
systemctl show -p ActiveEnterTimestampMonotonic -p NRestarts -p MainPID rke2-server rke2-agent
"""


@pytest.fixture(scope="module")
def six(lab: LabMaker, release: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Driver, Finished]:
    """Six fresh hosts, and the first run on them."""
    driver = drive(lab.fresh(6), tmp_path_factory.mktemp("six"), release)
    return driver, driver.run()


def test_all_six_become_healthy(six: tuple[Driver, Finished]) -> None:
    """Three servers and three agents from a manifest in the original format."""
    driver, first = six
    assert (first.code, first.out) == (0, "")
    assert set(states_of(driver.records()).values()) == {"healthy"}
    assert "6 of 6 nodes healthy" in first.err


def test_all_nodes_are_staged_at_the_same_time(six: tuple[Driver, Finished]) -> None:
    """No barrier: there is a moment at which all six stage edges are under way."""
    staging = intervals(six[0].records(), "stage")
    assert len(staging) == 6
    assert max(begin for begin, _ in staging.values()) < min(end for _, end in staging.values())


def test_no_server_joins_before_primary_ready(six: tuple[Driver, Finished]) -> None:
    """The signal opens the edge."""
    records = six[0].records()
    (ready,) = [r.at for r in records if r.kind == "signal" and r.signal == "primary-ready"]
    joins = intervals(records, "join-server")
    assert len(joins) == 2
    assert all(begin >= ready for begin, _ in joins.values())


def test_two_servers_never_join_at_once(six: tuple[Driver, Finished]) -> None:
    """By the attempts in the journal, and by what the hosts themselves logged."""
    driver, _ = six
    joins = sorted(intervals_of_attempts(driver, "join-server"))
    assert all(end <= begin for (_, end), (begin, _) in pairwise(joins))
    learners = [span for i in (2, 3) if (span := learner_span(driver, i))]
    assert len(learners) == 2
    assert all(end <= begin for (_, end), (begin, _) in pairwise(sorted(learners)))


def test_no_agent_joins_before_servers_healthy(six: tuple[Driver, Finished]) -> None:
    """Agents wait for the whole control plane."""
    records = six[0].records()
    (healthy,) = [r.at for r in records if r.kind == "signal" and r.signal == "servers-healthy"]
    joins = intervals(records, "join-agent")
    assert len(joins) == 3
    assert all(begin >= healthy for begin, _ in joins.values())


def test_the_cluster_was_initialised_once(six: tuple[Driver, Finished]) -> None:
    """By the stand-in's own log on the hosts."""
    driver, _ = six
    inits = [entry for i in range(1, 7) for entry in driver.evidence(i) if entry["event"] == "cluster-init"]
    assert len(inits) == 1


def test_the_kubeconfig_is_the_owners_alone_and_names_the_primary(six: tuple[Driver, Finished]) -> None:
    """Fetched, rewritten, never printed."""
    driver, first = six
    shown = driver.mk8s("kubeconfig", str(driver.manifest))
    path = Path(shown.out.strip())
    content = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert f"https://{driver.lab.hosts[0].address}:6443" in content
    assert "client-key-data" not in first.err + first.out + shown.out + shown.err


def test_no_secret_is_in_the_journal_or_the_transcript(six: tuple[Driver, Finished]) -> None:
    """The join token opens the cluster: it is in the secrets file, mode 0600, and nowhere else."""
    state = six[0].state
    token = json.loads((state / "secrets.json").read_text())["token"]
    holders = [
        path.name for path in state.rglob("*") if path.is_file() and token in path.read_text("latin-1")
    ]
    assert holders == ["secrets.json"]


def test_a_second_run_changes_nothing_on_any_host_and_says_so(six: tuple[Driver, Finished]) -> None:
    """Files, their inodes and times, units and their processes: all as before."""
    driver, _ = six
    before = [driver.on_host(i, SNAPSHOT) for i in range(1, 7)]
    second = driver.run("--output", "json")
    after = [driver.on_host(i, SNAPSHOT) for i in range(1, 7)]
    assert second.code == 0
    assert "nothing to do: all 6 nodes are healthy" in second.err
    (event,) = [json.loads(line) for line in second.out.splitlines()]
    assert (event["event"], event["code"], set(event["states"].values())) == ("result", 0, {"healthy"})
    assert after == before


def test_status_explain_and_journal_agree(six: tuple[Driver, Finished]) -> None:
    """Three views of one journal."""
    driver, _ = six
    manifest = str(driver.manifest)
    rows = json.loads(driver.mk8s("status", manifest, "--output", "json").out)
    assert [row["state"] for row in rows] == ["healthy"] * 6
    assert "is healthy" in driver.mk8s("explain", manifest, rows[2]["node"]).out
    kinds = [
        json.loads(line)["kind"]
        for line in driver.mk8s("journal", manifest, "--output", "json").out.splitlines()
    ]
    assert (kinds[0], kinds[-1]) == ("header", "finished")


def test_a_real_run_can_be_told_again(six: tuple[Driver, Finished]) -> None:
    """Its steps, its records, its moments and its picture: all of one run, and none contradicts."""
    driver, _ = six
    manifest = str(driver.manifest)
    agent = next(r.node for r in driver.records() if r.edge == "join-agent")
    edge = json.loads(driver.mk8s("explain", manifest, agent, "join-agent", "--output", "json").out)
    assert [step["last"]["status"] for step in edge["steps"]] == [0] * len(edge["steps"])
    followed = driver.mk8s("journal", manifest, "--follow", "--steps", "--output", "json")
    kinds = [json.loads(line)["kind"] for line in followed.out.splitlines()]
    assert kinds.count("step") > 6 * 10
    assert (kinds[-1], followed.err) == ("finished", "the run has ended\n")
    moment = driver.mk8s("replay", manifest, "--at", "1h", "--output", "json")
    assert (moment.code, len(json.loads(moment.out)["nodes"])) == (0, 6)
    assert "each fits the one before" in moment.err
    assert "healthy (6)" in driver.mk8s("graph", manifest, "--run").out


def test_a_simulation_of_the_same_manifest_ends_in_the_same_states(six: tuple[Driver, Finished]) -> None:
    """The rehearsal tells the truth about the end."""
    driver, _ = six
    done = driver.mk8s("simulate", str(driver.manifest))
    simulated = dict(line.split("\t") for line in done.out.splitlines())
    assert (done.code, simulated) == (0, states_of(driver.records()))


def intervals_of_attempts(driver: Driver, edge: str) -> list[tuple[float, float]]:
    """From each intent to its done or error."""
    began: dict[str, float] = {}
    spans = []
    for record in driver.records():
        if record.edge == edge and record.kind == "intent":
            began[record.node] = record.at
        if record.edge == edge and record.kind in ("done", "error"):
            spans.append((began.pop(record.node), record.at))
    return spans


def learner_span(driver: Driver, i: int) -> tuple[float, float] | None:
    """When a host was a learner, by its own log."""
    times = {str(entry["event"]): float(str(entry["t"])) for entry in driver.evidence(i)}
    return (times["join-learner"], times["join-promoted"]) if "join-promoted" in times else None
