"""What ssh's last words mean: its stderr turned into a class, a cause and a remedy. Pure.

ssh has one exit status for all its failures, 255. Its words are stable and in English: none of them is
translated. The table is read from the top: what is said by a bastion's ssh stands in the same text, and the
most specific line of it is the cause. Words as in OpenSSH 8.0 to 9.9 (sshconnect.c, sshconnect2.c, packet.c).

Begin reading at `TABLE`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from transports.base import TransportError

__all__ = [
    "bad_config_file",
    "bad_key_file",
    "cannot_start",
    "judge",
    "mute_inquiry",
    "no_program",
    "no_room_for_socket",
]

TRUST = "compare its fingerprint with the one on the machine, then let `mk8s trust` pin it"
SHOWN = 400  # characters of a program's words


@dataclass(frozen=True, slots=True)
class Kind:
    """One class of failure. In `problem` and `remedy`, {line} is the line that was found."""

    pattern: re.Pattern[str]
    lineage: tuple[str, ...]
    problem: str
    remedy: str
    final: bool = True


def kind(pattern: str, lineage: str, problem: str, remedy: str, *, final: bool = True) -> Kind:
    return Kind(re.compile(pattern), (lineage, lineage.partition(".")[0]), problem, remedy, final)


TABLE = (
    kind(
        r"REVOKED HOST KEY|is revoked|marked as revoked",
        "hostkey.revoked",
        "its host key is revoked: {line}",
        "give the machine a new host key; do not log in to it with this one",
    ),
    kind(
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|host key has changed|IS DIFFERENT FROM THE KEY",
        "hostkey.changed",
        "the host key has changed{details}",
        "either the machine was installed anew, or someone stands in between. If you know that it was "
        "reinstalled: compare its fingerprint with the one on the machine, then `mk8s trust CLUSTER.yaml "
        "--replace NODE` (or `ssh-keygen -R` for a file of your own), and run again",
    ),
    kind(
        r"No \S+ host key is known for|Host key verification failed",
        "hostkey.unknown",
        "it shows a host key that is not known here: {line}",
        TRUST + "; or trust every new host once with `ssh: {host_keys: accept-new}` in the manifest",
    ),
    kind(
        r"Bad configuration option|bad configuration options|[Bb]ad (?:owner or )?permissions on .*config|"
        r"Unsupported option|missing argument|extra arguments at end|jumphost loop",
        "auth.config",
        "ssh does not accept its configuration: {line}",
        "correct that file, or name another one with `ssh: {config: PATH}` in the manifest",
    ),
    kind(
        r"ssh_askpass: exec",
        "auth.rejected",
        "ssh cannot run the program that asks for its secrets: {line}",
        "let TMPDIR name a folder on a disk that is not mounted noexec",
    ),
    kind(
        r"(?s:(?:UNPROTECTED PRIVATE KEY FILE|Permissions \d+ for [^\n]* are too open|Load key |"
        r"invalid format)(?=.*(?:Permission denied \(|Too many auth)))",  # else another key may be right
        "auth.key-file",
        "a key file is of no use: {line}",
        "check the key's path and permissions (`chmod 600`), and that it is a private key",
    ),
    kind(
        r"Too many authentication failures",
        "auth.rejected",
        "the server gave up after too many keys: {line}",
        "name the key and let ssh offer no other: `ssh_key_path` and `identities_only: true` in the manifest",
    ),
    kind(
        r"Permission denied \(",
        "auth.rejected",
        "the login was refused: {line}",
        "put the key into ~/.ssh/authorized_keys there (`ssh-copy-id`), or name another user or key; "
        "`ssh -v` tells what was offered",
    ),
    kind(
        r"Unable to negotiate|no matching .* found",
        "connection.closed",
        "both sides have no algorithm in common: {line}",
        "allow one of those that it offers in your ssh_config (KexAlgorithms, HostKeyAlgorithms, Ciphers, "
        "MACs), or bring its sshd up to date",
    ),
    kind(
        r"administratively prohibited",
        "connection.refused",
        "a bastion forwards nothing: {line}",
        "set `AllowTcpForwarding yes` in the bastion's sshd_config",
    ),
    kind(
        r"Could not resolve hostname",
        "connection.unreachable",
        "the name has no address: {line}",
        "check the spelling, or use the IP address",
        final=False,
    ),
    kind(
        r"timed out during banner exchange|banner exchange.*timed out",
        "connection.timeout",
        "it took the connection but never spoke SSH: {line}",
        "check that an SSH server listens on this port",
        final=False,
    ),
    kind(
        r"Connection refused",
        "connection.refused",
        "the connection was refused: {line}",
        "check that sshd runs there and listens on this port",
        final=False,
    ),
    kind(
        r"timed out|not responding",
        "connection.timeout",
        "it does not answer: {line}",
        "check that the machine is up, the address is right and no firewall is in between",
        final=False,
    ),
    kind(
        r"No route to host|Network is unreachable|Host is unreachable|Network is down",
        "connection.unreachable",
        "there is no way to it: {line}",
        "check the address, the cable and the routes between here and there",
        final=False,
    ),
)

OTHERWISE = kind(
    r"",
    "connection.closed",
    "the connection ended before it was of use: {line}",
    "try the same by hand with `ssh -v`; a busy sshd drops logins beyond its MaxStartups, "
    "so trying again can help",
    final=False,
)


def judge(label: str, said: str) -> TransportError:
    """The error that ssh's words stand for. `label` names the node in the message. Never ambiguous."""
    for each in TABLE:
        found = each.pattern.search(said)
        if found:
            return each_error(label, each, line_around(said, found.start()), said)
    return each_error(label, OTHERWISE, last_words(said), said)


def each_error(label: str, found: Kind, line: str, said: str) -> TransportError:
    details = changed_details(said)
    message = found.problem.replace("{line}", line).replace("{details}", details)
    return TransportError(
        *found.lineage, message=f"{label}: {message}", remedy=found.remedy, final=found.final
    )


def line_around(said: str, place: int) -> str:
    start = said.rfind("\n", 0, place) + 1
    return said[start:].splitlines()[0].strip()[:SHOWN]


def last_words(said: str) -> str:
    """The last two lines: a helper's complaint comes before ssh's own."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return "; ".join(lines[-2:])[-SHOWN:] or "ssh gave no reason"


def changed_details(said: str) -> str:
    """What it shows, and where the other key is known."""
    shown = re.search(r"(\S+) key sent by the remote host is\s+(SHA256:[^\s.]+)", said)
    known = re.search(r"Offending (?:\S+ )?key in (.+?):(\d+)", said)
    parts = [f"it shows {shown[1]} {shown[2]}"] if shown else []
    parts += [f"{known[1]} line {known[2]} has another"] if known else []
    return ": " + ", but ".join(parts) if parts else ""


def no_program(label: str, program: str) -> TransportError:
    """There is no ssh here."""
    return TransportError(
        "connection.refused",
        "connection",
        message=f"{label}: the program `{program}` is not installed on this machine",
        remedy="install the OpenSSH client (Debian: apt install openssh-client), "
        "or use the built-in one: `transport: ssh`",
        final=True,
    )


def no_room_for_socket(label: str, tried: str) -> TransportError:
    """A socket's path may have about a hundred bytes."""
    return TransportError(
        "connection.refused",
        "connection",
        message=f"{label}: no private folder with a short path can be made for ssh's control socket: {tried}",
        remedy="let TMPDIR name a folder with a short path that you may write to, such as /tmp",
        final=True,
    )


def cannot_start(label: str, error: OSError) -> TransportError:
    """This machine is out of something: processes, descriptors, disk."""
    return TransportError(
        "connection.refused",
        "connection",
        message=f"{label}: ssh cannot be started here: {error}",
        remedy="make room on this machine: the disk of TMPDIR, `ulimit -n`, `ulimit -u`",
    )


def mute_inquiry(label: str, program: str, seconds: float) -> TransportError:
    """Reading the configuration takes too long."""
    return TransportError(
        "connection.timeout",
        "connection",
        message=f"{label}: `{program} -G` did not say within {seconds:g} s what the ssh_config means",
        remedy="look for a program that the ssh_config runs (`Match exec`) and that does not end",
    )


def bad_key_file(label: str, path: Path, problem: str) -> TransportError:
    return TransportError(
        "auth.key-file",
        "auth",
        message=f"{label}: the SSH key {path} cannot be read: {problem}",
        remedy="check the path in the manifest and the file's permissions",
        final=True,
    )


def bad_config_file(label: str, path: Path, problem: str) -> TransportError:
    return TransportError(
        "auth.config",
        "auth",
        message=f"{label}: the ssh_config {path} cannot be read: {problem}",
        remedy="correct `ssh: {config: PATH}` in the manifest, or make the file readable",
        final=True,
    )
