"""What leads from the cluster's endpoint to its servers, and how it gets onto them. Pure: drivers call it.

    names       by which address and ports it is reached        faults    what a manifest asks for in vain
    kube_vip    a virtual address held by pods                   keepalived  the same by programs of the host
    host        the steps that put it on a server                 model       the same for simulated hosts

Begin reading at `names`.
"""

from mk8s.endpoints.names import address, in_url, names, port, registration_url

__all__ = ["address", "in_url", "names", "port", "registration_url"]
