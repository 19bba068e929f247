"""Options for the user's own ssh that get into a test's server, and into it alone."""

from __future__ import annotations

from typing import Any

from tests.transports.sshd import HOST, Server
from transports.openssh import OpenSSHOptions


def options_for(server: Server, **changes: Any) -> OpenSSHOptions:
    """Options that get in, with changes. Nothing of the tester's own ssh_config or agent is used."""
    usual: dict[str, Any] = {
        "host": HOST,
        "port": server.port,
        "user": server.user,
        "key_files": (server.key,),
        "use_agent": False,
        "config": "none",
        "known_hosts": (server.known_hosts,),
        "connect_timeout": 10.0,
    }
    return OpenSSHOptions(**{**usual, **changes})
