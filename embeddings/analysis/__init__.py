"""Pure functions on arrays, one method a file; results are frozen dataclasses with `to_dict()`."""

from .gradient import AxisEvidence, StageGradient, StageGroup, stage_gradient
from .probe import AucDifference, Estimate, Probe, ProbeModel, linear_probe
from .projection import Projection, project
from .retrieval import Neighbours, Retrieval, RetrievalAtK, evaluate, nearest
from .trajectory import Pseudotime, Stability, pseudotime

__all__ = [
    "AucDifference",
    "AxisEvidence",
    "Estimate",
    "Neighbours",
    "Probe",
    "ProbeModel",
    "Projection",
    "Pseudotime",
    "Retrieval",
    "RetrievalAtK",
    "Stability",
    "StageGradient",
    "StageGroup",
    "evaluate",
    "linear_probe",
    "nearest",
    "project",
    "pseudotime",
    "stage_gradient",
]
