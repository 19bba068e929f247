"""Questions to a Kubernetes cluster, and how its answers are judged: what every distro asks in the same way.

- `commands`: what is run on a server, with the `Tools` that its distro names
- `judges`: what the answers mean, as verdicts with evidence
- `views`: how the answers are read
- `conditions`: builders of the named conditions that `mk8s health` shows
- `world`, `model`: the modelled cluster that simulated hosts of upstream distros make up together

It knows no distro, no transport that is open and no clock.
"""
