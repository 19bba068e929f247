"""The steps and answers of kubeadm's driver: secrets, order, what a judge makes of a unit's words."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from mk8s.cluster import Balancer
from mk8s.distros.base import load_distro
from mk8s.distros.kubeadm import DISTRO, cluster_commands, commands, config, files
from mk8s.distros.kubeadm.certificate import public_key_info
from mk8s.distros.kubeadm.readiness import (
    ca_hash,
    kubeadm_has_joined,
    kubeadm_is_done,
    no_image_is_missing,
    read_progress,
)
from mk8s.distros.kubeadm.world import AUTHORITY
from mk8s.steps import Run, WriteFile
from mk8s.units import JOURNAL
from tests.mk8s.distros.kubeadm.clusters import (
    KEY,
    LEARNED,
    TOKEN,
    a_cluster,
    every_situation,
    situation_of,
)
from tests.mk8s.distros.kubeadm.test_model import every_command
from tests.mk8s.distros.situations import make_node, outcome
from transports.base import EXEC, Outcome

CRICTL = """\
#!/bin/sh
case $1 in ps) echo 'c0ffee 1 minute ago Running etcd 0'; exit;; esac
for word; do last=$word; done
case $* in *' member remove '*) echo "$last" >>{removed}; exit;; esac
echo '8e, started, srv-1, https://10.0.0.11:2380, https://10.0.0.11:2379, false'
echo 'ff, unstarted, , https://10.0.0.12:2380, , false'
echo 'fe, started, srv-3, https://10.0.0.13:2380, https://10.0.0.13:2379, true'
"""  # answers as etcdctl does in its container


def unit(progress: str, state: str, *journal: str) -> Outcome:
    """What `kubeadm.ask` prints."""
    lines = [f"progress={progress}", "kubelet=enabled", "LoadState=loaded", f"ActiveState={state}"]
    return outcome("\n".join([*lines, JOURNAL, *journal]) + "\n")


def test_the_driver_is_known_by_its_name() -> None:
    assert load_distro("kubeadm") is DISTRO


def test_no_secret_stands_in_a_command_or_in_a_file_that_is_shown() -> None:
    """Token and key travel over stdin and in files of mode 0600 that are removed again."""
    for command in every_command():
        said = f"{command.description} {command.script} {command.args} {dict(command.env)}"
        assert TOKEN not in said
        assert KEY not in said
    for s in every_situation():
        for step in (*DISTRO.bootstrap(s), *DISTRO.start(s), *DISTRO.join(s)):
            if isinstance(step, WriteFile) and not step.secret:
                assert TOKEN.encode() not in step.content
                assert KEY.encode() not in step.content
            elif isinstance(step, WriteFile):
                assert step.mode == 0o600


def _scripts() -> Iterator[tuple[str, str]]:
    scripts = {command.operation: command.script for command in every_command() if command.script != EXEC}
    yield from ((name, text) for name, text in scripts.items() if name.startswith("kubeadm."))
    yield "runner", files.runner(situation_of(a_cluster())).decode()


@pytest.mark.parametrize(("name", "script"), list(_scripts()))
def test_every_script_is_posix(name: str, script: str) -> None:
    """The shell of the host reads it; whether it does what its model does is seen on real hosts."""
    read = subprocess.run(["sh", "-n"], input=script, capture_output=True, text=True, check=False)

    assert (name, read.returncode, read.stderr) == (name, 0, "")


@pytest.mark.parametrize(
    ("progress", "runs"),
    [
        ("none", ["kubeadm.start"]),
        ("running", []),
        ("half", ["kubeadm.reset", "kubeadm.start"]),
        ("done", []),
    ],
)
def test_what_a_start_does_follows_from_how_far_kubeadm_is(progress: str, runs: list[str]) -> None:
    """What runs is waited for, what is half made is taken back, what is done is left alone."""
    s = replace(situation_of(a_cluster()), learned={"progress": progress})

    found = [step.command.operation for step in DISTRO.start(s) if isinstance(step, Run)]

    assert [name for name in found if name in ("kubeadm.reset", "kubeadm.start")] == runs


def test_a_half_made_node_is_deleted_while_no_kubelet_can_make_it_anew() -> None:
    """One that could not register before does so in the second in which the API answers again."""
    learned = {**LEARNED, "progress": "half", "registered": "yes"}
    steps = DISTRO.join(replace(situation_of(a_cluster(), "srv-2"), learned=learned))

    found = [step.command.operation for step in steps if isinstance(step, Run)]
    order = [name for name in found if name in ("unit.stop", "kubeadm.forget-node", "kubeadm.reset")]
    assert order == ["unit.stop", "kubeadm.forget-node", "kubeadm.reset"]


def test_a_join_removes_the_member_at_its_own_address() -> None:
    """And asks the first server to do it, once this host has no data of etcd's any more."""
    steps = DISTRO.join(replace(situation_of(a_cluster(), "srv-2"), learned={**LEARNED, "progress": "half"}))

    found = [step.command.operation for step in steps if isinstance(step, Run)]
    removal = next(
        step for step in steps if isinstance(step, Run) and "remove-member" in step.command.operation
    )
    assert (removal.on, removal.command.args[-1]) == ("srv-1", "https://10.0.0.12:2380")
    assert found.index("kubeadm.reset") < found.index("kubeadm.remove-member") < found.index("kubeadm.start")


@pytest.mark.parametrize(
    ("address", "runs"), [("10.0.0.12", ["ff"]), ("10.0.0.13", ["fe"]), ("10.0.0.14", []), ("0.0.0.12", [])]
)
def test_a_real_shell_removes_the_member_at_an_address_and_no_other(
    tmp_path: Path, address: str, runs: list[str]
) -> None:
    """By its id, whether it ever started or not; no member there is fine."""
    crictl, removed = tmp_path / "crictl", tmp_path / "removed"
    crictl.write_text(CRICTL.format(removed=removed))
    crictl.chmod(0o755)
    words = ["sh", str(crictl), f"https://{address}:2380"]

    absent = subprocess.run(["sh", "-c", cluster_commands.HAS_NO_MEMBER, *words], check=False).returncode == 0
    subprocess.run(["sh", "-c", cluster_commands.REMOVE_MEMBER, *words], check=True)

    assert (removed.read_text().split() if removed.exists() else []) == runs
    assert absent == (not runs)


def test_a_kubeadm_whose_start_waits_its_turn_has_not_been_cut_off() -> None:
    """systemd starts it once the network is online, which may take minutes; until then a job is pending."""
    waiting = outcome("progress=none\nActiveState=inactive\nJob=1234\n")

    assert kubeadm_is_done(waiting).lineage == ()
    assert read_progress(waiting) == "running"


def test_a_running_kubeadm_is_waited_for_with_its_last_words() -> None:
    verdict = kubeadm_is_done(unit("half", "activating", "[certs] Generating", "[etcd] Waiting"))

    assert (verdict.met, verdict.reason, verdict.lineage) == (False, "[etcd] Waiting", ())


def test_a_failed_kubeadm_fails_with_the_class_of_its_words() -> None:
    """The last line that the catalogue knows counts, not the last line."""
    words = (
        "\t[ERROR Port-6443]: Port 6443 is in use",
        "To see the stack trace of this error execute with --v=5",
    )

    verdict = kubeadm_is_done(unit("none", "failed", *words))

    assert verdict.lineage == ("check.port", "check")
    assert "Port 6443" in verdict.reason


def test_a_kubeadm_that_was_cut_off_is_run_again() -> None:
    """Neither running nor failed nor done: the power was gone. `unit` is what the table repeats."""
    assert kubeadm_is_done(unit("half", "inactive")).lineage == ("unit.interrupted", "unit")


def test_joined_is_only_who_comes_back_after_a_reboot() -> None:
    disabled = outcome("progress=done\nkubelet=disabled\nActiveState=inactive\n")

    assert kubeadm_has_joined(unit("done", "inactive")).met
    assert not kubeadm_has_joined(disabled).met


@pytest.mark.parametrize("said", ["", "progress=\n", "kubelet=enabled\n", "progress=whole\n"])
def test_an_answer_that_says_nothing_is_no_progress(said: str) -> None:
    """It is neither taken for done nor for a failure."""
    verdict = kubeadm_is_done(outcome(said))

    assert (verdict.met, verdict.lineage) == (False, ())


def test_a_missing_image_is_named() -> None:
    verdict = no_image_is_missing(outcome("k8s.gcr.io/coredns:1.7.0\n"))

    assert verdict.lineage[0] == "artifact.missing"
    assert "k8s.gcr.io/coredns:1.7.0" in verdict.reason


@pytest.mark.parametrize(
    ("role", "missing"),
    [("server", ["k/etcd:3", "k/coredns:1", "vip:1"]), ("agent", ["k/coredns:1", "vip:1"])],
)
def test_which_images_a_real_shell_misses(tmp_path: Path, role: str, missing: list[str]) -> None:
    """kubeadm's list against containerd's, whole names only; an agent runs none of the control plane."""
    kubeadm, ctr = tmp_path / "kubeadm", tmp_path / "ctr"
    kubeadm.write_text("#!/bin/sh\nprintf '%s\\n' k/kube-proxy:1 k/etcd:3 k/coredns:1\n")
    ctr.write_text("#!/bin/sh\nprintf '%s\\n' k/kube-proxy:1 k/coredns:1.7 sha256:0\n")
    for program in (kubeadm, ctr):
        program.chmod(0o755)
    words = ["sh", str(kubeadm), str(ctr), "/cluster.yaml", role, "vip:1"]

    said = subprocess.run(["sh", "-c", commands.MISSING, *words], capture_output=True, text=True, check=True)

    assert said.stdout.split() == missing


def _program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("script", [cluster_commands.UPLOAD_CERTIFICATES, cluster_commands.CREATE_TOKEN])
def test_a_config_with_secrets_goes_also_when_a_signal_ends_the_command(tmp_path: Path, script: str) -> None:
    """The connection is lost, or time is over: no key stays in memory, where nobody looks for it."""
    shell = tmp_path / "shell"
    kubeadm = _program(tmp_path / "kubeadm", f'ls {tmp_path}/run >>{tmp_path}/seen; kill "$(cat {shell})"\n')
    mine = f"echo $$ >{shell}\n" + script.replace("/run/mk8s", f"{tmp_path}/run")

    ended = subprocess.run(
        ["sh", "-c", mine, "sh", kubeadm, "admin.conf", "abcdef"], input=b"key", check=False
    )

    assert ended.returncode == 143
    assert (tmp_path / "seen").read_text().startswith("kubeadm-")
    assert list((tmp_path / "run").iterdir()) == []


def test_etcd_is_asked_in_kube_system_alone(tmp_path: Path) -> None:
    """Whoever may run a pod on a server can call its container etcd, and would answer for the cluster."""
    crictl = _program(
        tmp_path / "crictl",
        'case "$*" in\n'
        '  *--label=io.kubernetes.pod.namespace=kube-system*) echo "true k8s/etcd 1m Running etcd 0";;\n'
        '  ps*) echo "false evil/etcd 1m Running etcd 0"; echo "true k8s/etcd 1m Running etcd 0";;\n'
        '  *) echo "$2";;\n'
        "esac\n",
    )

    words = ["sh", "-c", cluster_commands.RUN_ETCDCTL, "sh", crictl, "member", "list"]
    said = subprocess.run(words, capture_output=True, text=True, check=True)

    assert said.stdout == "true\n"


def test_the_token_lives_no_longer_than_the_certificates() -> None:
    """Whoever has it can become any node."""
    cluster = a_cluster("v1.31.4")
    text = config.init_config(situation_of(cluster)).decode()
    assert [line.strip() for line in text.splitlines() if "ttl" in line] == ["ttl: 2h0m0s"]


@pytest.mark.parametrize(
    ("log", "status"),
    [
        ("T begin init v1\nT end init v1, exit status 0\n", commands.REFUSED),
        ("T begin init v1\nT end init v1, exit status 1\n", 0),
        ("T end init v1, exit status 0\nT begin reset\nT end reset, exit status 0\nT begin init v1\n", 0),
        ("", 0),
    ],
)
def test_a_first_server_on_which_init_has_succeeded_is_never_reset(
    tmp_path: Path, log: str, status: int
) -> None:
    """Also while its API does not answer, and nobody can be asked who has joined."""
    kubeadm = _program(tmp_path / "kubeadm", f"echo reset >>{tmp_path}/ran\n")
    kubectl = _program(tmp_path / "kubectl", "exit 1\n")
    (tmp_path / "log").write_text(log)
    admin = tmp_path / "admin.conf"
    admin.touch()
    words = [kubeadm, kubectl, str(admin), "srv-1", "unix:///s", "no-such.service", str(tmp_path / "done")]

    ended = subprocess.run(
        ["sh", "-c", commands.RESET, "sh", *words, str(tmp_path / "log"), "primary", str(admin)],
        stderr=subprocess.PIPE,
        check=False,
    )

    assert ended.returncode == status, ended.stderr
    assert (tmp_path / "ran").exists() == (not admin.exists()) == (status == 0)


# The authority's hash


def test_the_hash_is_the_one_that_openssl_makes() -> None:
    """`openssl x509 -pubkey | openssl pkey -pubin -outform der | sha256sum` over the same certificate."""
    assert ca_hash(Outcome(status=0, stdout=AUTHORITY)) == (
        "sha256:807cccb6812eab0b99c3b6e4ad82a060384442872197ca86b5b68ec686e26481"
    )


@pytest.mark.parametrize("spoil", [
    lambda text: "", lambda text: text[:200], lambda text: text.replace("M", "!", 1),
    lambda text: text.replace("MII", "AAA", 1), lambda text: text.replace("MIIB", "MIIP", 1),
])  # fmt: skip
def test_what_is_no_certificate_is_refused(spoil: Callable[[str], str]) -> None:
    with pytest.raises(ValueError, match=r"it is|it ends"):
        public_key_info(spoil(AUTHORITY.decode()))


# Files


@pytest.mark.parametrize(("version", "first"), [("v1.28.5", "admin.conf"), ("v1.29.0", "super-admin.conf")])
def test_kube_vip_uses_the_kubeconfig_that_has_rights_already(version: str, first: str) -> None:
    """From 1.29 on admin.conf has none before init has given them."""
    cluster = a_cluster(version, endpoint="10.0.0.100", balancer=Balancer("kube-vip", "eth0", "vip:v1"))

    found = [yaml.safe_load(files.kube_vip(cluster, first=when)) for when in (True, False)]

    paths = [Path(pod["spec"]["volumes"][0]["hostPath"]["path"]).name for pod in found]
    assert paths == [first, "admin.conf"]


def test_the_runner_marks_success_last_and_only_then(tmp_path: Path) -> None:
    """A real shell runs it with a kubeadm that fails, then with one that works, then once more.

    The config with the token goes at the first end, whatever that is.
    """
    kubeadm, runner, environment = _runner(tmp_path)
    done, log = tmp_path / "done/done", tmp_path / "log/kubeadm.log"

    kubeadm.write_text("#!/bin/sh\nexit 3\n")
    failed = subprocess.run(["sh", runner, "join"], env=environment, check=False).returncode
    marked = done.exists() or (tmp_path / "secret.yaml").exists()
    kubeadm.write_text("#!/bin/sh\nexit 0\n")
    worked = [subprocess.run(["sh", runner, "join"], env=environment, check=False).returncode for _ in "ab"]

    assert (failed, marked, worked, done.exists()) == (3, False, [0, 0], True)
    assert [line.split()[1] for line in log.read_text().splitlines()] == ["begin", "end", "begin", "end"]


def _runner(folder: Path) -> tuple[Path, Path, dict[str, str]]:
    """The runner with every path in a folder of the test's."""
    text = files.runner(situation_of(a_cluster())).decode()
    for path, ours in {
        "/var/lib/mk8s/kubeadm/done": "done/done", "/var/lib/mk8s/kubeadm": "done",
        "/var/log/mk8s/kubeadm.log": "log/kubeadm.log", "/var/log/mk8s": "log",
        "/etc/kubernetes/manifests": "manifests", "/var/lib/mk8s/bin/kubeadm": "kubeadm",
        "/etc/mk8s/kubeadm/secret.yaml": "secret.yaml", "/etc/mk8s/kubeadm/": "",
    }.items():  # fmt: skip
        text = text.replace(path, str(folder / ours))
    kubeadm, runner = folder / "kubeadm", folder / "run.sh"
    kubeadm.touch()
    kubeadm.chmod(0o755)
    runner.write_text(text)
    (folder / "secret.yaml").write_text("secret")
    return kubeadm, runner, dict(os.environ)


# Faults and requirements


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"ClusterConfig": {}},
            "nodes.srv-1.config.ClusterConfig: there is no such kind; did you mean Cluster",
        ),
        ({"KubeletConfiguration": 3}, "nodes.srv-1.config.KubeletConfiguration: must be a mapping"),
        ({"InitConfiguration": {"certificateKey": "x"}}, "InitConfiguration.certificateKey: cannot be given"),
        ({"ClusterConfiguration": {"kubernetesVersion": "v1"}}, "it is the manifest's `version`"),
        ({"ClusterConfiguration": {"controlPlaneEndpoint": "x"}}, "give the manifest's `endpoint`"),
        (
            {"InitConfiguration": {"nodeRegistration": {"name": "x"}}},
            "nodeRegistration.name: cannot be given",
        ),
        ({"ClusterConfiguration": {"networking": {"podSubnet": "x"}}}, "`network.pod_cidr`"),
        ({"KubeletConfiguration": {"kind": "x"}}, "KubeletConfiguration.kind: mk8s writes it"),
        ({"ClusterConfiguration": {"scheduler": {"extraArgs": "v"}}}, "extraArgs: must map flags"),
    ],
)
def test_what_cannot_be_given_is_told_with_its_place(config: dict[str, object], said: str) -> None:
    faults = DISTRO.faults(a_cluster(config=config))

    assert any(said in fault for fault in faults), faults
    assert all(":" in fault and ";" in fault for fault in faults)


@pytest.mark.parametrize("version", ["v1.33.4+rke2r1", "1.20.2", "v1.18.3"])
def test_a_version_that_cannot_be_installed_is_refused(version: str) -> None:
    assert [fault for fault in DISTRO.faults(a_cluster(version)) if fault.startswith("version: ")]


@pytest.mark.parametrize("address", ["srv.example.org", "fd00::11"])
def test_a_node_without_an_ipv4_address_is_refused(address: str) -> None:
    cluster = a_cluster(nodes=(make_node("srv-1", "primary", address),))

    assert DISTRO.faults(cluster)[0].startswith("nodes.srv-1.address: ")


def test_a_flag_that_stands_twice_needs_an_api_that_can_say_so() -> None:
    twice = [{"name": "v", "value": "1"}, {"name": "v", "value": "2"}]
    given = {"ClusterConfiguration": {"scheduler": {"extraArgs": twice}}}

    assert DISTRO.faults(a_cluster("v1.31.0", given)) == []
    assert "v stands twice" in DISTRO.faults(a_cluster("v1.30.0", given))[0]


def test_another_nodes_words_about_the_whole_cluster_are_refused() -> None:
    """Only the first server's are read, so nobody may believe that others count."""
    cluster = a_cluster(
        nodes=(
            make_node("srv-1", "primary", "10.0.0.11"),
            make_node("agent-1", "agent", "10.0.0.21", {"KubeletConfiguration": {"maxPods": 9}}),
        )
    )

    assert "differs from srv-1's" in DISTRO.faults(cluster)[0]


def test_a_server_needs_more_than_an_agent() -> None:
    """Ports by role, and two processors and 1700 MB for a control plane, as kubeadm itself demands."""
    cluster = a_cluster()

    server, agent = (DISTRO.requirements(cluster.nodes[place], cluster) for place in (0, 2))

    assert set(server.ports) - set(agent.ports) == {2379, 2380, 6443, 10257, 10259}
    assert (server.cpus, server.memory, agent.cpus) == (2, 1_700_000_000, 0)
    assert "/var/lib/etcd/member" in server.leftovers
    assert server.swap_off


def test_every_condition_says_whom_to_ask() -> None:
    cluster = a_cluster()
    situations = [situation_of(cluster, node.name) for node in cluster.nodes]

    assert all(asked.on for found in DISTRO.conditions(situations) for asked in found.questions)
