"""A cohort file as notebooks use it: tables as DataFrames, vectors as arrays, by the ids of cases and sets."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from embeddings.disclosure import figure_footer
from embeddings.exchange.export import as_anndata, export
from embeddings.formatting import counted
from embeddings.records import CohortInfo
from embeddings.store.store import Store, StoreError

if TYPE_CHECKING:
    from anndata import AnnData


class Cohort:
    """An embedded cohort, opened to be read. Every call reads the file anew, so a running job is seen.

    Args:
        path: the `.duckdb` file.

    Raises:
        StoreError: there is no such file, or it is not a cohort file.

    Example:
        >>> from tempfile import mkdtemp
        >>> import embeddings as emb
        >>> folder = Path(mkdtemp())
        >>> csv = emb.write_demo_cohort(folder, n_patients=6, spacing_mm=6.0)
        >>> summary = emb.embed(csv, folder / "cohort.duckdb", encoder="flexict-nano", view="lesion")
        >>> cohort = emb.open(folder / "cohort.duckdb")
        >>> len(cohort.vectors()) == len(cohort.items())
        True
        >>> cohort.footer()[:30]
        'Simulated demonstration cohort'
    """

    def __init__(self, path: Path | str) -> None:
        self.store = Store(path)
        self.info  # noqa: B018  a file that is no cohort is refused here and not later

    @property
    def info(self) -> CohortInfo:
        """Name, numbers of cases and patients, stage order, and whether the cohort is simulated."""
        return self.store.info()

    @property
    def cases(self) -> pd.DataFrame:
        """One row a case in the order of the CSV, with its columns; paths are absolute."""
        return self.store.cases()

    @property
    def sets(self) -> pd.DataFrame:
        """One row an embedding set, oldest first: encoder, preset, numbers of items and cases."""
        return self.store.sets()

    @property
    def failures(self) -> pd.DataFrame:
        """Which cases have no vector, and why."""
        return self.store.failures()

    def items(self, set_id: str | None = None) -> pd.DataFrame:
        """One row an item of a set, in the order of `vectors`: its case's columns, and sizes in ml and mm.

        set_id: may be left out where the file holds one set.

        Raises:
            StoreError: no such set, or none is named and there are several.
        """
        return self.store.described_items(self._set(set_id))

    def vectors(self, set_id: str | None = None) -> NDArray[np.float32]:
        """The vectors `[n, width]` float32 of a set, in the order of `items`. Raises what `items` raises."""
        return self.store.vectors(self._set(set_id))[1]

    def to_anndata(self, set_id: str | None = None) -> AnnData:
        """A set as AnnData, with its UMAP in `obsm["X_umap"]`. Raises what `items` and `as_anndata` raise."""
        return as_anndata(self.store, self._set(set_id))

    def footer(self, set_id: str | None = None) -> str | None:
        """What a figure of a set must say: that the cohort is simulated, or the encoder not the published one."""
        chosen = self._set(set_id)
        sets = self.sets
        return figure_footer(self.info, sets[sets["set_id"] == chosen].iloc[0])

    def search(self, sentence: str, set_id: str | None = None, text_folder: Path | str | None = None) -> pd.DataFrame:
        """The items of a set, most similar to a sentence first, with a column `similarity`.

        set_id: of an encoder that was aligned with reports; by default the largest such set of the file.

        Raises:
            TextSearchError: the file has no such set, or the tower has other weights.
            flexict.CheckpointError: the files of the text tower are absent or damaged.
        """
        from embeddings.text_search import open_tower, search  # needs torch, which takes seconds to import

        tower, chosen = open_tower(self.store, set_id, text_folder=text_folder)
        return search(self.store, sentence, tower, chosen)

    def export(self, out: Path | str, set_id: str | None = None) -> int:
        """Write a set, or all, as .parquet, .csv or .h5ad by the ending of `out`; returns the number of rows.

        Raises:
            ExportError: another ending, nothing to export, or a place that cannot be written.
        """
        return export(self.store, Path(out), Path(out).suffix.removeprefix(".").lower(), set_id)

    def _set(self, set_id: str | None) -> str:
        known = self.sets["set_id"].tolist()
        if set_id is None and len(known) == 1:
            return str(known[0])
        if set_id not in known:
            which = "say which embedding set" if set_id is None else f"there is no embedding set {set_id!r}"
            raise StoreError(f"{self.store.path}: {which}; it holds {', '.join(known) or 'none yet'}")
        return str(set_id)

    def _repr_html_(self) -> str:
        info = self.info
        said = f"{info.name}: {counted(info.n_cases, 'case')} of {counted(info.n_patients, 'patient')}"
        notice = " Simulated: not patient data." if info.simulated else ""
        shown = self.sets[["set_id", "encoder", "view", "preset", "n_cases", "n_items"]]
        return f"<div><p>{escape(said)}.{notice}</p>{shown.to_html(index=False)}</div>"
