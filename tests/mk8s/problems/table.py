"""The tables of docs/problems.md, from the data: `python -m tests.mk8s.problems.table` writes them there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from mk8s.resources import spec_path

PAGE = Path(__file__).parents[3] / "docs" / "problems.md"
BEGIN = "<!-- the tables below are written by tests/mk8s/problems/table.py -->\n"
PROGRAMS = {"rke2": "RKE2", "k3s": "K3s", "k0s": "k0s", "kubeadm": "kubeadm", "vanilla": "vanilla"}
PARTS = {
    "engine": "The engine of RKE2 and K3s",
    "etcd": "etcd",
    "datastore": "Databases as datastore",
    "kubelet": "The kubelet and its like",
    "images": "Images and registries",
    "api": "Answers of the API server",
    "host": "The host and its systemd",
}


def tables() -> str:
    """One for what each program says alone, then one for each part that several programs share."""
    programs = {name: _document(f"{name}.yaml") for name in PROGRAMS}
    found = [_table(PROGRAMS[name], document["problems"]) for name, document in programs.items()]
    for name, title in PARTS.items():
        users = [PROGRAMS[program] for program, document in programs.items() if name in document["include"]]
        found.append(_table(f"{title} ({', '.join(users)})", _document("parts", f"{name}.yaml")["problems"]))
    return "\n\n".join(found) + "\n"


def _document(*path: str) -> Any:
    return msgspec.yaml.decode(spec_path("problems", *path).read_bytes())


def _table(title: str, problems: Iterable[dict[str, Any]]) -> str:
    head = ("| id | class | what it means | what to do | source |", "|---|---|---|---|---|")
    return "\n".join([f"### {title}", "", *head, *map(_row, problems)])


def _row(known: dict[str, Any]) -> str:
    kind = f"`{known['lineage'][0]}`{', final' if known['final'] else ''}"
    cells = (f"`{known['id']}`", kind, known["cause"], known["remedy"], known["source"])
    text = " | ".join(cell.strip().replace("|", "&#124;").replace("\n", " ") for cell in cells)
    return f"| {re.sub(r'@{([a-z-]+)}', lambda found: found[1].upper(), text)} |"


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text().partition(BEGIN)[0] + BEGIN + "\n" + tables())
