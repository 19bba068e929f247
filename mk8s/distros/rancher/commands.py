"""The commands that both engines need, as values. Commands of the operating system are in `mk8s.commands`.

Every operation here begins with the engine's name and has its model in `rancher.model`; a test compares the
two. All of them run as root. Scripts are POSIX sh; what varies goes in as arguments, never into the text,
and none carries a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from mk8s import units
from mk8s.cluster import Node
from mk8s.distros.rancher.engine import Engine
from mk8s.units import ANSWER, NOW, STATE
from mk8s.verifying import VERIFY
from transports.base import Command, File

__all__ = [
    "OTHER_PREFIX",
    "RECORDS",
    "SECONDS_TO_INSTALL",
    "STAGING",
    "USUAL_PREFIX",
    "ask_etcd",
    "ask_node",
    "ask_nodes",
    "ask_ping",
    "ask_readyz",
    "ask_unit",
    "ask_version",
    "begin_cache",
    "has_archive",
    "has_cache",
    "has_install",
    "place_archive",
    "start_unit",
]

STAGING = PurePosixPath("/var/lib/mk8s/artifacts")
RECORDS = PurePosixPath("/var/lib/mk8s/installed")
USUAL_PREFIX = PurePosixPath("/usr/local")
OTHER_PREFIX = PurePosixPath("/opt")  # where /usr/local is read-only or a mount of its own
SECONDS_TO_INSTALL = 600.0
SECONDS_TO_COPY = 1800.0
ETCD_HEALTH = "http://127.0.0.1:2381"

# A link costs no space and no time; where the two folders are not on one file system, a copy is made and
# verified. The engine reads whatever lies in the folder, so the file gets its name last.
PLACE = f"""\
set -eu
{VERIFY}
staged=$1 target=$2 hash=$3
mkdir -p "$(dirname "$target")"
rm -f "$target" "$target.new"
ln "$staged" "$target.new" 2>/dev/null || cp "$staged" "$target.new"
verify "$target.new" "$hash"
mv "$target.new" "$target"
"""

# A unit that is just coming up, again and again perhaps, may have read the config as it was before the user
# mended it: it would fail of that, and be believed. So it is started anew; one with this config goes on.
START = f"""\
umask 077
mkdir -p /run/mk8s
print=$(cat "$2" "$2.d"/* 2>/dev/null | sha256sum)
noted=$(cat "/run/mk8s/$1.config" 2>/dev/null) || noted=$print
verb=start
if [ "$noted" != "$print" ] && [ "$(systemctl is-active "$1" 2>/dev/null)" = activating ]; then
  verb=restart
fi
printf '%s\\n' "$print" > "/run/mk8s/$1.config"
{NOW} > "/run/mk8s/$1.since"
systemctl reset-failed "$1" 2>/dev/null || :
exec systemctl "$verb" --no-block "$1"
"""

ASK_READYZ = f"""\
{STATE}
state "$1"
shift
echo '{ANSWER}'
exec "$@" --request-timeout=10s get --raw /readyz
"""

ASK_PING = f"""\
{STATE}
state "$1"
url=$2
shift 2
echo '{ANSWER}'
if command -v curl >/dev/null 2>&1; then
  exec curl -sk --max-time 10 "$url/ping"
fi
exec "$@" --request-timeout=10s --server "$url" get --raw /ping
"""

ASK_ETCD = f"""\
{STATE}
state "$1"
shift
echo '{ANSWER}'
if command -v curl >/dev/null 2>&1; then
  exec curl -s --max-time 10 {ETCD_HEALTH}/health
fi
export KUBECONFIG=/dev/null
exec "$@" --request-timeout=10s --server {ETCD_HEALTH} get --raw /health
"""

ASK_VERSION = """\
for program; do
  [ ! -x "$program" ] || exec "$program" --version
done
echo absent
"""


def has_install(engine: Engine, record: PurePosixPath) -> Command:
    """Whether everything that was recorded there as installed is there, unchanged."""
    return Command(
        operation=f"{engine.name}.has-install",
        description="compare the installed files with their record",
        script='sha256sum -c "$1" >/dev/null 2>&1',
        args=(str(record),),
    )


def ask_version(engine: Engine, programs: Sequence[PurePosixPath]) -> Command:
    """What the first of these programs that is there says of its version; ``absent`` without any."""
    return Command(
        operation=f"{engine.name}.version",
        description=f"ask {engine.title} for its version",
        script=ASK_VERSION,
        args=tuple(map(str, programs)),
    )


def place_archive(engine: Engine, file: File, staged: PurePosixPath, target: PurePosixPath) -> Command:
    """Give a staged image archive its place in the engine's folder, verified."""
    return Command(
        operation=f"{engine.name}.place-archive",
        description=f"verify {target.name} and place it in {target.parent}",
        script=PLACE,
        args=(str(staged), str(target), file.sha256),
        timeout=SECONDS_TO_COPY,
    )


def has_archive(engine: Engine, file: File, target: PurePosixPath) -> Command:
    """Whether the archive lies in its place, whole."""
    return Command(
        operation=f"{engine.name}.has-archive",
        description=f"hash {target}",
        script='printf \'%s  %s\\n\' "$2" "$1" | sha256sum -c - >/dev/null 2>&1',
        args=(str(target), file.sha256),
        timeout=SECONDS_TO_COPY,
    )


def begin_cache(engine: Engine, path: PurePosixPath) -> Command:
    """An empty note of what was imported, for the engine to fill. Its own is never written over."""
    return Command(
        operation=f"{engine.name}.begin-cache",
        description=f"make {path}, empty, unless it is there",
        script='set -eu\nmkdir -p "$(dirname "$1")"\n[ -e "$1" ] || : >"$1"\n',
        args=(str(path),),
    )


def has_cache(engine: Engine, path: PurePosixPath) -> Command:
    return Command(
        operation=f"{engine.name}.has-cache",
        description=f"look for {path}",
        script='[ -e "$1" ]',
        args=(str(path),),
    )


def start_unit(engine: Engine, node: Node) -> Command:
    """Start the unit without waiting: its start job never times out by itself."""
    return Command(
        operation=f"{engine.name}.start",
        description=f"start {engine.unit_of(node)} and do not wait for it",
        script=START,
        args=(engine.unit_of(node), str(engine.config)),
    )


def ask_unit(engine: Engine, node: Node) -> Command:
    """The unit's state and, unless it is active, what it said since it was started."""
    return replace(units.ask_unit(engine.unit_of(node)), operation=f"{engine.name}.unit")


def ask_readyz(engine: Engine, node: Node) -> Command:
    """The API server's own word on 6443, asked on the host itself."""
    return Command(
        operation=f"{engine.name}.readyz",
        description="ask the API server whether it is ready",
        script=ASK_READYZ,
        args=(engine.unit_of(node), *_kubectl(engine, node)),
    )


def ask_ping(engine: Engine, node: Node) -> Command:
    """The supervisor, where other nodes register."""
    url = f"https://127.0.0.1:{engine.supervisor_port}"
    return Command(
        operation=f"{engine.name}.ping",
        description=f"ask the supervisor on {engine.supervisor_port}",
        script=ASK_PING,
        args=(engine.unit_of(node), url, *_kubectl(engine, node)),
    )


def ask_etcd(engine: Engine, node: Node) -> Command:
    """This host's own member of etcd, for a server that has no API to ask."""
    return Command(
        operation=f"{engine.name}.etcd",
        description="ask etcd on this host whether it is healthy",
        script=ASK_ETCD,
        args=(engine.unit_of(node), *engine.kubectl(node)),
    )


def ask_node(engine: Engine, asked: Node, name: str, kubeconfig: PurePosixPath | None = None) -> Command:
    """The Node object of that name as JSON, asked on `asked` with the administrator's kubeconfig, or this."""
    words = ("node", name)
    return _get(engine, "get-node", f"ask {asked.name} for node {name}", asked, words, kubeconfig)


def ask_nodes(engine: Engine, asked: Node) -> Command:
    """All Node objects as JSON."""
    return _get(engine, "get-nodes", f"ask {asked.name} for all nodes", asked, ("nodes",))


def _get(
    engine: Engine,
    operation: str,
    description: str,
    asked: Node,
    what: tuple[str, ...],
    kubeconfig: PurePosixPath | None = None,
) -> Command:
    kubectl = (*_kubectl(engine, asked, kubeconfig), "--request-timeout=10s")
    args = (*kubectl, "get", *what, "-o", "json")
    return Command(operation=f"{engine.name}.{operation}", description=description, args=args)


def _kubectl(engine: Engine, node: Node, kubeconfig: PurePosixPath | None = None) -> tuple[str, ...]:
    return (*engine.kubectl(node), "--kubeconfig", str(kubeconfig or engine.kubeconfig(node)))
