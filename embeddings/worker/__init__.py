"""An analysis in a process of its own: what it is asked for, how it answers."""
