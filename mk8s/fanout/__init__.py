"""Nodes hand large files on to each other, so that a slow link from here carries each byte about once.

mk8s decides and watches; a node that needs pieces fetches them over ssh from one that has them, with a
key that lives for one run and can do nothing else. Nothing is installed: sshd, sh and coreutils do it.

- `plan` foretells whether it is worth it, `shares` decides who gets what from whom: both pure.
- `keys` makes the key, `commands` are what nodes are told, `model` is the same on simulated hosts.
- `courier` does it: a `mk8s.delivery.Delivery` around the one that sends from here. Begin reading there.
- `places` remembers where keys may be, so that the next run removes what this one could not.
"""
