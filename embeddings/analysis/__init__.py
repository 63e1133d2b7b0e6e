"""Pure functions on arrays, one method a file; results are frozen dataclasses with `to_dict()`."""

from .audit import ShortcutAudit, shortcuts
from .cox import CoxTerm
from .estimate import Estimate
from .evidence import AxisEvidence
from .gradient import StageGradient, StageGroup, stage_gradient
from .gram import Gram
from .kaplan_meier import AtRisk, SurvivalGroup
from .learning import LearningPoint
from .ordinal import OrdinalProbe
from .outcomes import event_flags, follow_up_times
from .probe import AucDifference, Probe, ProbeModel, linear_probe
from .projection import Projection, project
from .retrieval import Neighbours, Retrieval, RetrievalAtK, evaluate, nearest
from .shortcut import LeftOut, ShortcutColumn
from .smooth import Courses, Smooth, along, along_each
from .stability import Stability
from .survival import SurvivalByScore, by_score
from .trajectory import Pseudotime, pseudotime

__all__ = [
    "AtRisk",
    "AucDifference",
    "AxisEvidence",
    "Courses",
    "CoxTerm",
    "Estimate",
    "Gram",
    "LearningPoint",
    "LeftOut",
    "Neighbours",
    "OrdinalProbe",
    "Probe",
    "ProbeModel",
    "Projection",
    "Pseudotime",
    "Retrieval",
    "RetrievalAtK",
    "ShortcutAudit",
    "ShortcutColumn",
    "Smooth",
    "Stability",
    "StageGradient",
    "StageGroup",
    "SurvivalByScore",
    "SurvivalGroup",
    "along",
    "along_each",
    "by_score",
    "evaluate",
    "event_flags",
    "follow_up_times",
    "linear_probe",
    "nearest",
    "project",
    "pseudotime",
    "shortcuts",
    "stage_gradient",
]
