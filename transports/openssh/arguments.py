"""How ssh is called: the words, the configuration file and the environment. Pure.

Why a file: ssh hands `-F FILE` on to the ssh that it starts for a bastion, but none of its `-o` options.
What must hold on every hop (known hosts, no forwarding, what may be asked) stands at the top of the file,
where the first value counts; the user's own ssh_config is included behind it. What is the node's alone
(login name, port, bastions, the control socket) is in the words.

No secret passes here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from transports.base import ArgumentError
from transports.openssh.options import OpenSSHOptions

__all__ = ["GUARD", "config_text", "environment", "inquiry", "master_words"]

# Ends ssh when the pipe that is its stdin closes, which it does whichever way we end; and tidies up.
GUARD = """\
exec 3<&0
{ cat >/dev/null; kill -TERM $$; rm -rf -- "$1"; } <&3 3<&- >/dev/null 2>&1 &
shift
exec "$@" </dev/null 3<&-
"""

# LogLevel: ssh tells at INFO, not at ERROR, that no algorithm fits or that the other side hung up.
EVERY_HOP = """\
ForwardAgent no
ForwardX11 no
ControlMaster no
ControlPersist no
PermitLocalCommand no
RemoteCommand none
RequestTTY no
EscapeChar none
UpdateHostKeys no
NumberOfPasswordPrompts 2
LogLevel INFO
"""


def config_text(options: OpenSSHOptions) -> str:
    """The configuration file for all hops. Raises ArgumentError for a path that cannot be written there."""
    return "Host *\n" + EVERY_HOP + "".join(f"{line}\n" for line in settings(options)) + includes(options)


def settings(options: OpenSSHOptions) -> Iterator[str]:
    """What depends on the options, a line each."""
    yield f"BatchMode {'no' if options.asks else 'yes'}"
    if options.password is None and options.answers is None:
        yield "PasswordAuthentication no"
        yield "KbdInteractiveAuthentication no"
    yield f"StrictHostKeyChecking {'accept-new' if options.accept_new else 'yes'}"
    if options.known_hosts:
        yield "UserKnownHostsFile " + " ".join(quoted(path) for path in options.known_hosts)
    for path in options.key_files:
        yield f"IdentityFile {quoted(path)}"
    if options.certificate is not None:
        yield f"CertificateFile {quoted(options.certificate)}"
    if options.identities_only is not None:
        yield f"IdentitiesOnly {'yes' if options.identities_only else 'no'}"
    if not options.use_agent:
        yield "IdentityAgent none"
    yield f"ConnectTimeout {max(1, math.ceil(options.connect_timeout))}"
    yield f"ServerAliveInterval {options.alive_interval}"
    yield "ServerAliveCountMax 3"


def includes(options: OpenSSHOptions) -> str:
    """The user's own configuration. A file that is not there is skipped, as ssh does."""
    if options.config == "none":
        return ""
    if options.config == "auto":
        return "Include ~/.ssh/config\nInclude /etc/ssh/ssh_config\n"
    return f"Include {quoted(options.config.expanduser().absolute())}\n"


def quoted(path: Path) -> str:
    """A path as one word of ssh_config."""
    text = str(path.expanduser())
    if any(sign in text for sign in ('"', "\n", "\\", "${")):
        raise ArgumentError(f"{text!r} cannot be named in an ssh_config; use a path without such signs")
    return '"' + text.replace("%", "%%") + '"'


def master_words(
    options: OpenSSHOptions, program: str, folder: Path, config: Path, socket: Path
) -> list[str]:
    """The words that start the master: ssh, guarded by a shell that becomes it."""
    control = ["-M", "-N", "-T", "-S", str(socket).replace("%", "%%"), "-o", "ClearAllForwardings=yes"]
    ssh = [program, "-F", str(config), *control, *node_words(options)]
    return ["/bin/sh", "-c", GUARD, "mk8s-ssh", str(folder), *ssh]


def inquiry(options: OpenSSHOptions, program: str) -> list[str]:
    """The words that make ssh say what it would do, without connecting."""
    file = [] if options.config == "auto" else ["-F", str(options.config)]
    return [program, "-G", *file, *node_words(options)]


def node_words(options: OpenSSHOptions) -> list[str]:
    """What is the node's alone, and its name behind `--`."""
    words = []
    if options.user is not None:
        words += ["-l", options.user]
    if options.port is not None:
        words += ["-p", str(options.port)]
    if options.jumps is not None:
        words += ["-o", f"ProxyJump={','.join(options.jumps) or 'none'}"]
    return [*words, "--", options.host]


def environment(ours: Mapping[str, str], options: OpenSSHOptions, askpass: Path) -> dict[str, str]:
    """Ours, for the agent's socket, tickets and what a ProxyCommand needs; without what is withheld."""
    theirs = {name: value for name, value in ours.items() if name not in options.withheld}
    theirs["SSH_ASKPASS"] = str(askpass)
    theirs["SSH_ASKPASS_REQUIRE"] = "force"
    theirs.setdefault("DISPLAY", "none:0")  # OpenSSH before 8.4 runs an askpass only where this is set
    return theirs
