"""The embedding job: plan what is missing, read, encode, commit."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from embeddings.job.planning.views import CODE_VERSION, ENGINES, VIEWS, JobError
from embeddings.job.settings import JobSettings

if TYPE_CHECKING:
    from embeddings.job.embed import run, run_views
    from embeddings.job.summary import RunSummary
else:
    _WHERE = {
        "RunSummary": "summary",
        "run": "embed",
        "run_views": "embed",
    }

    def __getattr__(name):
        # Only a job that runs needs torch, which takes seconds to import.
        if name not in _WHERE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"embeddings.job.{_WHERE[name]}"), name)


__all__ = ["CODE_VERSION", "ENGINES", "VIEWS", "JobError", "JobSettings", "RunSummary", "run", "run_views"]
