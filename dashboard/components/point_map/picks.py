"""A selection made on the map, as rows of the items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.components.point_map.layers import Layer
from dashboard.session.selection import inside
from flexict.errors import FlexiCTError

ORIGINS = {
    "lasso": "lasso on the map",
    "box": "box on the map",
    "item": "click on the map",
    "group": "legend of the map",
}


def rows_of(picked: Mapping[str, Any], layer: Layer) -> tuple[NDArray[np.bool_], str]:
    """The items `[n]` in a drawn shape, with one id, or in one group of the legend; and how they were selected.

    A shape selects every item in it, also where the map shows a density.
    Raises FlexiCTError on a selection that cannot be read: a browser sent it.
    """
    kind = str(picked.get("kind"))
    if kind == "item":
        return np.asarray(layer.item_ids == str(picked.get("item"))), ORIGINS[kind]
    if kind == "group":
        names = [group["name"] for group in layer.inks.groups]
        if picked.get("group") not in names:
            raise FlexiCTError(f"the legend has no group {picked.get('group')!r}")
        return layer.inks.codes == names.index(str(picked["group"])), ORIGINS[kind]
    if kind in ("lasso", "box"):
        return inside(layer.coordinates, picked.get("polygon") or ()), ORIGINS[kind]
    raise FlexiCTError(f"there is no kind of selection called {kind!r}")
