"""Whether voxels can be HU, and which value is padding outside the field of view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embeddings.formatting import counted
from flexict.volume import Volume

AIR_HU = -1024  # the lowest value of a 12-bit CT; anything below is padding outside the field of view
HIGHEST_CT_NUMBER = 3071  # of a 12-bit CT
LOWEST_PLAUSIBLE_HU, HIGHEST_PLAUSIBLE_HU = -1100.0, 20_000.0  # air with noise; metal on an extended scale


def padding_value(array: NDArray[np.generic]) -> float | None:
    """The single value below plausible HU that surrounds a CT `[z, y, x]`; None where there is none, or several."""
    lowest = array.min()
    if lowest >= LOWEST_PLAUSIBLE_HU:
        return None
    faces = (array[0], array[-1], array[:, 0], array[:, -1], array[:, :, 0], array[:, :, -1])
    if not any(bool((face == lowest).any()) for face in faces):
        return None
    others = np.less(array, LOWEST_PLAUSIBLE_HU) & (array != lowest)
    return None if bool(others.any()) else float(lowest)


def plausibility(volume: Volume) -> str | None:
    """A warning where voxels of a CT, as its file stores them, cannot be HU; None otherwise.

    Padding of one value is accepted. So are cropped and limb CTs: each has some voxel below 0 HU.
    """
    array = volume.array
    padding = padding_value(array)
    lowest = float(array.min()) if padding is None else float(AIR_HU)
    highest = float(array.max())
    values = f"its values run from {lowest:g} to {highest:g}"
    if highest - lowest <= 10:
        return f"{values}, as in an image scaled for display: give the CT in HU"
    if lowest >= 0 and highest <= 255:
        return f"{values}, as in an 8-bit picture: give the CT in HU"
    if lowest >= 0:
        return f"{values}, with nothing below water: the CT may lack its intercept of -1024; give it in HU"
    if highest > HIGHEST_PLAUSIBLE_HU:
        voxels = counted(int(np.greater(array, HIGHEST_PLAUSIBLE_HU).sum()), "voxel")
        return (
            f"{values}, with {voxels} above {HIGHEST_PLAUSIBLE_HU:,.0f} HU, denser than any metal in CT: they may "
            "be padding that the file does not declare; give the CT in HU"
        )
    if highest < -500:
        return f"{values}, only air: check that it is the CT of a patient"
    if lowest < LOWEST_PLAUSIBLE_HU:
        voxels = counted(int(np.less(array, LOWEST_PLAUSIBLE_HU).sum()), "voxel")
        return (
            f"{values}, with {voxels} below {LOWEST_PLAUSIBLE_HU:,.0f} HU, less dense than air: they are embedded "
            f"as {AIR_HU}; check slope and intercept"
        )
    return None
