"""Default settings of pages and report, so that the same test has the same p on both."""

from __future__ import annotations

PERMUTATIONS, BOOTSTRAP, SEED = 1000, 1000, 0
PROBE_REPEATS = 10
# The published shares of labelled patients; in a small cohort the smallest are one patient per class, and one point.
LEARNING_SHARES = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
# Neighbours in the graph of a trajectory.
GRAPH_NEIGHBOURS = 15
# Each permutation of a probe repeats its whole nested cross-validation: with many classes, some tenths of a second.
PROBE_PERMUTATIONS, PROBE_PERMUTATIONS_OF_MANY, MANY_CLASSES = 200, 100, 4


def probe_permutations(n_classes: int) -> int:
    """Permutations of a probe against chance."""
    return PROBE_PERMUTATIONS_OF_MANY if n_classes >= MANY_CLASSES else PROBE_PERMUTATIONS
