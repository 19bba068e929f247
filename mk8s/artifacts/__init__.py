"""The files that a cluster is made of: which there are, where they come from, and how they get here.

    checksums  upstream's files of hashes, in every form    catalogue  the list of one cluster's files
    words      that list for people and for programs

Nothing here reaches a node. Begin reading at `catalogue`.
"""
