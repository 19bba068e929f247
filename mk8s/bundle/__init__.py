"""A bundle: one file that carries all of a cluster's release over a gap where no cable goes.

    index      what is in it: the signed list     reading    the strict, streaming reader
    tar        headers, exactly                   unpacking  from a bundle to a folder, resumable
    writing    a bundle, bytes always the same    splitting  chunks for media, and back
    making     from a manifest to a bundle        delta      only what differs from another bundle
    signing    by ssh-keygen                      runtime, bom, template: mk8s itself, the bill of
                                                  materials, the manifest without its secrets

Begin reading at `index`. Nothing here touches a node or the network.
"""
