"""One vector a case: what analyses of cases need of a set that holds several items of each."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SLICES_VIEW = "slices"


def one_row_a_case(frame: pd.DataFrame, vectors: NDArray[np.float32]) -> tuple[pd.DataFrame, NDArray[np.float32]]:
    """Rows and vectors `[n, width]` by case: as stored for volumes and lesions, the mean over slices for slices.

    frame: the items of one embedding set with `item_id`, `case_id` and `view`, in the order of the vectors.
    """
    if frame.empty or frame["view"].iloc[0] != SLICES_VIEW:
        return frame, vectors
    codes, cases = pd.factorize(frame["case_id"])
    sums = np.zeros((len(cases), vectors.shape[1]))
    np.add.at(sums, codes, vectors)
    means = (sums / np.bincount(codes)[:, None]).astype(np.float32)
    by_case = frame.drop_duplicates("case_id").drop(columns=["slice_index", "z_lps_mm"]).reset_index(drop=True)
    by_case["item_id"] = [f"{case}/{SLICES_VIEW}" for case in cases]
    return by_case, means
