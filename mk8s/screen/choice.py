"""Which screen a run gets: JSON when asked for, live on a real terminal, plain lines otherwise."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from mk8s.cluster import Cluster
from mk8s.screen.base import Screen
from mk8s.screen.events import EventScreen
from mk8s.screen.plain import PlainScreen

__all__ = ["choose_screen"]


def choose_screen(
    output: str, cluster: Cluster, titles: Mapping[str, str], states: Mapping[str, str]
) -> Screen:
    """`output` is text, plain or json. `states` says where each node is at the start."""
    if output == "json":
        return EventScreen(sys.stdout, titles)
    if output == "text" and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        from mk8s.screen.live import LiveScreen

        roles = {node.name: node.role for node in cluster.nodes}
        return LiveScreen(sys.stderr, titles, states, roles, title=cluster.name)
    return PlainScreen(sys.stderr, titles, states)
