"""Lesion masks of every format, on the grid of their CT."""
