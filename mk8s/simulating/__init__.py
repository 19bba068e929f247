"""Simulation as a verb: scenarios, many seeds, a beginning from a real journal, shrinking, and the summary.

    selecting   words for nodes: `server[1]`             trial      one seed, as a small value
    scenario    scenario files, read strictly            pool       many seeds on all cores
    striking    faults that meet an operation            tally      what many seeds came to
    happenings  what happens at a moment                 words      the same for people
    beginning   hosts as a real journal left them        shrinking  the fewest faults and nodes that fail

`mk8s.rehearsal` is one run; this package says under which conditions, how often, and what it means.
"""
