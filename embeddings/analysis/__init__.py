"""Pure functions on arrays, a folder a question; results are frozen dataclasses with `to_dict()`."""

from . import verdicts
from .audit import LeftOut, ShortcutAudit, ShortcutColumn, one_quantity, shortcuts
from .compare import (
    Alignment,
    EncoderComparison,
    PairOverlap,
    SetComparison,
    SetDifference,
    SetScore,
    SetSimilarity,
    compare_sets,
)
from .display import verdict
from .estimate import Estimate
from .gradient import AxisEvidence, AxisTest, StageGradient, StageGroup, stage_gradient
from .gram import Gram
from .p_values import FALSE_DISCOVERY, Adjusted, Sides, p_bracketed, p_number, p_short, p_sides, p_text, p_words
from .probe import AucDifference, LearningPoint, OrdinalProbe, Probe, ProbeModel, StageLabel, linear_probe
from .projection import Projection, project
from .resampling import adjusted_table, benjamini_hochberg, holm, permuted_labels
from .retrieval import PROTOCOLS, Neighbours, Protocol, Retrieval, RetrievalAtK, evaluate, nearest
from .survival import AtRisk, CoxTerm, SurvivalByScore, SurvivalGroup, by_score, event_flags, follow_up_times
from .trajectory import Courses, Pseudotime, Smooth, Stability, along, along_each, pseudotime
from .trend import spearman

__all__ = [
    "FALSE_DISCOVERY",
    "PROTOCOLS",
    "Adjusted",
    "Alignment",
    "AtRisk",
    "AucDifference",
    "AxisEvidence",
    "AxisTest",
    "Courses",
    "CoxTerm",
    "EncoderComparison",
    "Estimate",
    "Gram",
    "LearningPoint",
    "LeftOut",
    "Neighbours",
    "OrdinalProbe",
    "PairOverlap",
    "Probe",
    "ProbeModel",
    "Projection",
    "Protocol",
    "Pseudotime",
    "Retrieval",
    "RetrievalAtK",
    "SetComparison",
    "SetDifference",
    "SetScore",
    "SetSimilarity",
    "ShortcutAudit",
    "ShortcutColumn",
    "Sides",
    "Smooth",
    "Stability",
    "StageGradient",
    "StageGroup",
    "StageLabel",
    "SurvivalByScore",
    "SurvivalGroup",
    "adjusted_table",
    "along",
    "along_each",
    "benjamini_hochberg",
    "by_score",
    "compare_sets",
    "evaluate",
    "event_flags",
    "follow_up_times",
    "holm",
    "linear_probe",
    "nearest",
    "one_quantity",
    "p_bracketed",
    "p_number",
    "p_short",
    "p_sides",
    "p_text",
    "p_words",
    "permuted_labels",
    "project",
    "pseudotime",
    "shortcuts",
    "spearman",
    "stage_gradient",
    "verdict",
    "verdicts",
]
