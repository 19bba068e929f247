"""Secrets in foreign words, known by their form, so that nobody has to remember each. Pure.

Known forms: RKE2's and K3s' full tokens, bootstrap tokens, k0s' join tokens (a kubeconfig in gzip and
base64), passwords in the addresses of databases and proxies, values of flags and settings that are called
token or password, bearer and basic credentials, private keys and other PEM blocks. Rather too much is taken
out than too little. What is secret without looking so is known to `mk8s.secrets` alone.
"""

from __future__ import annotations

import re

from mk8s.private_keys import HIDDEN, without_keys

__all__ = ["HIDDEN", "without_secrets"]

WORD = r"[^\s\"'\\,;&]"  # of a value: up to the end of what may be quoted

OF_K3S = r"K10[0-9a-f]{64}::[^\s\"'\\]++"
OF_KUBEADM = r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b"
OF_K0S = r"\bH4sI[A-Za-z0-9+/_-]{40,}+={0,2}"  # the base64 of how every gzip begins
PEM = r"-----BEGIN [A-Z0-9 ]{1,40}-----[A-Za-z0-9+/=\s\\]*+(?:-----END [A-Z0-9 ]{1,40}-----)?"
WHOLE = re.compile("|".join((OF_K3S, OF_KUBEADM, OF_K0S, PEM)))

# In each of these the first group stays.
IN_ADDRESS = re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"']{0,64}:)[^\s/\"']{1,256}(?=@)", re.I)
IN_MYSQL = re.compile(r"(\b[^\s/:@\"'=]{1,64}:)[^\s\"']{1,256}(?=@(?:tcp|unix)\()")
AUTHORIZATION = re.compile(r"(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/-]{8,}=*", re.IGNORECASE)
NAME = r"(?:[a-z0-9]{1,30}[-_]){0,4}(?:token|password|passwd|passphrase|secret[-_]?key|access[-_]?key)"
SETTING = re.compile(rf"(\b{NAME}=\\*[\"']?){WORD}++", re.IGNORECASE)
QUOTED = re.compile(rf"(\"{NAME}\\*\"\s*:\s*\\*\"){WORD}++", re.IGNORECASE)
FLAG = re.compile(rf"(--{NAME}\s+\\*[\"']?){WORD}++")


def without_secrets(text: str) -> str:
    """The text with ``***`` in place of whatever looks like a secret. A path of a file is none."""
    text = WHOLE.sub(HIDDEN, without_keys(text))
    for pattern in (IN_ADDRESS, IN_MYSQL, AUTHORIZATION, SETTING, QUOTED, FLAG):
        text = pattern.sub(rf"\g<1>{HIDDEN}", text)
    return text
