"""Where the work runs: threads on this machine, or a Ray cluster."""
