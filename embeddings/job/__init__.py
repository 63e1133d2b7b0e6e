"""The embedding job: plan what is missing, read, encode, commit."""

from embeddings.job.embed import RunSummary, run
from embeddings.job.views import CODE_VERSION, VIEWS, JobError

__all__ = ["CODE_VERSION", "VIEWS", "JobError", "RunSummary", "run"]
