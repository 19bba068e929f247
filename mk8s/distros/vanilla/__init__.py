"""The vanilla driver: bare upstream binaries, keys of our own and systemd units: the hard way, done by mk8s.

    versions      what began or ended with which release    settings   what the user may change
    pki           keys and certificates, and where they lie  flags      each component's flags
    configs       their configuration files                  units      their systemd units
    addons        what goes in through the API               files      all of these, as steps
    artifacts     the files of a release                     faults     what a manifest asks for in vain
    requirements  what a bare host must offer                commands   what is run on a node
    steps         the edges, as steps                        services   how simulated units live
    model         the same behaviour for simulated hosts

Begin reading at `driver`, then `steps`. What kubeadm needs as well is in `mk8s.distros.upstream`.
"""

from mk8s.distros.vanilla.driver import DISTRO, Vanilla

__all__ = ["DISTRO", "Vanilla"]
