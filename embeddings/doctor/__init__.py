"""`python -m embeddings doctor`: whether this machine can run the job, and what to do if it cannot.

Nothing is downloaded. Each check is independent: a broken library is a finding, not the end of the examination.
"""

from __future__ import annotations

from embeddings.doctor.check import Check
from embeddings.doctor.examination import examine

__all__ = ["Check", "examine"]
