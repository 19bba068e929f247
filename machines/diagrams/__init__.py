"""A machine, and a recorded run of it, as pictures: mermaid, dot, plantuml and svg. Pure text.

`picture` reads the compiled table once, and says what is to be drawn; each format draws just that.
`taken` counts what a run did in the table's own terms; `sequence` tells a run as messages in time.

Laws: everything that stands in a picture comes from the rows that run, so it cannot lie; whatever a
document or a node says is escaped by the format that writes it. Begin reading at `picture`.
"""
