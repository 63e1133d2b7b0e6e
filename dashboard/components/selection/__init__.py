"""The selected cases: how they are picked and listed."""
