"""What refusals of sudo and doas mean, in words for people. Shared by ssh and local. Pure."""

from __future__ import annotations

from transports.base import TransportError
from transports.shell import Conversation

__all__ = ["doas_without_terminal", "refusal", "usable", "wrong_password"]


def usable(name: str, password: str | None) -> str | None:
    """The password, if sudo can be told it: one line, or the rest of it would be the command's input."""
    if password is None or not set(password) & set("\n\0"):
        return password
    raise TransportError(
        "sudo.password",
        "sudo",
        message=f"{name}: the sudo password that was given is not one line",
        remedy="take the line break out of it, such as one that a file of it ended with",
        final=True,
    )


def wrong_password(name: str, user: str) -> TransportError:
    """sudo asked again after it had been given the password."""
    return TransportError(
        "sudo.password",
        "sudo",
        message=f"{name}: sudo did not accept the password of {user}",
        remedy=f"check it with `sudo -k; sudo -v` as {user} on {name}, then run again",
        final=True,
    )


def doas_without_terminal(name: str, user: str) -> TransportError:
    """doas wants a password, or was to be given one."""
    return TransportError(
        "sudo.password",
        "sudo",
        message=f"{name}: doas takes a password from a terminal alone, and there is none",
        remedy=f"write `permit nopass {user} as root` into /etc/doas.conf on {name} and give mk8s no "
        "password for it, or use sudo (`escalate: sudo`)",
        final=True,
    )


def doas_refusal(name: str, user: str, said: str) -> TransportError:
    """doas ended before the command began. Its words: OpenBSD's and opendoas's doas.c."""
    if any(words in said.lower() for words in ("authentication", "tty", "terminal", "password")):
        return doas_without_terminal(name, user)
    return TransportError(
        "sudo.refused",
        "sudo",
        message=f"{name}: {user} may not become root with doas: {said or 'doas gave no reason'}",
        remedy=f"install doas on {name} and write `permit nopass {user} as root` into /etc/doas.conf, "
        "or log in as root",
        final=True,
    )


def refusal(
    name: str, user: str, talk: Conversation, *, had_password: bool, escalate: str = "sudo"
) -> TransportError:
    """sudo or doas ended before the command began."""
    said = talk.complaint
    if escalate == "doas":
        return doas_refusal(name, user, said)
    if "password is required" in said or "a terminal is required" in said:
        return TransportError(
            "sudo.password",
            "sudo",
            message=f"{name}: sudo wants a password for {user}, and none was given",
            remedy="give the sudo password (`--ask-sudo-password`, or `sudo_password_env` in the "
            "manifest), or allow this user `NOPASSWD: ALL` in /etc/sudoers.d",
            final=True,
        )
    if had_password and "incorrect password" in said:
        return wrong_password(name, user)
    return TransportError(
        "sudo.refused",
        "sudo",
        message=f"{name}: {user} may not become root with sudo: {said or 'sudo gave no reason'}",
        remedy=f"install sudo on {name} and allow {user} all commands, or log in as root",
        final=True,
    )
