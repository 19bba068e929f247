"""Why nodes are where they are: `mk8s explain`. From the journal and the table; no node is asked.

`values` says what an answer is, `scene` holds what is known and when now is, `reasons` finds one node's
reason, `chains` follows reasons to their roots, `text` and `data` tell them, `edges` shows what an edge does
on a node, and `now` reads the files for all of them. Begin reading at `reasons.Reasons.of`.
"""
