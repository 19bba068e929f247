"""Every way we know to write a manifest that is wrong, and what a person then reads."""

from __future__ import annotations

import pytest

from mk8s.errors import ExitCode
from tests.mk8s.manifest.manifests import HEAD, SERVER, SOUND, faults_of, refusal_of, with_nodes

BEFORE_CONFIG = f"{HEAD}nodes:\n  - address: a\n    role: server\n    config:"
ONE = "{address: 10.0.0.1, role: server, primary: true}"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)},*{chr(97 + i)},*{chr(97 + i)}]\n" for i in range(20)
)

DOCUMENTS = {
    "empty": ("", ["1:1: the file is empty"]),
    "only a comment": ("# nothing\n", ["1:1: the file is empty"]),
    "a list": ("- a\n", ["1:1: expected a mapping, found a list"]),
    "a word": ("rke2\n", ["1:1: expected a mapping, found 'rke2'"]),
    "a tab": (f"{HEAD}nodes:\n\t- address: 10.0.0.1\n", ["4:1: a tab stands where only spaces can"]),
    "an alias bomb": (BOMB, ["1:4: a: anchors ('&') and aliases ('*') are not used here"]),
    "a control character": (
        f"{SOUND}name: a\x1b[31m\n",
        ["5:8: the character U+001B cannot be seen and is not allowed"],
    ),
    "a bidirectional trick": (f"{SOUND}name: a\u202eb\n", None),
    "a bracket left open": (f"{HEAD}nodes: [\n", None),
    "a quote left open": (f'{SOUND}name: "x\n', None),
    "two documents": (f"{SOUND}---\n{SOUND}", ["5:1: a second document begins here"]),
    "a key twice": (f"{SOUND}distro: rke2\n", ["5:1: distro: the key 'distro' stands twice"]),
    "a tag": (f"{SOUND}name: !!python/object:os.system x\n", ["5:7: name: tags ('!...') are not used here"]),
    "too deep": ("a: " + "[" * 100 + "]" * 100, None),
}

ROOT = {
    "nothing that is needed": (
        "name: x\n",
        [
            "1:1: the key 'distro' is missing",
            "1:1: the key 'version' is missing",
            "1:1: the key 'nodes' is missing",
        ],
    ),
    "a misspelt key": (f"{SOUND}airgapp: true\n", ["5:1: airgapp: the key 'airgapp' is not known"]),
    "a misspelt key that is needed": (
        SOUND.replace("distro:", "distrp:"),
        ["1:1: distrp: the key 'distrp' is not known"],
    ),
    "a distro that nobody knows": (
        SOUND.replace("rke2\n", "rkee\n", 1),
        ["1:1: distro: 'rkee' is not a distro"],
    ),
    "a distro that there is no driver for": (
        SOUND.replace("rke2\n", "k3d\n", 1),
        ["1:1: distro: 'k3d' is not a distro"],
    ),
    "version 1.30": (
        SOUND.replace("v1.28.3+rke2r2", "1.30"),
        ["2:1: version: '1.30' is not a release of RKE2"],
    ),
    "version of plain Kubernetes": (
        SOUND.replace("v1.28.3+rke2r2", "v1.30.2"),
        ["2:1: version: 'v1.30.2' is not a release of RKE2"],
    ),
    "version that is a command": (
        SOUND.replace("v1.28.3+rke2r2", "'v1.28.3+rke2r2; reboot'"),
        ["2:1: version: 'v1.28.3+rke2r2; reboot' is not a release of RKE2"],
    ),
    "version that is a list": (
        SOUND.replace("v1.28.3+rke2r2", "[1]"),
        ["2:1: version: expected text, found a list"],
    ),
    "an unknown processor": (
        f"{SOUND}arch: sparc\n",
        ["5:1: arch: 'sparc' is not a processor that mk8s installs on"],
    ),
    "airgap yes": (f"{SOUND}airgap: yes\n", ["5:1: airgap: expected true or false, found 'yes'"]),
    "a cluster's name with a path": (f"{SOUND}name: ../x\n", ["5:1: name: '../x' is not a name"]),
    "an empty artifacts folder": (f"{SOUND}artifacts_dir: ''\n", ["5:1: artifacts_dir: '' is not a path"]),
    "an unknown way to install": (
        f"{SOUND}install_method: rpm\n",
        ["5:1: install_method: expected one of script, tar, found 'rpm'"],
    ),
    "an endpoint with a port": (
        f"{SOUND}endpoint: 10.0.0.9:9345\n",
        ["5:1: endpoint: '10.0.0.9:9345' is neither an IP address nor a host name"],
    ),
}

SECTIONS = {
    "an artifact's name with a folder": (
        f"{SOUND}artifacts: {{binary: {{name: a/b}}}}\n",
        ["5:22: artifacts.binary.name: 'a/b' is not a file name"],
    ),
    "an artifact's name that climbs": (
        f"{SOUND}artifacts: {{binary: {{name: '..'}}}}\n",
        ["5:22: artifacts.binary.name: '..' is not a file name"],
    ),
    "an artifact's id": (
        f"{SOUND}artifacts: {{'a/b': {{}}}}\n",
        ["5:13: artifacts.a/b: 'a/b' is not an artifact id"],
    ),
    "an artifact's URL": (
        f"{SOUND}artifacts: {{binary: {{url: 'javascript:x'}}}}\n",
        ["5:22: artifacts.binary.url: 'javascript:x' is not a URL"],
    ),
    "an artifact's checksum": (
        f"{SOUND}artifacts: {{binary: {{checksum: abc}}}}\n",
        ["5:22: artifacts.binary.checksum: 'abc' is not a sha256"],
    ),
    "a limit of nothing": (
        f"{SOUND}limits: {{uploads: 0}}\n",
        ["5:10: limits.uploads: expected a number that is at least 1, found 0"],
    ),
    "an unknown limit": (
        f"{SOUND}limits: {{upload: 1}}\n",
        ["5:10: limits.upload: the key 'upload' is not known"],
    ),
    "a negative budget": (
        f"{SOUND}budgets: {{agent: -1}}\n",
        ["5:11: budgets.agent: '-1' is not an amount of nodes"],
    ),
    "more than everything": (
        f"{SOUND}budgets: {{agent: 101%}}\n",
        ["5:11: budgets.agent: '101%' is not an amount of nodes"],
    ),
    "an unknown gate": (
        f"{SOUND}gates: {{agents: now}}\n",
        ["5:9: gates.agents: expected one of primary-ready, servers-healthy, found 'now'"],
    ),
    "an unknown edge": (
        f"{SOUND}policy: {{edges: {{joinserver: {{timeout: 1m}}}}}}\n",
        ["5:18: policy.edges.joinserver: 'joinserver' is not an edge of the node machine"],
    ),
    "a time in words": (
        f"{SOUND}policy: {{edges: {{stage: {{timeout: 5 minutes}}}}}}\n",
        ["5:26: policy.edges.stage.timeout: '5 minutes' is not a length of time"],
    ),
    "a time that may be seconds or minutes": (
        f"{SOUND}policy: {{edges: {{stage: {{timeout: 5}}}}}}\n",
        ["5:26: policy.edges.stage.timeout: '5' is not a length of time"],
    ),
    "no time at all": (
        f"{SOUND}policy: {{edges: {{stage: {{timeout: 0s}}}}}}\n",
        ["5:26: policy.edges.stage.timeout: '0s' is not a sensible time"],
    ),
    "an attempt longer than all": (
        f"{SOUND}policy: {{edges: {{stage: {{timeout: 2h, deadline: 1h}}}}}}\n",
        ["5:26: policy.edges.stage.timeout: is longer than the edge's deadline"],
    ),
    "a port that cannot be": (
        f"{SOUND}ssh: {{port: 65536}}\n",
        ["5:7: ssh.port: expected a number that is at most 65535, found 65536"],
    ),
    "a way to trust hosts that does not exist": (
        f"{SOUND}ssh: {{host_keys: ignore}}\n",
        ["5:7: ssh.host_keys: expected one of accept-new, verify, found 'ignore'"],
    ),
    "a shared config that is no mapping": (
        f"{SOUND}config: {{all: '- a'}}\n",
        ["5:10: config.all: in line 1 of this text: expected settings such as `cni: cilium`, found a list"],
    ),
    "shared config for nobody": (
        f"{SOUND}config: {{workers: {{}}}}\n",
        ["5:10: config.workers: the key 'workers' is not known"],
    ),
}

NODES = {
    "no nodes": (f"{HEAD}nodes: []\n", ["3:1: nodes: no node is listed"]),
    "nodes that are nothing": (f"{HEAD}nodes:\n", ["3:1: nodes: expected a list, found nothing"]),
    "a node that is a word": (
        with_nodes(ONE, "10.0.0.2"),
        ["5:5: nodes[1]: expected a mapping, found '10.0.0.2'"],
    ),
    "a node without an address": (
        with_nodes(ONE, "{role: agent}"),
        ["5:5: nodes[1]: the key 'address' is missing"],
    ),
    "a node without a role": (
        with_nodes(ONE, "{address: 10.0.0.2}"),
        ["5:5: nodes[1]: the key 'role' is missing"],
    ),
    "a misspelt key of a node": (
        with_nodes(ONE, "{address: 10.0.0.2, role: agent, primry: true}"),
        ["5:38: nodes[1].primry: the key 'primry' is not known"],
    ),
    "an unknown role": (
        with_nodes(ONE, "{address: 10.0.0.2, role: sever}"),
        ["5:25: nodes[1].role: 'sever' is not a role"],
    ),
    "a role in capitals": (
        with_nodes(ONE, "{address: 10.0.0.2, role: Agent}"),
        ["5:25: nodes[1].role: 'Agent' is not a role"],
    ),
    "no server": (
        with_nodes("{address: 10.0.0.2, role: agent}"),
        ["3:1: nodes: no node has the role server"],
    ),
    "two primaries": (
        with_nodes(ONE, "{address: 10.0.0.2, role: server, primary: true}"),
        ["5:39: nodes[1].primary: a second primary; the first is nodes[0] in line 4"],
    ),
    "an agent as primary": (
        with_nodes("{address: 10.0.0.1, role: server}", "{address: 10.0.0.2, role: agent, primary: true}"),
        ["5:38: nodes[1].primary: an agent cannot be the primary"],
    ),
    "one address twice": (
        with_nodes(ONE, "{address: 10.0.0.1, role: agent}"),
        ["5:6: nodes[1].address: '10.0.0.1' is the address of nodes[0] too, in line 4"],
    ),
    "one IPv6 address in two spellings": (
        with_nodes("{address: 'fd00::1', role: server}", "{address: 'FD00:0::0001', role: agent}"),
        ["5:6: nodes[1].address: 'FD00:0::0001' is the address of nodes[0] too, in line 4"],
    ),
    "one host name in two spellings": (
        with_nodes("{address: a.example, role: server}", "{address: A.example, role: agent}"),
        ["5:6: nodes[1].address: 'A.example' is the address of nodes[0] too, in line 4"],
    ),
    "one name twice": (
        with_nodes("{address: 10.0.0.1, role: server, name: a}", "{address: 10.0.0.2, role: agent, name: a}"),
        ["5:38: nodes[1].name: 'a' is the name of nodes[0] too, in line 4"],
    ),
    "two local nodes": (
        with_nodes("{address: a, role: server, local: true}", "{address: b, role: agent, local: true}"),
        ["5:31: nodes[1].local: a second local node; the first is nodes[0] in line 4"],
    ),
    "a password where its variable belongs": (
        with_nodes("{address: a, role: server, password_env: 'hunter2!'}"),
        ["4:32: nodes[0].password_env: this is not the name of an environment variable"],
    ),
    "config that is a list": (
        with_nodes("{address: a, role: server, config: [a]}"),
        ["4:32: nodes[0].config: expected text or a mapping, found a list"],
    ),
}

CONFIGS = {
    "a key twice in block text": (
        f"{BEFORE_CONFIG} |\n      cni: a\n      # why\n      cni: b\n",
        ["9:7: nodes[0].config.cni: the key 'cni' stands twice"],
    ),
    "a syntax error in block text after blank lines": (
        f"{BEFORE_CONFIG} |  # mine\n\n      cni: a\n     \n      x: b: c\n",
        ["10:11: nodes[0].config: a ':' where no key can stand"],
    ),
    "a mistake in quoted text": (
        with_nodes("{address: a, role: server, config: 'a: 1\n\n      a: 2'}"),
        ["4:32: nodes[0].config.a: in line 2 of this text: the key 'a' stands twice"],
    ),
    "text that is a word": (
        f"{BEFORE_CONFIG} |\n      cilium\n",
        ["7:7: nodes[0].config: expected settings such as `cni: cilium`, found 'cilium'"],
    ),
}

TABLE = {**DOCUMENTS, **ROOT, **SECTIONS, **NODES, **CONFIGS}

HOSTILE = [
    "; rm -rf /",
    "10.0.0.1; reboot",
    "10.0.0.1\\nreboot",
    "10.0.0.1\\n",
    "../../etc/passwd",
    "a b",
    "-oProxyCommand=reboot",
    "$(reboot)",
    "`reboot`",
    "a/b",
    "a_b",
    "10.0.0.300",
    "10.0.0",
    "010.0.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "::",
    "fe80::1%eth0",
    "fe80::1%;reboot",
    "[fd00::1]",
    "10.0.0.1:22",
    "root@10.0.0.1",
    "https://10.0.0.1",
    "a..b",
    ".a",
    "a.",
    "-a",
    "a-",
    "",
    " ",
    "ä.example",
    "a" * 64,
    ".".join(["a" * 60] * 5),
]
HOSTILE_USERS = ["", "-l", "a b", "a;b", "../a", "a\\n", "$(a)", "1a", "a" * 65, "a/b", "ä"]
HOSTILE_NAMES = ["", "A", "a b", "../a", "a/b", "-a", "a-", "a.b", "a\\n", "; rm -rf /", "a" * 64]


@pytest.mark.parametrize("case", TABLE)
def test_a_bad_manifest_is_refused_with_the_place_and_the_offending_text(case: str) -> None:
    """Each case of the table: exactly these faults, in order; None: refused, whatever the words."""
    text, expected = TABLE[case]

    faults = faults_of(text)

    if expected is None:
        assert len(faults) == 1
    elif case == "an alias bomb":
        assert faults[0] == expected[0]
    else:
        assert faults == expected


@pytest.mark.parametrize("case", TABLE)
def test_a_refusal_has_exit_code_2_and_says_that_nothing_was_touched(case: str) -> None:
    """The shell learns that the manifest needs a person; the first line says how much is wrong."""
    refused = refusal_of(TABLE[case][0])

    assert refused.exit_code is ExitCode.MANIFEST_NEEDS_YOU
    assert str(refused).split("\n")[0].startswith("my.yaml: ")
    assert str(refused).split("\n")[0].endswith("; no node was touched")


@pytest.mark.parametrize("address", HOSTILE)
def test_an_address_is_an_ip_address_or_a_host_name_and_nothing_else(address: str) -> None:
    """Addresses reach command lines, file names and URLs: what is not surely one is refused."""
    faults = faults_of(with_nodes(f'{{address: "{address}", role: server}}'))

    assert len(faults) == 1
    assert faults[0].startswith("4:6: nodes[0].address: ")


@pytest.mark.parametrize("user", HOSTILE_USERS)
def test_a_user_is_a_plain_login_name(user: str) -> None:
    """No option, no command, no path."""
    faults = faults_of(with_nodes(f'{{address: a, role: server, user: "{user}"}}'))

    assert len(faults) == 1
    assert faults[0].startswith("4:32: nodes[0].user: ")


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_node_name_is_a_dns_label(name: str) -> None:
    """Names become file names and words on a terminal."""
    faults = faults_of(with_nodes(f'{{address: a, role: server, name: "{name}"}}'))

    assert len(faults) == 1
    assert faults[0].startswith("4:32: nodes[0].name: ")


def test_no_control_character_of_a_value_reaches_the_message() -> None:
    """A terminal must not obey a manifest."""
    refused = refusal_of(with_nodes('{address: "a\\x1b[2J", role: server}', "{address: b, role: 'x\\e'}"))

    assert "\x1b" not in str(refused)


def test_a_password_put_in_the_wrong_place_is_not_repeated() -> None:
    """Whoever mistakes the key for the password itself must not find it in a log."""
    refused = refusal_of(with_nodes("{address: a, role: server, sudo_password_env: 'hunter2!'}"))

    assert "hunter2" not in str(refused)


def test_everything_is_reported_at_once_in_the_order_of_the_file() -> None:
    """Form, values and how parts fit together: one reading tells them all."""
    text = (
        "distro: rke\n"
        "version: 1.30\n"
        "airgapp: true\n"
        "nodes:\n"
        "  - {address: 10.0.0.1, role: server, primary: true, user: [x]}\n"
        "  - {address: 10.0.0.1, role: boss, primary: true}\n"
        "limits: {uploads: many}\n"
    )

    assert faults_of(text) == [
        "1:1: distro: 'rke' is not a distro",
        "2:1: version: '1.30' is not a release of RKE2",
        "3:1: airgapp: the key 'airgapp' is not known",
        "5:54: nodes[0].user: expected text, found a list",
        "6:6: nodes[1].address: '10.0.0.1' is the address of nodes[0] too, in line 5",
        "6:25: nodes[1].role: 'boss' is not a role",
        "6:37: nodes[1].primary: a second primary; the first is nodes[0] in line 5",
        "7:10: limits.uploads: expected a whole number, found 'many'",
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (SOUND.replace("rke2\n", "rk2\n", 1), "did you mean 'rke2'?"),
        (
            SOUND.replace("v1.28.3+rke2r2", "1.30"),
            'write the whole release, in quotes, such as "v1.30.0+rke2r1"',
        ),
        (SOUND.replace("v1.28.3", "1.28.3"), 'it begins with v: "v1.28.3+rke2r2"'),
        (SOUND.replace("server", "master"), "did you mean 'server'?"),
        (SOUND.replace("server", "primary"), "write `role: server` and `primary: true`"),
        (SOUND.replace("server", "worker"), "did you mean 'agent'?"),
        (SOUND.replace("10.0.0.1", "10.0.0.1:22"), "without the port: that is the key `port`"),
        (SOUND.replace("10.0.0.1", "bob@10.0.0.1"), "without the login name: that is the key `user`"),
        (SOUND.replace("10.0.0.1", "'[fd00::1]'"), "write an IPv6 address without the brackets"),
        (f"{SOUND}arch: x86_64\n", "did you mean 'amd64'?"),
        (
            f"{SOUND}name: My Cluster\n",
            "small letters, digits and - between them, at most 63; such as 'my-cluster'",
        ),
    ],
)
def test_a_hint_says_what_was_probably_meant(text: str, hint: str) -> None:
    """The usual slips are known by name."""
    assert refusal_of(text).faults[0].hint == hint


def test_a_fault_in_block_text_names_lines_of_the_manifest_only() -> None:
    """Where the first of two equal keys stands is told in lines of the file, too."""
    refused = refusal_of(f"{HEAD}nodes:\n{SERVER.rstrip()}\nconfig:\n  all: |\n    a: 1\n    a: 2\n")

    assert (refused.faults[0].line, refused.faults[0].hint) == (8, "it stands first in line 7: keep one")


def test_a_thousand_mistakes_are_counted_and_the_first_fifty_told() -> None:
    """The wall of text ends; `faults` holds them all."""
    refused = refusal_of(with_nodes(ONE, *["{address: 10.0.0.1, role: agent}"] * 1000))

    assert len(refused.faults) == 1000
    assert str(refused).split("\n")[0] == "my.yaml: 1000 mistakes; no node was touched"
    assert str(refused).split("\n")[-1] == "... and 950 more"
