"""A cohort of CTs -> vectors -> findings, for notebooks and scripts: `import embeddings as emb`.

    emb.read_cohort("cohort.csv")                          # every row checked
    emb.embed("cohort.csv", "cohort.duckdb", encoder="flexict-nano", view="lesion")
    cohort = emb.open("cohort.duckdb")                     # .cases, .sets, .items(), .vectors(), .search() ...
    emb.analysis.stage_gradient(cohort.vectors(), codes)   # shows its verdict and its numbers

Names are imported when they are first used: the command line needs no statistics, and the analyses no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embeddings import analysis
    from embeddings.cohort.read import read_cohort
    from embeddings.cohort.stages import stage_codes
    from embeddings.demo import write_demo_cohort
    from embeddings.exchange.import_vectors import import_vectors
    from embeddings.job.embed import run as embed
    from embeddings.open_cohort import Cohort
    from embeddings.open_cohort import Cohort as open
else:
    _MODULES = {
        "Cohort": ("embeddings.open_cohort", "Cohort"),
        "analysis": ("embeddings.analysis", None),
        "embed": ("embeddings.job.embed", "run"),
        "import_vectors": ("embeddings.exchange.import_vectors", "import_vectors"),
        "open": ("embeddings.open_cohort", "Cohort"),
        "read_cohort": ("embeddings.cohort.read", "read_cohort"),
        "stage_codes": ("embeddings.cohort.stages", "stage_codes"),
        "write_demo_cohort": ("embeddings.demo", "write_demo_cohort"),
    }

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        module, attribute = _MODULES[name]
        found = import_module(module)
        value = found if attribute is None else getattr(found, attribute)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *__all__})


__all__ = [
    "Cohort",
    "analysis",
    "embed",
    "import_vectors",
    "open",
    "read_cohort",
    "stage_codes",
    "write_demo_cohort",
]
