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
from .gradient import AxisEvidence, StageGradient, StageGroup, stage_gradient
from .gram import Gram
from .p_values import FALSE_DISCOVERY, Adjusted, Sides, p_bracketed, p_number, p_short, p_text, p_words
from .probe import AucDifference, LearningPoint, OrdinalProbe, Probe, ProbeModel, StageLabel, linear_probe
from .projection import Projection, project
from .retrieval import PROTOCOLS, Neighbours, Protocol, Retrieval, RetrievalAtK, evaluate, nearest
from .survival import AtRisk, CoxTerm, SurvivalByScore, SurvivalGroup, by_score, event_flags, follow_up_times
from .trajectory import Courses, Pseudotime, Smooth, Stability, along, along_each, pseudotime

__all__ = [
    "FALSE_DISCOVERY",
    "PROTOCOLS",
    "Adjusted",
    "Alignment",
    "AtRisk",
    "AucDifference",
    "AxisEvidence",
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
    "along",
    "along_each",
    "by_score",
    "compare_sets",
    "evaluate",
    "event_flags",
    "follow_up_times",
    "linear_probe",
    "nearest",
    "one_quantity",
    "p_bracketed",
    "p_number",
    "p_short",
    "p_text",
    "p_words",
    "project",
    "pseudotime",
    "shortcuts",
    "stage_gradient",
    "verdict",
    "verdicts",
]
