"""What leads from the cluster's endpoint to its servers, and how it gets onto them. Pure: drivers call it.

    names       by which address and ports it is reached      faults       what a manifest asks for in vain
    kube_vip    pods that hold the address                    keepalived   programs of the host that hold it
    haproxy     what leads on from there to all servers       host         the steps that put it on a server
    commands    what is run on a server                       model        the same for simulated hosts

Law: the first server never waits for an address that it is going to hold itself; those that join may.
Begin reading at `names`, then `host`.
"""

from mk8s.endpoints.faults import faults
from mk8s.endpoints.host import images, install, listens, manifests, openings, programs, refresh
from mk8s.endpoints.keepalived import needs
from mk8s.endpoints.names import address, in_url, names, port, registration_url

__all__ = [
    "address",
    "faults",
    "images",
    "in_url",
    "install",
    "listens",
    "manifests",
    "names",
    "needs",
    "openings",
    "port",
    "programs",
    "refresh",
    "registration_url",
]
