"""Small axial pictures of the embedded items."""

from __future__ import annotations

import io
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from embeddings.records import Thumbnail
from flexict.presets.preprocess import in_lps_order
from flexict.volume import Volume

# Pillow loads its file formats on first use; that must not happen in several reading threads.
Image.preinit()
SIDE = 128
# Centre and width in HU.
WINDOWS = {"lung": (-600.0, 1500.0), "soft tissue": (40.0, 400.0)}
LUNG_HU = (-950.0, -600.0)
LEAST_LUNG = 0.1


class Painter:
    """Draws axial slices of one volume, patient's left on the right and anterior at the top.

    Slice indices are those of the volume reoriented to LPS, as in the preset `slice`.
    """

    def __init__(self, volume: Volume) -> None:
        self._volume = volume

    @cached_property
    def _lps(self) -> Volume:
        return in_lps_order(self._volume)

    def middle(self) -> Thumbnail:
        """The whole axial slice at half height."""
        return self.axial(self._lps.shape[0] // 2)

    def axial(self, index: int) -> Thumbnail:
        """One whole axial slice."""
        _, y, x = self._lps.shape
        return self._draw(index, ((y - 1) / 2, (x - 1) / 2), self._extent_mm())

    def around(self, lps: tuple[float, float, float], side_mm: float) -> Thumbnail:
        """A square of `side_mm`, at most the whole slice, around a point in LPS mm."""
        z, y, x = np.clip(self._lps.index_of(lps), 0, np.array(self._lps.shape) - 1)
        # Half way between two slices the upper one is drawn, as in the viewer.
        return self._draw(int(np.floor(round(z, 6) + 0.5)), (float(y), float(x)), min(side_mm, self._extent_mm()))

    def _extent_mm(self) -> float:
        _, y, x = self._lps.shape
        return float(max(x * self._lps.spacing[0], y * self._lps.spacing[1]))

    def _draw(self, index: int, centre_yx: tuple[float, float], side_mm: float) -> Thumbnail:
        grey = self._lps.array[index].astype(np.float32)
        sx, sy, _ = self._lps.spacing
        box = (
            centre_yx[1] + 0.5 - side_mm / sx / 2,
            centre_yx[0] + 0.5 - side_mm / sy / 2,
            centre_yx[1] + 0.5 + side_mm / sx / 2,
            centre_yx[0] + 0.5 + side_mm / sy / 2,
        )
        shown, inside = _cut(grey, box)
        name = _window_of(shown)
        centre, width = WINDOWS[name]
        levels = np.clip((shown - (centre - width / 2)) / width, 0, 1)
        scale = SIDE / side_mm
        size = (max(1, round(shown.shape[1] * sx * scale)), max(1, round(shown.shape[0] * sy * scale)))
        small = Image.fromarray(np.round(levels * 255).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
        canvas = Image.new("L", (SIDE, SIDE))
        canvas.paste(small, (round((inside[0] - box[0]) * sx * scale), round((inside[1] - box[1]) * sy * scale)))
        png = io.BytesIO()
        canvas.save(png, "PNG")
        height = float(self._lps.lps_of((float(index), *centre_yx))[2])
        return Thumbnail(png.getvalue(), name, side_mm / SIDE, height)


def _cut(
    grey: NDArray[np.float32], box: tuple[float, float, float, float]
) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """The part of the slice in a box (left, top, right, bottom), and the column and row where it begins."""
    rows, columns = grey.shape
    left, top = max(0, int(np.floor(box[0]))), max(0, int(np.floor(box[1])))
    right, bottom = min(columns, int(np.ceil(box[2]))), min(rows, int(np.ceil(box[3])))
    return grey[top:bottom, left:right], (left, top)


def _window_of(hu: NDArray[np.float32]) -> str:
    lung = np.mean((hu >= LUNG_HU[0]) & (hu <= LUNG_HU[1]))
    return "lung" if lung >= LEAST_LUNG else "soft tissue"
