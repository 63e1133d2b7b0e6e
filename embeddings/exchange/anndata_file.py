"""A set as AnnData (.h5ad), as scanpy reads it; needs the optional library anndata."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from embeddings.exchange.description import KEY, NotOurExportError
from flexict.errors import FlexiCTError

if TYPE_CHECKING:
    import h5py
    from anndata import AnnData

MOST_NUMBERS = 2**31


class AnnDataMissing(FlexiCTError):  # noqa: N818  a state of the environment
    """anndata is not installed."""


def check_anndata() -> None:
    """Raise `AnnDataMissing` where anndata is not installed."""
    if importlib.util.find_spec("anndata") is None:
        raise AnnDataMissing("h5ad files need anndata, which is not installed: pip install -e '.[h5ad]'")


def anndata_of(
    table: pa.Table, stage_order: tuple[str, ...], description: str, umap: NDArray[np.float64] | None
) -> AnnData:
    """One set as AnnData.

    `X` holds the vectors `[n, width]` float32, `obs` every other column under the item's id, with `stage` as an
    ordered category (not ordered where a stage has no known place in the order), `obsm["X_umap"]` the map where there
    is one, `uns["flexict"]` the description of set and cohort.
    """
    check_anndata()
    import anndata

    width = len(table["vector"][0]) if table.num_rows else 0
    numbers = table["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    vectors = np.asarray(numbers, np.float32).reshape(table.num_rows, width)
    obs = table.drop_columns(["vector"]).to_pandas().set_index("item_id")
    for name in obs.columns:
        obs[name] = _storable(obs[name])
    stages = obs["stage"].astype(object)
    others = sorted(set(stages.dropna()) - set(stage_order))
    obs["stage"] = pd.Categorical(stages, categories=[*stage_order, *others], ordered=not others)
    var = pd.DataFrame(index=[f"d{number}" for number in range(width)])
    data = anndata.AnnData(X=vectors, obs=obs, var=var, uns={KEY: description})
    if umap is not None:
        data.obsm["X_umap"] = umap
    return data


def read_h5ad(path: Path) -> tuple[str, pd.DataFrame, NDArray[np.float32]]:
    """The description, `obs` with `item_id` as a column, and the vectors `[n, width]` of an exported file.

    Raises:
        AnnDataMissing: anndata is not installed.
        NotOurExportError: not HDF5, links to other files, vectors that are not dense numbers or too many, or no
            description.
    """
    check_anndata()
    import anndata
    import h5py

    try:
        with h5py.File(path, "r") as file:
            _refuse_links(path, file)
            X = file.get("X")
            dense = isinstance(X, h5py.Dataset) and X.ndim == 2 and X.dtype.kind == "f"
            if not dense or X.size > MOST_NUMBERS or X.is_virtual or X.external:
                raise NotOurExportError(f"{path.name} has no dense table of vectors in X: export it again")
            # HDF5 may claim more than the file contains, and fills the rest with zeros.
            if X.id.get_storage_size() == 0:
                raise NotOurExportError(f"{path.name} claims vectors that it does not contain: export it again")
            if KEY not in file.get("uns", {}):
                raise NotOurExportError(f"{path.name} was not exported by this program: give its table and --labels")
        data = anndata.read_h5ad(path)
    except NotOurExportError:
        raise
    except (OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
        # h5py and anndata raise these on damaged files.
        raise NotOurExportError(f"{path.name} is not a readable h5ad file: export it again") from error
    obs = data.obs.copy()
    obs.insert(0, "item_id", obs.index.astype(str))
    return str(data.uns[KEY]), obs.reset_index(drop=True), np.asarray(data.X, np.float32)


def _refuse_links(path: Path, group: h5py.Group) -> None:
    import h5py

    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.ExternalLink | h5py.SoftLink):
            raise NotOurExportError(f"{path.name} links to other data ({name}): export it again")
        if isinstance(group[name], h5py.Group):
            _refuse_links(path, group[name])


def _storable(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column in a type that HDF5 supports: text as categories, times as text, an empty column as NaN."""
    if column.isna().all():
        return pd.Series(np.nan, index=column.index, dtype=float)
    if pd.api.types.is_datetime64_any_dtype(column):
        column = column.map(lambda moment: None if pd.isna(moment) else moment.isoformat())
    if column.dtype == object and not column.dropna().map(lambda value: isinstance(value, bool)).all():
        return column.astype("category")
    if column.dtype == object:
        return column.astype("boolean")
    return column
