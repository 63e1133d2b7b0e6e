"""What does a linear model read from the vectors?"""

from .labels import StageLabel
from .learning import LearningPoint
from .ordinal import OrdinalProbe
from .probe import AucDifference, Probe, ProbeModel, linear_probe

__all__ = [
    "AucDifference",
    "LearningPoint",
    "OrdinalProbe",
    "Probe",
    "ProbeModel",
    "StageLabel",
    "linear_probe",
]
