"""`python -m embeddings doctor`: whether this machine can do the work, and what to do where it cannot.

Nothing is downloaded. Every check is made for itself: a broken library is a finding, not the end of the examination.
"""

from __future__ import annotations

from embeddings.doctor.check import Check
from embeddings.doctor.examination import examine

__all__ = ["Check", "examine"]
