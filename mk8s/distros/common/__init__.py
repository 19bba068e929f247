"""What drivers of several distros need for the modes that they share. Pure, as in a driver.

    packages   RPM and deb files that the user brings        proxy      environment of the services
    placement  labels, taints, where servers run pods        datastore  a database instead of etcd
    joins      agents of a control plane that exists         meaningless  keys that say nothing to a distro

Each has `faults`, sentences ``path: message; hint`` for a driver to splice into its own rules. What is
run on a host is in `commands`, with its models in `model`. Begin reading at `packages`.
"""
