"""The embedding job: plan what is missing, read, encode, commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embeddings.job.views import CODE_VERSION, VIEWS, JobError

if TYPE_CHECKING:
    from embeddings.job.embed import RunSummary, run
else:

    def __getattr__(name):
        # Only a job that runs needs torch, which takes seconds to import.
        if name not in ("RunSummary", "run"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from embeddings.job import embed

        return getattr(embed, name)


__all__ = ["CODE_VERSION", "VIEWS", "JobError", "RunSummary", "run"]
