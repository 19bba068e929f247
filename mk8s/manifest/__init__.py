"""The manifest: from a file that a person wrote to a `Cluster`, or to everything that is wrong with it.

    schema     the structs, and the JSON schema      values     what a single value must look like
    source     a document with its text              checking   how the parts must fit together
    versions   releases, distro by distro            fitting    the same for addresses and networks
    networks   single values of networks             resolving  names, roles, logins, order: a Cluster
    configs    the distro's own config, kept         reading    files: the manifest, and what it names

Only `reading` touches a file. Nobody outside needs more than these names.
"""

from mk8s.manifest.reading import LoadedCluster, load_cluster, load_cluster_text

__all__ = ["LoadedCluster", "load_cluster", "load_cluster_text"]
