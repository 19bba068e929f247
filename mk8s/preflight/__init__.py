"""Preflight: named checks that find trouble before any node is changed, told all together.

Laws:

1. Nothing is changed on a node: one read-only command each, all nodes at once.
2. A check is one small pure function with a name, a title and a reason; `checks` holds them all.
3. A node that cannot be asked has failed no check. It is told as *not asked*.
4. What a check did not see it does not judge: an absent answer is never taken for a bad one.

Begin reading at `base`; `gathering` asks, `reading` reads, `hosts`, `together` and `releases` hold the
checks, `run` does it.
"""
