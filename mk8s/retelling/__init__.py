"""What happened, told again: `mk8s journal` and `mk8s replay`.

`selecting` says which records, `following` reads a journal that grows, `lines` mixes in the steps of the
transcript, `frames` shows all nodes as of a moment, and `playing` goes from moment to moment. None of them
writes anything. Begin reading at `selecting.Selection`.
"""
