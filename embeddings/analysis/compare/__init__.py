"""Which of several embedding sets of one cohort performs better, and are the same cases similar in them?"""

from .compare import EncoderComparison, compare_sets
from .neighbourhoods import PairOverlap
from .paired import SetDifference
from .results import SetComparison, SetScore
from .similarity import Alignment, SetSimilarity

__all__ = [
    "Alignment",
    "EncoderComparison",
    "PairOverlap",
    "SetComparison",
    "SetDifference",
    "SetScore",
    "SetSimilarity",
    "compare_sets",
]
