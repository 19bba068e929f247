"""A plan that asks real hosts: bare ones, a whole cluster, a file that was changed, a host without a cable.

One cluster lives through all of it, and each plan is kept as it was printed; the claims are about those.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
from dataclasses import dataclass
from typing import Any

import pytest

from mk8s.lab.manifest_writer import DEFAULT_VERSIONS
from tests.e2e.driving import Driver, Finished, drive, of_kind, stand_in, wait_until
from tests.e2e.labs import LabMaker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

FOLDER = "/etc/rancher/k3s"
UNIT = "/etc/systemd/system/k3s-agent.service"
SECRET = f"{FOLDER}/config.yaml"
LISTING = (
    "find /etc /usr/local /opt /var/lib -xdev -type f -printf '%p %i %T@ %m %u\\n' | grep -v -e leases | sort"
)


@dataclass(frozen=True)
class Lived:
    """What was printed at each stage of one cluster's life."""

    driver: Driver
    bare: Finished  # as JSON
    untouched: bool  # the hosts, by that plan
    killed: Finished  # in the middle of the run
    whole: Finished
    again: Finished  # all files there, and no journal
    tampered: Finished  # by the journal, the cluster is whole
    tampered_again: Finished  # without the journal
    unplugged: Finished

    @property
    def printed(self) -> list[str]:
        found = (self.bare, self.killed, self.whole, self.again, self.tampered, self.tampered_again)
        return [text for plan in (*found, self.unplugged) for text in (plan.out, plan.err)]


@pytest.fixture(scope="module")
def lived(lab: LabMaker, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    files = stand_in(DEFAULT_VERSIONS["k3s"])
    folder = tmp_path_factory.mktemp("plan")
    driver = drive(lab.fresh(3), folder, files, distro="k3s", servers=2)
    driver.on_host(3, f"mkdir -p {FOLDER}")

    before = [driver.on_host(i, LISTING) for i in (1, 2, 3)]
    bare = plan(driver, "--output", "json")
    untouched = before == [driver.on_host(i, LISTING) for i in (1, 2, 3)]

    killed_with_something_done(driver)
    killed = plan(driver, "--commands")
    assert driver.run().code == 0
    whole = plan(driver)
    elsewhere = folder / "without-journal"
    shutil.copytree(driver.state, elsewhere, ignore=shutil.ignore_patterns("journal"))
    again = plan(driver, "--state", str(elsewhere))
    driver.on_host(3, f"sed -i 's/^Restart=.*/Restart=no/' {UNIT}; echo '# ours' >>{SECRET}")
    tampered = plan(driver)
    tampered_again = plan(driver, "--state", str(elsewhere))
    driver.lab.cut(2)
    unplugged = plan(driver, "--state", str(elsewhere))
    driver.lab.heal(2)
    return Lived(driver, bare, untouched, killed, whole, again, tampered, tampered_again, unplugged)


def killed_with_something_done(driver: Driver) -> None:
    """kill -9 as soon as a host has got its files."""
    with driver.starting_slowly(1, "k3s"), driver.running() as process:
        wait_until(lambda: bool(of_kind(driver.records(), "done", "stage")), "a host has its files")
        process.kill()
        assert process.wait() == -signal.SIGKILL


def plan(driver: Driver, *words: str) -> Finished:
    """Five seeds are enough here: the claims are about what was found."""
    return driver.mk8s("plan", str(driver.manifest), "--facts", "--seeds", "5", *words)


def node_part(done: Finished, name: str) -> str:
    """What a plan says of the group that a node is in."""
    (part,) = [part for part in done.out.split("\n\n") if name in part.partition("\n")[0]]
    return part


def skipped(text: str) -> list[str]:
    """Titles of steps that are true already."""
    return re.findall(r"^    = (.*?)  \(true already: skipped\)", text, re.MULTILINE)


def to_do(text: str) -> list[str]:
    """Titles of steps that are not, waits left out."""
    return [
        re.split(r"  +", line)[0] for line in re.findall(r"^    - (?!wait until )(.*)", text, re.MULTILINE)
    ]


def test_bare_hosts_get_everything_but_what_is_there(lived: Lived) -> None:
    """A folder that somebody made on one host is a step less there, and there alone."""
    assert lived.bare.code == 0
    true = [
        [s["title"] for edge in node["edges"] for s in edge["steps"] if s["standing"] == "true"]
        for node in nodes_of(lived.bare)
    ]
    assert true == [[], [], [f"make the folder {FOLDER}"] * 2]


def nodes_of(done: Finished) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done.out)["nodes"]
    return found


def test_a_plan_changes_nothing_on_the_hosts(lived: Lived) -> None:
    """Every file, its inode, time, mode and owner."""
    assert lived.untouched


def test_the_data_say_what_each_host_is(lived: Lived) -> None:
    """Facts as the host gave them, and an estimate."""
    found = [node["found"]["facts"]["hostname"] for node in nodes_of(lived.bare)]
    assert found == [host.name for host in lived.driver.lab.hosts]
    assert json.loads(lived.bare.out)["forecast"]["to_all"]["middle"] > 0


def test_a_run_that_was_killed_is_planned_from_where_it_is(lived: Lived) -> None:
    """From its journal and its hosts: what is there is skipped, what is left has a forecast."""
    assert lived.killed.code == 0
    assert skipped(lived.killed.out)
    assert re.search(r"^  all nodes   healthy after ", lived.killed.out, re.MULTILINE)


def test_a_whole_cluster_has_nothing_to_do(lived: Lived) -> None:
    """By the journal and by its own word; nothing is predicted."""
    assert lived.whole.code == 0
    assert lived.whole.out.count("nothing to do (healthy, asked just now)") == 3
    assert "nothing is left to be run" in lived.whole.out


def test_what_is_there_is_skipped_also_without_the_journal(lived: Lived) -> None:
    """Who joins gets its config twice: at last with the hash of the CA."""
    primary, server, agent = (node_part(lived.again, lived.driver.name(i)) for i in (1, 2, 3))
    assert to_do(primary) == ["start k3s.service"]
    assert to_do(server) == [f"write {SECRET}"] * 2 + ["start k3s.service"]
    assert to_do(agent) == [f"write {SECRET}"] * 2 + ["start k3s-agent.service"]


def test_what_is_there_is_not_counted_as_sent(lived: Lived) -> None:
    """The prediction begins with hosts as they were found."""
    (words,) = re.findall(r"^  bytes +(.*) from here", lived.again.out, re.MULTILINE)
    assert words.endswith(" B")  # the configs


def test_a_file_that_was_changed_is_shown_with_its_difference(lived: Lived) -> None:
    """The node's edges are done, so a run leaves the file; it is said, and of this node alone."""
    part = node_part(lived.tampered, lived.driver.name(3))
    assert f"write {UNIT}: its content is another; a run leaves it so" in part
    assert "-Restart=no" in part
    assert "+Restart=always" in part
    assert lived.tampered.out.count("nothing to do") == 2


def test_of_a_file_with_secrets_only_that_it_differs(lived: Lived) -> None:
    """By its hash alone."""
    part = node_part(lived.tampered, lived.driver.name(3))
    assert f"write {SECRET}: its content is another; it holds secrets, so it is not shown" in part


def test_only_what_was_changed_is_done_again(lived: Lived) -> None:
    """Where the edges are ahead, the plan differs by that file, and by systemd having to read it."""
    before = set(to_do(node_part(lived.again, lived.driver.name(3))))
    after = set(to_do(node_part(lived.tampered_again, lived.driver.name(3))))
    assert after - before == {f"write {UNIT}", "let systemd read k3s-agent.service"}


def test_a_host_without_a_cable_is_named_and_the_others_are_told(lived: Lived) -> None:
    """Exit status 1, a hint, and the plan of the rest."""
    assert lived.unplugged.code == 1
    part = node_part(lived.unplugged, lived.driver.name(2))
    assert "could not be asked: " in part
    assert "hint: " in part
    assert skipped(node_part(lived.unplugged, lived.driver.name(1)))
    assert "did not answer; taken for" in lived.unplugged.out


def test_no_plan_shows_a_secret(lived: Lived) -> None:
    """Neither the token nor a line of a file that holds it, though that file was changed."""
    token = json.loads((lived.driver.state / "secrets.json").read_text())["token"]
    for text in lived.printed:
        assert token not in text
        assert "# ours" not in text
