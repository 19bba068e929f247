"""Checks of the distro's configuration as the nodes will read it, with files that lie there already. Pure.

The manifest's own keys are compared by the driver when it is read. Here drop-in files come in: those that
the manifest writes, and those that somebody else has put beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from mk8s.preflight.base import Host, Scene, Trouble, of_all_hosts, of_each_host
from mk8s.preflight.found import DropIn

__all__: list[str] = []

SECRET = ("token", "endpoint", "password", "secret")  # parts of keys whose values are not shown


@of_each_host("drop-ins", "no file beside the distro's config is unknown to the manifest")
def drop_ins(host: Host, _scene: Scene) -> Trouble | None:
    by_file: dict[str, list[str]] = {}
    for each in _foreign(host):
        by_file.setdefault(each.file, []).append(each.key)
    if not by_file:
        return None
    told = ", ".join(f"{file} ({', '.join(dict.fromkeys(keys))})" for file, keys in by_file.items())
    return Trouble(
        f"files that the manifest does not know are read after its config: {told}",
        "remove them, or write them as `drop_ins` into the manifest, so that all nodes get the same",
        level="warn",
    )


@of_all_hosts("server-keys", "keys that must be equal on all servers are")
def server_keys(scene: Scene) -> Mapping[str, Trouble]:
    servers = [host for host in scene.hosts if host.node.is_server]
    found: dict[str, Trouble] = {}
    for host in servers[1:]:
        first, here = _values(servers[0]), _values(host)
        unequal = [key for key in host.wants.same_on_servers if first.get(key, "") != here.get(key, "")]
        if unequal:
            told = "; ".join(_compared(key, here.get(key, ""), first.get(key, "")) for key in unequal)
            found[host.node.name] = Trouble(
                f"on {servers[0].node.name} and here are not the same: {told}",
                "make them equal: a server whose keys differ is not let in ('critical configuration value "
                "mismatch')",
            )
    return found


def _compared(key: str, here: str, there: str) -> str:
    if any(part in key for part in SECRET):
        return key
    return f"{key} ({here or 'absent'}, not {there or 'absent'})"


def _values(host: Host) -> Mapping[str, str]:
    """Each key's value as the distro reads it: later files win, and ``key+`` adds to a list."""
    values = {key: _text(value) for key, value in host.node.config.items()}
    foreign: dict[str, list[DropIn]] = {}
    for each in _foreign(host):
        foreign.setdefault(PurePosixPath(each.file).name, []).append(each)
    for name in sorted({*host.node.drop_ins, *foreign}):
        if name in foreign:
            values |= {each.key.rstrip("+"): f"as in {name}, sum {each.sum}" for each in foreign[name]}
            continue
        for key, value in _mapping(host.node.drop_ins[name]).items():
            before = values.get(key[:-1], "") if key.endswith("+") else ""
            values[key.rstrip("+")] = ",".join(part for part in (before, _text(value)) if part)
    return values


def _foreign(host: Host) -> list[DropIn]:
    """Those that the manifest will not write over."""
    return [each for each in host.found.drop_ins if PurePosixPath(each.file).name not in host.node.drop_ins]


def _mapping(text: str) -> Mapping[str, Any]:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return {str(key): each for key, each in value.items()} if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """A list and words with commas between them are the same to the distro."""
    items = value if isinstance(value, (list, tuple)) else [value]
    words = [word.strip() for item in items for word in str(item).split(",")]
    return ",".join(word for word in words if word and word != "None")
