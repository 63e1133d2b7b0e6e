"""Does an axis through the vectors follow the stage, beyond chance and beyond size?"""

from .evidence import AxisEvidence, AxisTest
from .gradient import StageGradient, StageGroup, stage_gradient

__all__ = [
    "AxisEvidence",
    "AxisTest",
    "StageGradient",
    "StageGroup",
    "stage_gradient",
]
