"""A CT slice as a picture: window, mask outline, millimetre scale and orientation letters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from flexict import Volume

# Okabe-Ito orange: visible on grey in every window, and told apart from it without colour vision by its brightness.
OUTLINE = (230, 159, 0)
INK = (255, 255, 255)
# Three pictures in a row show at some 60 % of this.
EDGE_PX = 420
FONT_PX = 20
SCALE_BARS_MM = (5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Window:
    """Width and level of the grey scale in HU."""

    width: float
    level: float


WINDOWS: dict[str, Window] = {
    "Lung": Window(1500, -600),
    "Soft tissue": Window(400, 40),
    "Bone": Window(1800, 400),
    "Brain": Window(80, 40),
    "Liver": Window(150, 60),
}


def in_lps(volume: Volume) -> Volume:
    """The volume with its axes turned to LPS, so that rows run to posterior and columns to the patient's left."""
    return Volume.from_sitk(sitk.DICOMOrient(volume.to_sitk(), "LPS"))


def grey(slice_hu: NDArray[np.generic], window: Window) -> NDArray[np.uint8]:
    """8-bit grey of a slice `[y, x]` in HU."""
    low = window.level - window.width / 2
    scaled = (slice_hu.astype(np.float32) - low) / window.width
    return np.asarray(np.clip(scaled, 0, 1) * 255, dtype=np.uint8)


def axial_picture(
    volume: Volume,
    index: int,
    window: Window,
    mask: Volume | None = None,
    edge_px: int = EDGE_PX,
) -> Image.Image:
    """An axial slice of an LPS volume, seen from the feet: patient's right on the left, anterior at the top.

    Args:
        volume: CT in LPS orientation.
        index: slice along z.
        mask: lesion on the same grid, drawn as an outline.
        edge_px: longer side of the picture.
    """
    dx, dy, _ = volume.spacing
    rows, cols = volume.shape[1:]
    pixels_per_mm = edge_px / max(rows * dy, cols * dx)
    size = (max(1, round(cols * dx * pixels_per_mm)), max(1, round(rows * dy * pixels_per_mm)))
    picture = Image.fromarray(grey(volume.array[index], window)).resize(size, Image.Resampling.BILINEAR).convert("RGB")
    if mask is not None and np.any(mask.array[index]):
        lesion = Image.fromarray((np.asarray(mask.array[index]) > 0).astype(np.uint8) * 255)
        inside = np.asarray(lesion.resize(size, Image.Resampling.BILINEAR)) > 127
        edge = ndimage.binary_dilation(inside, iterations=3) & ~inside
        pixels = np.array(picture)
        pixels[edge] = OUTLINE
        picture = Image.fromarray(pixels)
    _annotate(picture, pixels_per_mm)
    return picture


def _annotate(picture: Image.Image, pixels_per_mm: float) -> None:
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=FONT_PX)
    width, height = picture.size

    def write(place: tuple[float, float], text: str, anchor: str) -> None:
        draw.text(place, text, anchor=anchor, font=font, fill=INK, stroke_width=2, stroke_fill=(0, 0, 0))

    write((width / 2, 2), "A", "ma")
    write((width / 2, height - 2), "P", "md")
    write((4, height / 2), "R", "lm")
    write((width - 4, height / 2), "L", "rm")
    bar = max((b for b in SCALE_BARS_MM if b * pixels_per_mm <= width / 3), default=SCALE_BARS_MM[0])
    length = bar * pixels_per_mm
    y = height - 12
    draw.line([(8, y), (8 + length, y)], fill=(0, 0, 0), width=5)
    draw.line([(8, y), (8 + length, y)], fill=INK, width=3)
    write((8, y - 4), f"{bar} mm", "ld")
