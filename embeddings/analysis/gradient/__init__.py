"""Does an axis through the vectors follow the stage, beyond chance and beyond size?"""

from .evidence import AxisEvidence
from .gradient import StageGradient, StageGroup, stage_gradient

__all__ = [
    "AxisEvidence",
    "StageGradient",
    "StageGroup",
    "stage_gradient",
]
