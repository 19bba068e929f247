"""The way to each node: manifest before ssh_config before defaults, bastions, and what only ssh can do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mk8s.cluster import Cluster, Jump, Login
from mk8s.connect import Roads
from mk8s.errors import ExitCode, ManifestError
from mk8s.keyboard import Keyboard
from mk8s.ways import Way, find_ways
from tests.mk8s.examples import cluster, node
from transports.local import LocalTransport
from transports.openssh import OpenSSHTransport
from transports.ssh import SSHTransport
from transports.ssh.client_config import Asking, HostConfig

OWN = Path("/state/known_hosts")


class Config(Asking):
    """An ssh_config by its answers: host -> what it says."""

    def __init__(self, **hosts: HostConfig) -> None:
        super().__init__("none")
        self._hosts = hosts
        self.asked: list[tuple[str, str, int | None]] = []

    def about(self, host: str, *, user: str = "", port: int | None = None) -> HostConfig:
        self.asked.append((host, user, port))
        return self._hosts.get(host, HostConfig(hostname=host))


def cluster_with(login: Login, **changes: Any) -> Cluster:
    made = cluster(replace(node("web", "primary", "web"), login=login))
    return replace(made, **changes)


def way(login: Login, config: Config, **changes: Any) -> Way:
    found = find_ways(cluster_with(login, **changes), OWN, operator="me", ask=lambda _: config)
    return found["web"]


def test_what_the_manifest_says_wins() -> None:
    """User, port and key; ssh is asked with them."""
    config = Config(web=HostConfig("10.0.0.9", "other", 2222, (Path("/k/other"),)))
    login = Login("ops", 2200, Path("/k/mine"), given=frozenset({"user", "port", "key_path"}))
    found = way(login, config).target

    assert (found.host, found.user, found.port) == ("10.0.0.9", "ops", 2200)
    assert found.key_files == (Path("/k/mine"),)
    assert config.asked == [("web", "ops", 2200)]


def test_what_the_manifest_leaves_out_is_ssh_configs(tmp_path: Path) -> None:
    """Of key files those that are there, in private or in public alone."""
    for name in ("there", "agents.pub", "c-cert.pub"):
        (tmp_path / name).write_text("")
    files = tuple(tmp_path / name for name in ("there", "absent", "agents"))
    config = Config(
        web=HostConfig(
            "10.0.0.9",
            "other",
            2222,
            files,
            (tmp_path / "c-cert.pub", tmp_path / "absent-cert.pub"),
            identities_only=True,
            identity_agent="/run/a",
            user_known_hosts=(Path("/kh"),),
            global_known_hosts=(Path("/gkh"),),
            host_key_alias="alias",
            connect_timeout=3.0,
        )
    )
    found = way(Login("me"), config).target

    assert (found.user, found.port) == ("other", 2222)
    assert found.key_files == (tmp_path / "there", tmp_path / "agents")
    assert found.certificates == (tmp_path / "c-cert.pub",)
    assert (found.identities_only, found.agent, found.known_as) == (True, "/run/a", "alias")
    assert found.known_hosts == (Path("/kh"), OWN, Path("/gkh"))
    assert found.connect_timeout == 3.0


def test_without_either_the_defaults_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user who runs it, 22, the usual keys, the usual files."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/id_rsa").write_text("")
    found = way(Login("me"), Config()).target

    assert (found.host, found.user, found.port) == ("web", "me", 22)
    assert found.key_files == (tmp_path / ".ssh/id_rsa",)
    assert found.known_hosts[:2] == (tmp_path / ".ssh/known_hosts", OWN)


def test_the_manifests_known_hosts_take_the_users_place() -> None:
    """Not the system's."""
    config = Config(web=HostConfig("web", user_known_hosts=(Path("/kh"),), global_known_hosts=(Path("/g"),)))
    assert way(Login("me"), config, known_hosts=Path("/given")).target.known_hosts == (
        Path("/given"),
        OWN,
        Path("/g"),
    )


def test_the_manifests_bastions_win_over_proxyjump() -> None:
    """Each is looked up itself; without a user it is the node's."""
    config = Config(
        web=HostConfig("web", jumps=(("", "elsewhere", None),)),
        gw=HostConfig("gw.example.org", port=2222),
    )
    login = Login("ops", jumps=(Jump("gw"), Jump("inner", "root", 2200)), given=frozenset({"user"}))

    assert [hop.name for hop in way(login, config).bastions] == [
        "ops@gw.example.org:2222",
        "root@inner:2200",
    ]


def test_no_bastion_may_be_asked_for() -> None:
    """`jump: []` where ssh_config has one, or a ProxyCommand for it."""
    for said in (HostConfig("web", jumps=(("", "gw", None),)), HostConfig("web")):
        assert way(Login("ops", jumps=()), Config(web=said)).bastions == ()


def test_proxyjump_is_followed_as_ssh_does() -> None:
    """The first bastion's own comes before it; whoever runs mk8s is the user there."""
    config = Config(
        web=HostConfig("web", jumps=(("", "b", None), ("c-user", "c", 1))),
        b=HostConfig("b", jumps=(("", "a", None),)),
        c=HostConfig("c", jumps=(("", "never", None),)),
    )
    assert [hop.name for hop in way(Login("ops"), config).bastions] == ["me@a:22", "me@b:22", "c-user@c:1"]


def test_bastions_that_stand_before_each_other_are_told() -> None:
    """No endless chain."""
    config = Config(
        web=HostConfig("web", jumps=(("", "a", None),)),
        a=HostConfig("a", jumps=(("", "b", None),)),
        b=HostConfig("b", jumps=(("", "a", None),)),
    )
    with pytest.raises(ManifestError, match="before each other"):
        way(Login("ops"), config)


@pytest.mark.parametrize("directive", ["ProxyCommand nc %h %p", "PKCS11Provider /p11.so"])
def test_what_only_ssh_can_do_is_told_with_the_way_out(directive: str) -> None:
    """Before any node is touched, for every node at once."""
    with pytest.raises(ManifestError) as refused:
        way(Login("ops"), Config(web=HostConfig("web", unsupported=directive)))

    assert refused.value.exit_code == ExitCode.MANIFEST_NEEDS_YOU
    assert f"web: your ssh_config wants `{directive}`" in str(refused.value)
    assert "transport: openssh" in str(refused.value)


def test_a_proxycommand_is_no_hindrance_where_bastions_are_named() -> None:
    """They take its place."""
    config = Config(web=HostConfig("web", unsupported="ProxyCommand x"))
    assert way(Login("ops", jumps=(Jump("gw"),)), config).bastions[0].host == "gw"


def test_an_address_with_a_zone_is_refused() -> None:
    """fe80::1%eth0 means another machine on each network card."""
    with pytest.raises(ManifestError, match="zone"):
        way(Login("ops"), Config(web=HostConfig("fe80::1%eth0")))


def test_nodes_that_are_not_reached_by_us_are_not_asked_about() -> None:
    """This machine, and those that the user's ssh goes to."""
    for login in (Login("ops", local=True), Login("ops", transport="openssh")):
        assert find_ways(cluster_with(login), OWN, operator="me", ask=lambda _: Config()) == {}


def test_hosts_of_the_users_own_ssh_are_found_where_that_is_asked_for() -> None:
    """To see their keys; where only that ssh finds the way, there is none."""
    login = Login("ops", transport="openssh")
    said = Config(web=HostConfig("10.0.0.9")), Config(web=HostConfig("web", unsupported="ProxyCommand x"))
    found = [
        find_ways(cluster_with(login), OWN, operator="me", everywhere=True, ask=lambda _, c=config: c)  # type: ignore[misc]
        for config in said
    ]
    assert [list(ways) for ways in found] == [["web"], []]


# ---- transports


def roads(tmp_path: Path, *logins: Login, **changes: Any) -> Roads:
    nodes = [
        replace(
            node(f"n{number}", "server" if number else "primary"), login=replace(login, ssh_config="none")
        )
        for number, login in enumerate(logins)
    ]
    return Roads(replace(cluster(*nodes), **changes), tmp_path / "known_hosts", Keyboard(lambda _: "typed"))


def test_each_login_gets_its_transport(tmp_path: Path) -> None:
    """Local, built in, the user's own ssh."""
    made = roads(tmp_path, Login("a", local=True), Login("a"), Login("a", transport="openssh"))
    kinds = [type(made.to(node)) for node in made.cluster.nodes]

    assert kinds == [LocalTransport, SSHTransport, OpenSSHTransport]


def test_nodes_share_bastions_that_are_the_same(tmp_path: Path) -> None:
    """One object, one connection; another user is another one."""
    gate, chain = (Jump("gw", "ops"),), (Jump("gw", "ops"), Jump("inner", "ops"))
    made = roads(tmp_path, *(Login("a", jumps=jumps) for jumps in (gate, gate, chain, (Jump("gw", "x"),))))
    first, second, third, fourth = (
        made.bastion(made.ways[node.name].bastions) for node in made.cluster.nodes
    )

    assert first is not None
    assert third is not None
    assert first is second
    assert third.via is first
    assert fourth is not first


def test_a_bastion_never_gets_a_nodes_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could keep it. With --ask-password a person is asked for the bastion's own."""
    monkeypatch.setenv("WORD", "secret")
    made = roads(tmp_path, Login("a", jumps=(Jump("gw"),), password_env="WORD"))
    way = made.ways["n0"]
    password = made.options(way).password
    assert password is not None
    assert password() == "secret"
    assert made.bastion_options(way.bastions[0]).password is None

    made.keyboard.asks = True
    typed = made.bastion_options(way.bastions[0]).password
    assert typed is not None
    assert typed() == "typed"


def test_what_was_typed_counts_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sudo's password."""
    monkeypatch.setenv("WORD", "old")
    made = roads(tmp_path, Login("a", sudo_password_env="WORD"))
    made.keyboard.sudo_password = "new"
    password = made.options(made.ways["n0"]).sudo_password

    assert password is not None
    assert password() == "new"
