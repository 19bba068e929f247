"""The way to each node: what the manifest says, then what ssh_config says, then the defaults.

Each host on the way, bastions too, is a `Hop` with everything decided that a login needs, but for secrets.
A bastion's own ProxyJump counts for the first one of a chain, as it does to ssh.

This module connects to nothing and reads no key. Begin reading at `find_ways`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mk8s.cluster import Cluster, Login, Node
from mk8s.errors import ManifestError
from transports.ssh.client_config import Asking, ConfigError, HostConfig

__all__ = ["Hop", "Way", "find_ways"]

USUAL_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
SYSTEMS_KNOWN_HOSTS = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))
AT_ONCE = 8  # questions to ssh
PATIENCE = 15.0  # seconds
LONGEST = 8  # bastions
DEFAULT_PORT = 22


@dataclass(frozen=True, slots=True)
class Hop:
    """One host on the way, the node itself or a bastion. Hashable: equal hops are one connection."""

    host: str
    port: int
    user: str
    key_files: tuple[Path, ...]
    certificates: tuple[Path, ...] = ()
    identities_only: bool = False
    agent: str = ""  # a socket; none; empty for the environment's
    known_hosts: tuple[Path, ...] = ()  # the user's, then the system's
    known_as: str = ""
    connect_timeout: float = PATIENCE

    @property
    def name(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Way:
    """How a node is reached: through bastions, the first one first."""

    node: Node
    target: Hop
    bastions: tuple[Hop, ...] = ()


def find_ways(
    cluster: Cluster,
    own: Path,
    *,
    operator: str,
    everywhere: bool = False,
    ask: Callable[[Node], Asking] | None = None,
) -> dict[str, Way]:
    """The ways to all nodes that are reached over the built-in SSH. `own`: the cluster's own known_hosts.

    `operator`: who runs mk8s. `everywhere`: also to nodes of the user's own ssh, as far as the built-in one
    could go there. Raises ManifestError with everything that is wrong, once.
    """
    nodes = [
        node
        for node in cluster.nodes
        if not node.login.local and (everywhere or node.login.transport == "ssh")
    ]
    shared: dict[object, Asking] = {}

    def asking_for(node: Node) -> Asking:
        where = node.login.ssh_config
        return shared.setdefault(where, Asking(where))

    finders = [Finder(cluster, node, own, operator, (ask or asking_for)(node)) for node in nodes]
    ways, faults = {}, []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for node, found in zip(nodes, [pool.submit(finder.way) for finder in finders], strict=True):
            problem = found.exception()
            if isinstance(problem, ConfigError) and node.login.transport == "openssh":
                continue
            if isinstance(problem, ConfigError):
                faults.append(f"{node.name}: {problem.message}\n    {problem.remedy}")
            else:
                ways[node.name] = found.result()
    if faults:
        raise ManifestError(
            f"{cluster.source}: the way to these nodes cannot be found:\n  " + "\n  ".join(faults)
        )
    return ways


class Finder:
    """The way to one node."""

    def __init__(self, cluster: Cluster, node: Node, own: Path, operator: str, asking: Asking) -> None:
        self._cluster = cluster
        self._node = node
        self._own = own
        self._operator = operator
        self._asking = asking

    def way(self) -> Way:
        node, login = self._node, self._node.login
        given = login.given
        config = self._asking.about(
            node.address,
            user=login.user if "user" in given else "",
            port=login.port if "port" in given else None,
        )
        jumps = self._jumps(config)
        if config.unsupported and not (jumps and config.unsupported.startswith("ProxyCommand")):
            raise not_ours(node.address, config.unsupported)
        user = login.user if "user" in given or not config.user else config.user
        port = login.port if "port" in given or config.port is None else config.port
        target = self._hop(node.address, user, port, config)
        return Way(node, target, tuple(self._bastions(jumps, login, 0)))

    def _jumps(self, config: HostConfig) -> tuple[tuple[str, str, int | None], ...]:
        """User, host and port of each bastion; what is not decided is ssh_config's to say."""
        jumps = self._node.login.jumps
        if jumps is None:
            return config.jumps or ()
        return tuple(
            (jump.user, jump.host, jump.port if jump.port != DEFAULT_PORT else None) for jump in jumps
        )

    def _bastions(
        self, jumps: Sequence[tuple[str, str, int | None]], login: Login, depth: int
    ) -> Iterator[Hop]:
        if depth + len(jumps) > LONGEST:
            raise ConfigError(
                f"more than {LONGEST} bastions stand before it, or they stand before each other",
                "look at `jump` in the manifest, and at ProxyJump in your ssh_config",
            )
        for index, (user, host, port) in enumerate(jumps):
            config = self._asking.about(host, user=user, port=port)
            if index == 0 and config.jumps:
                yield from self._bastions(config.jumps, login, depth + len(jumps))
            if config.unsupported:
                raise not_ours(f"the bastion {host}", config.unsupported)
            fallback = login.user if login.jumps is not None else self._operator
            yield self._hop(
                host, user or config.user or fallback, port or config.port or DEFAULT_PORT, config
            )

    def _hop(self, host: str, user: str, port: int, config: HostConfig) -> Hop:
        login, reached = self._node.login, config.hostname or host
        if "%" in reached:
            raise ConfigError(
                f"{reached} is an address with a zone, which means something on this machine alone",
                "name an address that counts in the whole network, or a host name",
            )
        wanted = config.identities_only if login.identities_only is None else login.identities_only
        return Hop(
            host=reached,
            port=port,
            user=user,
            key_files=keys(login, config),
            certificates=certificates(login, config),
            identities_only=bool(wanted),
            agent=config.identity_agent,
            known_hosts=self._known_hosts(config),
            known_as=config.host_key_alias,
            connect_timeout=config.connect_timeout or PATIENCE,
        )

    def _known_hosts(self, config: HostConfig) -> tuple[Path, ...]:
        """The system's too, as ssh does: a key that is revoked or known there is not new."""
        users = config.user_known_hosts or (Path("~/.ssh/known_hosts").expanduser(),)
        if self._cluster.known_hosts:
            users = (self._cluster.known_hosts,)
        return (*users, self._own, *(config.global_known_hosts or SYSTEMS_KNOWN_HOSTS))


def keys(login: Login, config: HostConfig) -> tuple[Path, ...]:
    """The manifest's key; else ssh_config's, as far as they are there; else the usual ones."""
    if login.key_path:
        return (login.key_path,)
    if config.identity_files:
        return tuple(path for path in config.identity_files if path.is_file() or is_public(path))
    folder = Path("~/.ssh").expanduser()
    return tuple(path for name in USUAL_KEYS if (path := folder / name).is_file())


def is_public(path: Path) -> bool:
    """Whether a key's public half lies there alone: its private one may be an agent's."""
    return path.with_name(path.name + ".pub").is_file()


def certificates(login: Login, config: HostConfig) -> tuple[Path, ...]:
    if login.certificate_path:
        return (login.certificate_path,)
    return tuple(path for path in config.certificate_files if path.is_file())


def not_ours(host: str, directive: str) -> ConfigError:
    return ConfigError(
        f"your ssh_config wants `{directive}` for {host}, which only ssh itself can do",
        "write `transport: openssh` for this node, or under `ssh:` for all; "
        "or name bastions with `jump:`, or `config: none` where ssh_config is not to count",
    )
