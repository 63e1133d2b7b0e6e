"""Is there a course through the vectors, and what changes along it?"""

from .smooth import Courses, Smooth, along, along_each
from .stability import Stability
from .trajectory import Pseudotime, pseudotime

__all__ = [
    "Courses",
    "Pseudotime",
    "Smooth",
    "Stability",
    "along",
    "along_each",
    "pseudotime",
]
