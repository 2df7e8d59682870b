"""The ways into the simulator: ``core`` routes a call, ``app`` and ``server`` put that on a socket."""
