"""The steps of every edge, for a table of manifests, against files that a person has read.

After a wanted change run the test with UPDATE_GOLDEN=1, and read the difference before it is committed.
Scripts are left out here: `test_scripts` runs them.
"""

from __future__ import annotations

import base64
import gzip
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mk8s.cluster import Cluster
from mk8s.distros.base import Question, Situation
from mk8s.distros.k0s import DISTRO
from mk8s.steps import Run, Step, Upload, WaitFor, WriteFile
from tests.mk8s.distros.k0s.clusters import CLUSTERS, every_situation, five, one, situation_of
from tests.mk8s.distros.situations import commands_of
from transports.base import EXEC, Command

GOLDEN = Path(__file__).parents[1] / "golden_k0s"
KUBECONFIG = b"""\
clusters:
- cluster: {server: "https://10.0.0.11:9443"}
users:
- name: controller-bootstrap
  user:
    token: abc123.0123456789abcdef
"""
TOKEN = base64.b64encode(gzip.compress(KUBECONFIG, mtime=0)).decode()


@pytest.mark.parametrize("name", CLUSTERS)
def test_the_steps_are_the_ones_that_were_read(name: str) -> None:
    """Every file, command and wait of every node and edge."""
    golden = GOLDEN / f"{name}.txt"
    rendered = "\n".join(_cluster(CLUSTERS[name])) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(rendered, encoding="utf-8")

    assert rendered == golden.read_text(encoding="utf-8")


def _cluster(cluster: Cluster) -> Iterator[str]:
    for node in cluster.nodes:
        yield f"== {node.name}, {node.role}"
        yield from _node(situation_of(cluster, node.name, password="hush-hush" if cluster.datastore else ""))


def _node(s: Situation) -> Iterator[str]:
    enter = DISTRO.start if s.node.role == "primary" else DISTRO.join
    seen: set[bytes] = set()
    edges = {"stage": DISTRO.stage, "bootstrap": DISTRO.bootstrap, "start or join": enter}
    for name, steps in edges.items():
        yield f"  {name}"
        for step in steps(new(s)):
            yield from (f"    {line}" for line in _step(step, seen))
    for title, questions in (("has_joined", DISTRO.has_joined(s)), ("is_healthy", DISTRO.is_healthy(s))):
        yield f"  {title}"
        yield from (f"    ask {asked.title}: {_command(asked.command)}{_on(asked)}" for asked in questions)


def _step(step: Step, seen: set[bytes]) -> Iterator[str]:
    """`seen`: contents that were shown before."""
    match step:
        case Upload(source=source, target=target, mode=mode):
            yield f"upload {source.path} -> {target} {mode:04o}"
        case WriteFile(target=target, mode=mode, secret=secret, content=content):
            yield f"write {target} {mode:04o}{' secret' if secret else ''}"
            shown = content.decode().replace(TOKEN, "TOKEN").splitlines()
            yield from (f"  | {line}" for line in (["as before"] if content in seen else shown))
            seen.add(content)
        case Run(title=title, command=command, check=check):
            yield f"run {title}: {_command(command)}{_on(step)}"
            if check:
                yield f"  unless {_command(check)}"
        case WaitFor(title=title, command=command, interval=interval):
            yield f"wait {title}, every {interval:g} s: {_command(command)}{_on(step)}"


def _on(step: Run | WaitFor | Question) -> str:
    return f" on {step.on}" if step.on else ""


def _command(command: Command) -> str:
    words = command.args if command.script == EXEC else (command.operation, *command.args)
    return " ".join(word if "{{" not in word else "go-template=..." for word in words)


def new(s: Situation) -> Situation:
    """A node that has not joined, with a token made for it."""
    if s.node.role == "primary":
        return s
    return replace(s, learned={"progress": "new", "token": "" if s.cluster.joins else TOKEN})


def every_step(s: Situation) -> list[Step]:
    edges = (DISTRO.stage, DISTRO.bootstrap, DISTRO.start, DISTRO.join, DISTRO.verify, DISTRO.stop_unit)
    ways = [s, new(s), replace(s, learned={"progress": "joined", "token": ""})]
    return [
        step
        for edge in edges
        for way in ways
        for step in edge(way)
        if s.node.is_server or edge != DISTRO.start
    ]


def every_command() -> Iterator[Command]:
    """Whatever the driver can send to a node."""
    for s in every_situation():
        yield from commands_of(DISTRO, s, every_step(s))


def test_no_secret_stands_in_a_title_a_description_or_an_argument() -> None:
    """Those go to screens, transcripts and process lists. Secrets travel in files of mode 0600."""
    words = [step.title for s in every_situation() for step in every_step(s)]
    for command in every_command():
        words += [command.description, command.script, *command.args, *command.env.values()]

    assert [
        word for word in words for secret in (TOKEN, "hush-hush", "H4sI-token-of-theirs") if secret in word
    ] == []


def test_every_file_that_holds_a_secret_is_secret_and_roots_alone() -> None:
    secrets = (TOKEN.encode(), b"hush-hush", b"H4sI-token-of-theirs", b"pretende")
    files = [step for s in every_situation() for step in every_step(s) if isinstance(step, WriteFile)]
    holding = [file for file in files if any(secret in file.content for secret in secrets)]

    assert holding
    assert [file.target for file in holding if not (file.secret and file.mode == 0o600)] == []


def test_nothing_is_started_before_its_edge() -> None:
    """All nodes bootstrap at once; a unit that starts there would join before its signal."""
    operations = {
        step.command.operation
        for s in every_situation()
        for step in (*DISTRO.stage(s), *DISTRO.bootstrap(s))
        if isinstance(step, Run)
    }

    assert not operations & {"unit.run", "unit.start"}


# Lookups


def test_a_token_is_asked_for_only_where_the_node_has_not_joined() -> None:
    """A repeat after a loss must not need a controller that can make tokens."""
    _, token = DISTRO.lookups(situation_of(five(), "agent-1"))

    assert token.secret
    assert token.on == "srv-1"
    assert [token.wanted({"progress": word}) for word in ("new", "joining", "joined")] == [True, False, False]


@pytest.mark.parametrize(
    ("name", "role", "expiry"), [("srv-2", "controller", "30m"), ("agent-1", "worker", "10m")]
)
def test_a_token_is_of_the_nodes_role_and_short_lived(name: str, role: str, expiry: str) -> None:
    words = DISTRO.lookups(situation_of(five(), name))[1].command.args

    assert words[-4:] == ("--role", role, "--expiry", expiry)


def test_the_first_controller_needs_no_token() -> None:
    assert DISTRO.lookups(situation_of(five(), "srv-1")) == []


def test_agents_of_another_control_plane_bring_their_token() -> None:
    """No node of the manifest could make one."""
    s = situation_of(CLUSTERS["agents-alone"], "agent-1")
    written = next(step for step in DISTRO.join(s) if isinstance(step, WriteFile))

    assert [lookup.name for lookup in DISTRO.lookups(s)] == ["progress"]
    assert written.content == b"H4sI-token-of-theirs\n"


# Joining


def _titles(s: Situation, progress: str) -> list[str]:
    return [step.title for step in DISTRO.join(replace(s, learned={"progress": progress, "token": ""}))]


def test_a_join_under_way_is_waited_for_and_not_begun_anew() -> None:
    """Another start would leave a member in etcd that never runs."""
    titles = _titles(situation_of(five(), "srv-2"), "joining")

    assert "start k0scontroller.service" not in titles
    assert "etcd has it as a member" in titles


def test_a_node_that_has_joined_gets_no_token_and_minds_no_other() -> None:
    titles = _titles(situation_of(five(), "srv-2"), "joined")

    assert "start k0scontroller.service" in titles
    assert not {"write /etc/k0s/mk8s-join-token", "no other controller is joining"} & set(titles)


@pytest.mark.parametrize(
    ("name", "left"), [("srv-2", b"# used: this controller has joined\n"), ("agent-1", b"")]
)
def test_what_is_left_of_a_token_is_no_token(name: str, left: bytes) -> None:
    """Old releases read it at every start; with an empty one a wiped controller founds a cluster."""
    files = [step for step in DISTRO.join(new(situation_of(five(), name))) if isinstance(step, WriteFile)]

    assert [file.content for file in files if file.target.name == "mk8s-join-token"] == [
        f"{TOKEN}\n".encode(),
        left,
    ]


def test_with_a_database_controllers_mind_nobody() -> None:
    s = situation_of(CLUSTERS["postgres"], "srv-2")

    assert not {"no other controller is joining", "etcd has it as a member"} & set(_titles(s, "new"))
    assert DISTRO.pacing(s.cluster) == {"etcd-joins": 50}
    assert DISTRO.pacing(five()) == {}


# Health


def _asked(cluster: Cluster, name: str) -> list[str]:
    return [question.title for question in DISTRO.is_healthy(situation_of(cluster, name))]


def test_nobody_waits_for_the_node_of_a_pure_controller() -> None:
    """It has none."""
    assert _asked(five(), "srv-1") == [
        "k0scontroller.service answers", "the API server is ready", "etcd has it as a member",
    ]  # fmt: skip
    assert _asked(five(control_plane="tainted"), "srv-1")[-1] == "the node is Ready"


def test_without_a_network_nodes_are_registered_and_no_more() -> None:
    assert _asked(five(network=CLUSTERS["preinstalled-without-network"].network), "agent-1")[-1] == (
        "the node is registered"
    )


def test_a_worker_is_judged_by_the_first_controller_or_by_itself() -> None:
    mine = DISTRO.is_healthy(situation_of(five(), "agent-1"))[-1]
    theirs = DISTRO.is_healthy(situation_of(CLUSTERS["agents-alone"], "agent-1"))[-1]

    assert mine.on == "srv-1"
    assert theirs.on is None
    assert "/var/lib/k0s/kubelet.conf" in theirs.command.args


def test_servers_alone_run_the_pods() -> None:
    """Otherwise nobody would."""
    assert _asked(one(), "srv-1")[-1] == "the node is Ready"


def test_health_has_a_condition_for_each_kind_of_question() -> None:
    cluster = five()
    found = DISTRO.conditions([situation_of(cluster, node.name) for node in cluster.nodes])

    assert [(condition.title, len(condition.questions)) for condition in found] == [
        ("all nodes answer", 5),
        ("k0s answers on every node, in its role and version", 5),
        ("the API server is ready on every controller", 3),
        ("etcd has all controllers as members", 3),
        ("all nodes with pods are in the cluster", 2),
    ]
