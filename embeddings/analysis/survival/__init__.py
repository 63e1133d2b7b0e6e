"""Is a score associated with survival?"""

from .cox import CoxTerm
from .kaplan_meier import AtRisk, SurvivalGroup
from .outcomes import event_flags, follow_up_times
from .survival import SurvivalByScore, by_score

__all__ = [
    "AtRisk",
    "CoxTerm",
    "SurvivalByScore",
    "SurvivalGroup",
    "by_score",
    "event_flags",
    "follow_up_times",
]
