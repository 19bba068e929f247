"""Rules about what a driver does to hosts: modelled ones, in virtual time.

Each is a function from a subject to what breaks the rule, in words; nothing means that it is kept. That
every command has a model is part of all of them: a host refuses what it does not know.
"""

from __future__ import annotations

from collections.abc import Iterator

from machines import ActionError
from machines.simulation import FaultPlan
from mk8s.conformance.lives import Life, live, shortcomings
from mk8s.conformance.subjects import Subject
from mk8s.health import Examination
from mk8s.rehearsal import Conditions, rehearse

__all__: list[str] = []

SEEDS = 5
RATES = {"drop": 0.02, "apply-then-drop": 0.02, "reboot": 0.01, "truncated": 0.01, "slow": 0.02}
HOSTILE = """\
apiVersion: v1
clusters: [{name: c, cluster: {server: "https://127.0.0.1:6443"}}]
users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/sh}}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
kind: Config
"""


def becomes_healthy(subject: Subject) -> Iterator[str]:
    """Every sample cluster becomes healthy."""
    for what, cluster in subject.clusters():
        yield from (f"{what}: {line}" for line in live(subject, cluster, _rollout))


async def _rollout(life: Life) -> list[str]:
    return shortcomings(await life.run())


def one_journal(subject: Subject) -> Iterator[str]:
    """One seed gives one journal, byte for byte."""
    cluster = subject.cluster(3, 2)
    first, second = (rehearse(Conditions(cluster, subject.distro), 7) for _ in range(2))
    if first.digest != second.digest:
        yield "two rehearsals of seed 7 differ"


def survives_faults(subject: Subject) -> Iterator[str]:
    """Lost answers, reboots and cut uploads cost time and nothing else."""
    cluster = subject.cluster(3, 2)
    for seed in range(SEEDS):
        plan = FaultPlan(seed, RATES, until_attempt=2)  # type: ignore[arg-type]  # keys are kinds of faults
        try:
            result = rehearse(Conditions(cluster, subject.distro), seed, faults=plan).result
        except Exception as error:
            yield f"seed {seed}: raises {type(error).__name__}: {error}"
            continue
        yield from (f"seed {seed}: {line}" for line in shortcomings(result))


def questions_tell(subject: Subject) -> Iterator[str]:
    """`has_joined` and `is_healthy` are not met on a bare host, and met once the rollout is through."""
    yield from live(subject, subject.cluster(3, 2), _questions)


async def _questions(life: Life) -> list[str]:
    found = [*await _answers(life, expected=False)]
    await life.run()
    return found + await _answers(life, expected=True)


async def _answers(life: Life, *, expected: bool) -> list[str]:
    distro, found = life.rollout.binding.distro, []
    for node in life.cluster.nodes:
        s = await life.rollout.binding.situation_of(node.name)
        for name, questions in (("has_joined", distro.has_joined(s)), ("is_healthy", distro.is_healthy(s))):
            verdict = await life.ask(node, questions)
            if verdict.met is not expected:
                found.append(f"{node.name}: {name} is {verdict.met}, not {expected}: {verdict.reason}")
    return found


def questions_change_nothing(subject: Subject) -> Iterator[str]:
    """Questions leave every file as it was."""
    yield from live(subject, subject.cluster(3, 2), _questions_only)


async def _questions_only(life: Life) -> list[str]:
    await life.run()
    before = [life.files(node) for node in life.cluster.nodes]
    await _answers(life, expected=True)
    await Examination(life.rollout.binding).look()
    after = [life.files(node) for node in life.cluster.nodes]
    return [] if before == after else ["a question changed a file"]


def repeated_steps(subject: Subject) -> Iterator[str]:
    """Staging and installing again leave every file as it was."""
    yield from live(subject, subject.cluster(3, 2), _again)


async def _again(life: Life) -> list[str]:
    await life.run()
    distro, found = life.rollout.binding.distro, []
    for node in life.cluster.nodes:
        before = life.files(node)
        s = await life.situation(node)
        for name, steps in (("stage", distro.stage(s)), ("bootstrap", distro.bootstrap(s))):
            await life.do(node, steps)
            changed = {path for path, file in life.files(node).items() if before.get(path) != file}
            gone = before.keys() - life.files(node).keys()
            if changed or gone:
                found.append(f"{node.name}: {name} again changes {', '.join(sorted(changed | gone))}")
    return found


def starts_in_time(subject: Subject) -> Iterator[str]:
    """Installing leaves something to start to `start` and `join`: no service of theirs runs before."""
    yield from live(subject, subject.cluster(3, 1), _services_in_time)


async def _services_in_time(life: Life) -> list[str]:
    before = await _installed(life)
    found = []
    for node in life.cluster.nodes:
        await life.begin(node)
        await life.verify(node)
        running = life.running(node)
        if running and running <= before[node.name]:
            found.append(f"{node.name}: {', '.join(sorted(running))} ran before it was to start")
    return found


async def _installed(life: Life) -> dict[str, set[str]]:
    """Stage and install every node, as before a signal; the services that run then."""
    distro = life.rollout.binding.distro
    for node in life.cluster.nodes:
        s = await life.rollout.binding.situation_of(node.name)
        await life.do(node, [*distro.stage(s), *distro.bootstrap(s)])
    return {node.name: life.running(node) for node in life.cluster.nodes}


def joined_when_done(subject: Subject) -> Iterator[str]:
    """When `start` or `join` has ended, the node has joined: others may follow then."""
    yield from live(subject, subject.cluster(3, 1), _joined_in_turn)


async def _joined_in_turn(life: Life) -> list[str]:
    await _installed(life)
    found = []
    for node in life.cluster.nodes:
        await life.begin(node)
        s = await life.rollout.binding.situation_of(node.name)
        verdict = await life.ask(node, life.rollout.binding.distro.has_joined(s))
        if not verdict.met:
            found.append(f"{node.name}: has not joined when the edge has ended: {verdict.reason}")
        await life.verify(node)
    return found


def agents_serve_nothing(subject: Subject) -> Iterator[str]:
    """An agent listens on no port that the driver asks for on servers alone."""
    yield from live(subject, subject.cluster(3, 1), _ports_of_agents)


async def _ports_of_agents(life: Life) -> list[str]:
    await life.run()
    distro, cluster = life.rollout.binding.distro, life.cluster
    agents = [node for node in cluster.nodes if not node.is_server]
    servers = {port for node in cluster.servers for port in distro.requirements(node, cluster).ports}
    found = []
    for node in agents:
        own = servers - set(distro.requirements(node, cluster).ports)
        found += [f"{node.name} listens on {port}" for port in sorted(own & set(life.host(node).listening))]
    return found


def stop_can_be_repeated(subject: Subject) -> Iterator[str]:
    """`stop_unit` takes a join back, over a reboot too, and may run again after a crash."""
    yield from live(subject, subject.cluster(3, 2), _stopped)


async def _stopped(life: Life) -> list[str]:
    await life.run()
    distro, last = life.rollout.binding.distro, life.cluster.nodes[-1]
    s = await life.rollout.binding.situation_of(last.name)
    ran = life.running(last)
    for _ in range(2):
        await life.do(last, distro.stop_unit(s))
    verdict = await life.ask(last, distro.has_joined(s))
    found = [f"{last.name}: stopped, and has_joined is met: {verdict.reason}"] if verdict.met else []
    stopped = ran - life.running(last)
    if ran and not stopped:
        found.append(f"{last.name}: nothing is stopped: {', '.join(sorted(ran))}")
    await life.reboot(last)
    back = stopped & life.running(last)
    return [*found, *(f"{last.name}: a reboot starts {unit} again" for unit in sorted(back))]


def conditions(subject: Subject) -> Iterator[str]:
    """It names conditions of health, and a healthy cluster meets them all."""
    yield from live(subject, subject.cluster(3, 2), _conditions)


async def _conditions(life: Life) -> list[str]:
    await life.run()
    found = await Examination(life.rollout.binding).look()
    return [f"{one.title}: {one.evidence}" for one in found if not one.met]


def kubeconfig(subject: Subject) -> Iterator[str]:
    """The kubeconfig is fetched once, names no loopback, and one that runs programs is refused."""
    yield from live(subject, subject.cluster(3, 2), _kubeconfig)


async def _kubeconfig(life: Life) -> list[str]:
    await life.run()
    found = [] if len(life.kubeconfigs) == 1 else [f"it was fetched {len(life.kubeconfigs)} times"]
    for text in life.kubeconfigs:
        found += [f"it names {word}" for word in ("127.0.0.1", "localhost") if word in text]
    try:
        life.rollout.binding.distro.rewrite_kubeconfig(HOSTILE, life.cluster)
    except ActionError:
        return found
    return [*found, "one with a program in it is taken"]
