"""The files that a cluster is made of: which there are, where they come from, and how they get here.

What there is        catalogue, words         the list of one cluster's files, and how it is told
                     image_list               images that the release must carry
                     checksums, hashes        upstream's files of hashes; what each file must hash to
Where it comes from  sources, egress          URLs with mirrors over them; which of them may be used
                     places, references       the same for images and registries
How it gets here     obtaining, download      a whole release, put together for one run
                     fetch, answers, local    one file; what an answer says of it; file:// URLs
                     web, fault               one request, and what can go wrong
                     cache, filing            files by their content, and files on their way
                     origins                  as which URL each file was fetched
                     progress, outcomes       what people are told
Images               registry, manifests, challenge, logins   a strict client of registries
                     image_download, image_archive            from a list of names to one archive
What lies here       missing, checking        which files are not here; whether those that are are whole

Nothing here reaches a node. Begin reading at `catalogue`, then `obtaining`.
"""
