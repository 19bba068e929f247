"""The engine that RKE2 and K3s share: one supervisor with agents, and what is known of its ways.

    engine     in what the two differ, as one value     values     settings as the engine reads them
    roles      which parts of a control plane there are merging    keys added to the user's text
    config     config.yaml                              files      what lies beside it
    tokens     join tokens and other secrets            faults     what a manifest asks for in vain
    commands   what is run on a node                    readiness  what the answers mean
    steps      the edges, as steps                      driver     the common part of both drivers
    model      the same behaviour for simulated hosts   world      the cluster that those make up

Nothing here may ask for an engine's name. Begin reading at `engine`, then `steps`.
"""
