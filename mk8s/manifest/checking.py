"""What is wrong with a manifest beyond its form, all at once. Pure.

`machines.forms` tells unknown keys and values of a wrong kind; here stands what a value must look
like (`VALUES`, one line a key) and how the parts must fit together (`RULES`, one function each; those
of addresses and networks stand in `fitting`, those of where things come from in `supply`, those of modes in
`modes`, those of rehearsals in `simulation`).
Both look at the document itself, so that no mistake hides another.

Nothing here looks at a file or at a node: key files are `reading`'s, the release is looked for later.
Begin reading at `find_faults`, then VALUES and RULES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from machines.documents import Path, Value, show_path
from machines.errors import DocumentError, Fault
from machines.forms import duration, read_form
from machines.words import did_you_mean, shown
from mk8s.manifest import fitting, modes, networks, simulation, supply, values, versions
from mk8s.manifest.blanks import no_blanks
from mk8s.manifest.configs import parse_config
from mk8s.manifest.schema import EDGE_NAMES, ManifestForm
from mk8s.manifest.source import EACH, CrossRule, Source
from mk8s.manifest.values import Rule, Wrong

__all__ = ["find_faults", "read_manifest"]

CONFIGS_TOLD = 50
"""So many configs are told when they are wrong; the rest most likely repeat them."""

VALUES: tuple[tuple[tuple[str, ...], Rule], ...] = (
    (("name",), values.label),
    (("endpoint",), values.address),
    (("artifacts_dir",), values.path_text),
    (("arch",), values.arch),
    (("network", "pod_cidr"), networks.pod_cidr),
    (("network", "service_cidr"), networks.service_cidr),
    (("network", "dns_domain"), networks.dns_domain),
    (("manifests", EACH), values.path_text),
    (("kube_vip", "interface"), networks.interface),
    (("kube_vip", "image"), networks.image),
    (("smoke_image",), networks.image),
    (("checks", "waive", EACH), networks.check_name),
    (("nodes", EACH, "address"), values.address),
    (("nodes", EACH, "node_ip"), networks.node_ip),
    (("nodes", EACH, "role"), values.role),
    (("nodes", EACH, "arch"), values.arch),
    (("nodes", EACH, "name"), values.label),
    (("nodes", EACH, "user"), values.user),
    (("nodes", EACH, "ssh_key_path"), values.path_text),
    (("nodes", EACH, "password_env"), values.environment_name),
    (("nodes", EACH, "passphrase_env"), values.environment_name),
    (("nodes", EACH, "sudo_password_env"), values.environment_name),
    (("ssh", "user"), values.user),
    (("ssh", "key_path"), values.path_text),
    (("ssh", "known_hosts"), values.path_text),
    (("ssh", "password_env"), values.environment_name),
    (("ssh", "passphrase_env"), values.environment_name),
    (("ssh", "sudo_password_env"), values.environment_name),
    (("artifacts", EACH, "name"), values.file_name),
    (("artifacts", EACH, "url"), values.url),
    (("artifacts", EACH, "checksum"), values.checksum),
    (("budgets", EACH), values.budget),
    (("policy", "edges", EACH, "timeout"), values.duration),
    (("policy", "edges", EACH, "deadline"), values.duration),
    *supply.VALUES,
    *modes.VALUES,
    *simulation.VALUES,
)


def read_manifest(source: Source, distros: Sequence[str]) -> tuple[ManifestForm | None, list[Fault]]:
    """The manifest's structs, and every fault in document order. With faults, the structs mean nothing.

    `distros`: the names that a driver exists for.
    """
    if source.document.value is None:
        wrong = Wrong("the file is empty", "a manifest needs distro, version and nodes; see docs/manifest.md")
        return None, [source.fault((), wrong)]
    form, by_form = read_form(source.document, ManifestForm)
    ours = find_faults(source, distros)
    told = {fault.path for fault in ours}  # where both speak of one key, our words know more
    faults = [*ours, *(fault for fault in by_form if fault.path not in told or not fault.path)]
    return form, sorted(faults, key=lambda fault: (fault.line, fault.column))


def find_faults(source: Source, distros: Sequence[str]) -> list[Fault]:
    """Everything that is wrong with values, and with how they fit together."""
    faults = [
        source.fault(path, wrong)
        for pattern, rule in VALUES
        for path, text in source.words(*pattern)
        if (wrong := rule(text)) is not None
    ]
    rules: list[CrossRule] = [partial(distro_and_version, distros=distros), *RULES]
    for find in rules:
        faults += find(source)
    return faults


def distro_and_version(source: Source, distros: Sequence[str]) -> Iterator[Fault]:
    """A distro that can be installed, and a version as this distro writes it; RKE2's in doubt."""
    name = next((text for _, text in source.words("distro")), None)
    if name is not None and (wrong := values.distro(name, distros)):
        yield source.fault(("distro",), wrong)
    for path, text in source.words("version"):
        of_distro = name if name in (*distros, *versions.UPSTREAM, *versions.TAGGED) else "rke2"
        if wrong := versions.version(text, of_distro or ""):
            yield source.fault(path, wrong)


def names_of_artifacts(source: Source) -> Iterator[Fault]:
    """Ids of artifacts are plain words; which of them mean something, the distro says."""
    for key in source.mapping("artifacts"):
        if wrong := values.artifact_id(key):
            yield source.fault(("artifacts", key), wrong)


def names_of_edges(source: Source) -> Iterator[Fault]:
    """Only edges that exist can be given other times."""
    for key in source.mapping("policy", "edges"):
        if key not in EDGE_NAMES:
            wrong = Wrong(f"{shown(key)} is not an edge of the node machine", did_you_mean(key, EDGE_NAMES))
            yield source.fault(("policy", "edges", key), wrong)


def times_in_order(source: Source) -> Iterator[Fault]:
    """One attempt cannot take longer than all of them."""
    for path, edge in source.each("policy", "edges", EACH):
        if not isinstance(edge, dict):
            continue
        timeout, deadline = _seconds(edge.get("timeout")), _seconds(edge.get("deadline"))
        if timeout is not None and deadline is not None and timeout > deadline:
            hint = "the deadline is for all attempts together, with the waits between them"
            yield source.fault((*path, "timeout"), Wrong("is longer than the edge's deadline", hint))


def _seconds(value: Value | None) -> float | None:
    try:
        return duration(value) if value is not None else None
    except ValueError:
        return None


def some_server(source: Source) -> Iterator[Fault]:
    """A cluster needs nodes, and one of them must be a server. Silent while a role is unreadable."""
    nodes = source.mapping().get("nodes")
    joins = isinstance(source.mapping().get("join"), dict)
    if nodes == []:
        yield source.fault(("nodes",), Wrong("no node is listed", "one server is enough to begin with"))
    roles = [node.get("role") for _, node in source.nodes()]
    if (
        roles
        and not joins
        and all(role == "agent" for role in roles)
        and len(roles) == len(list(source.each("nodes", EACH)))
    ):
        hint = "give one of the nodes `role: server`, or say with `join` which control plane they join"
        yield source.fault(("nodes",), Wrong("no node has the role server", hint))


def one_primary(source: Source) -> Iterator[Fault]:
    """Two primaries would make two clusters."""
    primaries = [path for path, node in source.nodes() if node.get("primary") is True]
    for path in primaries[1:]:
        first = primaries[0]
        message = f"a second primary; the first is {show_path(first)} in line {source.line(first)}"
        hint = "exactly one server starts the cluster, the others join it: remove one `primary: true`"
        yield source.fault((*path, "primary"), Wrong(message, hint))


def primary_is_server(source: Source) -> Iterator[Fault]:
    """An agent cannot start a cluster."""
    for path, node in source.nodes():
        if node.get("primary") is True and node.get("role") == "agent":
            wrong = Wrong("an agent cannot be the primary", "give it `role: server`, or mark a server")
            yield source.fault((*path, "primary"), wrong)


def addresses_differ(source: Source) -> Iterator[Fault]:
    """One machine is one node, however its address is spelt."""
    yield from _twice(source, "address", _same_address)


def _same_address(text: str) -> str:
    found = values.ip_of(text)
    return str(found) if found else text.lower().rstrip(".")


def names_differ(source: Source) -> Iterator[Fault]:
    """Journal, screen and files know a node by its name."""
    yield from _twice(source, "name", str)


def _twice(source: Source, key: str, same: Callable[[str], str]) -> Iterator[Fault]:
    first: dict[str, Path] = {}
    for path, text in source.words("nodes", EACH, key):
        before = first.setdefault(same(text), path)
        if before != path:
            other = show_path(before[:-1])
            message = f"{shown(text)} is the {key} of {other} too, in line {source.line(before)}"
            yield source.fault(path, Wrong(message, f"every node has {_article(key)} {key} of its own"))


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def one_local(source: Source) -> Iterator[Fault]:
    """mk8s runs on one machine, so one node at most is this machine."""
    local = [path for path, node in source.nodes() if node.get("local") is True]
    for path in local[1:]:
        first = local[0]
        message = f"a second local node; the first is {show_path(first)} in line {source.line(first)}"
        yield source.fault((*path, "local"), Wrong(message, "reach the others over SSH"))


def configs_are_settings(source: Source) -> Iterator[Fault]:
    """A config given as text is YAML with unique keys; its mistakes have their place in this file."""
    ill = 0
    for pattern in (("nodes", EACH, "config"), ("config", EACH)):
        for path, value in source.each(*pattern):
            faults = _config_faults(source, path, value) if isinstance(value, str) else []
            yield from faults
            ill += bool(faults)
            if ill == CONFIGS_TOLD:
                return


def _config_faults(source: Source, path: Path, text: str) -> list[Fault]:
    block = source.block(path, text)
    found = _faults_of(text)
    if not found or block is None:
        return [_in_text(source, path, fault) for fault in found]
    above, indent = block
    moved = _faults_of("\n" * above + text)  # so that every line that is named is one of this file
    return [replace(_named(source, path, fault), column=fault.column + indent) for fault in moved]


def _named(source: Source, path: Path, inner: Fault) -> Fault:
    """A fault of a config as one of the manifest: its file, and the config's path before the inner one."""
    where = ".".join(part for part in (show_path(path), inner.path) if part)
    return replace(inner, file=source.document.file, path=where)


def _faults_of(text: str) -> tuple[Fault, ...]:
    try:
        parse_config(text)
    except DocumentError as error:
        return error.faults
    return ()


def _in_text(source: Source, path: Path, inner: Fault) -> Fault:
    """A fault in quoted or folded text, whose lines are not those of the file: it points at the key."""
    line, column = source.document.mark(path)
    message = f"in line {inner.line} of this text: {inner.message}"
    return replace(_named(source, path, inner), line=line, column=column, message=message)


RULES: tuple[CrossRule, ...] = (
    names_of_artifacts,
    names_of_edges,
    times_in_order,
    some_server,
    one_primary,
    primary_is_server,
    addresses_differ,
    names_differ,
    one_local,
    configs_are_settings,
    no_blanks,
    *fitting.RULES,
    *supply.RULES,
    *modes.RULES,
    *simulation.RULES,
)
