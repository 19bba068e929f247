"""Reaching a node over SSH with libssh2, driven without blocking on the event loop.

What stands on what, lowest first: `sockets`, `driver` (the laws of libssh2), `certificates` and `showing`
(hosts that an authority vouches for), `hostkeys`, `keyfiles` and `agent`, `proofs` and `questions`, `login`,
`connection`, `tunnels` and `bastions`, `channels`, `commands`, `uploads`, `transport`. `client_config` stands
apart: it asks ssh what ssh_config says. Begin reading at `transport`, then `driver`.

What remains, said plainly: libssh2 1.11.1 has memory-safety bugs that a hostile server, or someone in
between, can reach before its host key is judged. The MACs with one of them (*-etm) are not offered;
against the one in AES-GCM `ciphers` may name aes-ctr first. Hardware keys (sk-*), GSSAPI and
post-quantum key exchange are not there.
"""

from __future__ import annotations

from transports.ssh.bastions import Bastion
from transports.ssh.hostkeys import HostKeys
from transports.ssh.options import CIPHERS, ConnectionStarts, Proven, Question, SSHOptions, UploadThreads
from transports.ssh.transport import SSHTransport

__all__ = [
    "CIPHERS",
    "Bastion",
    "ConnectionStarts",
    "HostKeys",
    "Proven",
    "Question",
    "SSHOptions",
    "SSHTransport",
    "UploadThreads",
]
