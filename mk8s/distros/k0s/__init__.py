"""k0s: one program for controllers and workers, with tokens made at the moment of use.

    roles      what a node is to k0s, and where its files lie      versions   what began with which release
    config     the ClusterConfig and what is added to it           merging    keys added to the user's text
    arguments  the words of `k0s install`                          tokens     join tokens
    artifacts  the files of a release                              installing what stands before the start
    commands   what is sent to nodes                               steps      the steps of each edge
    readiness  what answers mean                                   questions  what is asked of a node
    faults     what a manifest asks for in vain                    foreign    other distros' keys
    model      the commands for simulated hosts                    world      the cluster that they make up
    driver     all of it, as a `Distro`

Begin reading at `steps`.
"""

from mk8s.distros.k0s.driver import DISTRO

__all__ = ["DISTRO"]
