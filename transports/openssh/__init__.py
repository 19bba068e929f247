"""Reaching a node with the user's own `ssh` program: hardware keys, GSSAPI, ProxyCommand, FIPS builds.

One ssh process a node logs in and stays, as a ControlMaster; it alone encrypts. Commands and files are
sessions that it opens for us: we ask over its control socket, in its documented language (PROTOCOL.mux),
and hand it pipes for stdin, stdout and stderr. So a command costs no process here, and its exit status
arrives as it was: none came where the command was killed or the connection lost.

What stands on what, lowest first: `options` and `arguments` (how ssh is called), `askpass` (its questions),
`failures` (what its last words mean), `master` (the process), `mux` (its control socket), `commands`,
`transport`. Begin reading at `transport`, then `master`.
"""

from __future__ import annotations

from transports.openssh.options import OpenSSHOptions
from transports.openssh.transport import OpenSSHTransport

__all__ = ["OpenSSHOptions", "OpenSSHTransport"]
