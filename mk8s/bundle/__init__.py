"""A bundle: one file that carries all of a cluster's release over a gap where no cable goes.

    the form     index: the signed list; tar: headers, exactly; head: what stands before the members
    making       making: from a manifest to a bundle; contents: what goes in; writing: the same bytes always
    what is in   runtime: mk8s itself (needed, installed, itself, target, wheels); bom: the bill of materials;
                 template: the manifest without its secrets
    reading      opening: a file or its chunks; reading: strict, streaming; describing: for people
    unpacking    unpacking: verified before it is put in place; placing: the folder; folders: verified again
    others       signing: by ssh-keygen; splitting: chunks for media; delta and bases: only what differs;
                 files: whole or not at all; progress

Begin reading at `index`. Nothing here touches a node or the network.
"""
