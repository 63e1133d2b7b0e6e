"""The five published presets by name: which part of a CT becomes the input of an encoder.

Source: arXiv 2605.21906, preprocessing of the phenotype and slice experiments. Every preset takes a CT in any
orientation; its `Crop` gives the voxels of the input, the lesion on its grid, and its place in the patient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import SimpleITK as sitk

from flexict.presets.crop import Crop, Indices, Triple
from flexict.presets.preprocess import (
    FINE_SPACING_MM,
    HU_LOW,
    SPACING_MM,
    Array,
    PreprocessError,
    Scan,
    cut,
    cut_at_1mm,
    mask_at,
    resampled_size,
    standardised,
)
from flexict.volume import Volume

CUBE = (160, 160, 160)
SLICE = (1, 512, 512)
LESION_SEED_SIDES_MM = (4.0, 512.0)


@dataclass(frozen=True)
class Subject:
    """What the presets may need of an item.

    Attributes:
        mask: the lesion on the CT's grid, where there is one.
        centre_lps: the seed, or else the lesion's centroid, LPS mm.
        slice_index: of an axial slice, in the CT in LPS order.
    """

    scan: Scan
    mask: Volume | None = None
    centre_lps: Triple | None = None
    slice_index: int | None = None


@dataclass(frozen=True)
class Preset:
    """A published way to make an input from a CT.

    Attributes:
        view: what it shows: `volume`, `slices` or `lesion`.
        crop: the input of a subject for a value of the preset's parameter, which presets without one ignore.
            It raises PreprocessError if the subject lacks what the preset needs, or the lesion cannot be cropped.
        unit: of its parameter in labels; None if it has none.
    """

    name: str
    view: str
    crop: Callable[[Subject, float], Crop]
    unit: str | None = None

    def label(self, parameter: float) -> str:
        """The name with the parameter, if it has one.

        >>> PRESETS["lesion_seed"].label(64), PRESETS["slice"].label(0)
        ('lesion_seed@64mm', 'slice')
        """
        return self.name if self.unit is None else f"{self.name}@{parameter:g}{self.unit}"


def default(volume: Volume | Scan) -> Crop:
    """Whole volume at 2 mm, centre-cropped or padded to `[160, 160, 160]`.

    >>> ct = Volume(np.zeros((10, 20, 30), dtype=np.int16), (1.0, 1.0, 4.0), (0.0, 0.0, 0.0), np.eye(3))
    >>> crop = default(ct)
    >>> crop.voxels().shape, crop.placement.box_mm
    ((160, 160, 160), (320.0, 320.0, 320.0))
    """
    return _centred_at_2mm(_scan(volume), CUBE)


def local_path(volume: Volume | Scan) -> Crop:
    """All anatomy at 2 mm, padded to a cube and resized to `[160, 160, 160]`; scale is lost."""
    scan = _scan(volume)
    side = max(resampled_size(scan.oriented, SPACING_MM))
    return _centred_at_2mm(scan, (side, side, side))


def axial_slice(volume: Volume | Scan, index: int) -> Crop:
    """One axial slice of the volume in LPS order, padded to a square with air and resized to `[512, 512]`."""
    scan = _scan(volume)
    columns, rows, _ = scan.oriented.GetSize()
    side = max(rows, columns)
    y, x = _centred((rows, columns), (side, side))

    def padded(first: Indices, counts: Indices) -> Array:
        mean, std = scan.statistics
        pixels = standardised(sitk.GetArrayViewFromImage(scan.oriented)[first[0]], (mean, std))
        return cut(pixels[None], (0, *first[1:]), counts, fill=(HU_LOW - mean) / std)

    return Crop(scan, scan.oriented.GetSpacing(), (index, y, x), (1, side, side), SLICE, padded)


def lesion_seed(volume: Volume | Scan, seed_lps: Triple, side_mm: float = 64.0) -> Crop:
    """A cube of `side_mm` around a seed in LPS mm, resized to `[160, 160, 160]`; zero where it leaves the scan.

    Only the voxels round the cube are normalised and resampled to 1 mm, by the statistics of the whole scan.

    Raises:
        PreprocessError: if the seed lies outside the scan or the side is outside `LESION_SEED_SIDES_MM`.

    >>> ct = Volume(np.zeros((40, 40, 40), dtype=np.int16), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), np.eye(3))
    >>> lesion_seed(ct, (40.0, 40.0, 40.0), side_mm=32.0).placement.spacing
    (0.2, 0.2, 0.2)
    """
    least, most = LESION_SEED_SIDES_MM
    if not least <= side_mm <= most:
        raise PreprocessError(
            f"a lesion crop of {side_mm:g} mm is impossible: use {least:g} to {most:g} mm (published: 32 and 64)"
        )
    scan = _scan(volume)
    index = scan.volume.index_of(seed_lps)
    if not np.all((index > -1.0) & (index < np.array(scan.volume.shape))):
        place = ", ".join(f"{v:.1f}" for v in seed_lps)
        raise PreprocessError(f"the seed ({place}) mm lies outside the scan: give it in LPS (not RAS) millimetres")
    offset = np.array(scan.oriented.TransformPhysicalPointToContinuousIndex([float(v) for v in seed_lps]))
    side = round(side_mm / FINE_SPACING_MM)
    x, y, z = (round(c) - side // 2 for c in offset * scan.oriented.GetSpacing() / FINE_SPACING_MM)
    return Crop(scan, (FINE_SPACING_MM,) * 3, (z, y, x), (side, side, side), CUBE, partial(cut_at_1mm, scan))


def lesion_mask(volume: Volume | Scan, mask: Volume, scale: float = 1.5) -> Crop:
    """A cube of `scale` times the lesion's largest side around its centroid, `[160, 160, 160]`; it ends with the scan.

    Raises:
        PreprocessError: if the mask lies on another grid or is empty (also when it vanishes at 2 mm), or the scale is
            not above 0.
    """
    if not np.isfinite(scale) or scale <= 0:
        raise PreprocessError(f"a lesion crop scale must be above 0 (published: 1.5 and 2.0), not {scale}")
    scan = _scan(volume)
    if not scan.volume.same_grid(mask):
        raise PreprocessError(
            f"the mask grid {mask.shape} is not that of the scan {scan.volume.shape}: resample the mask"
        )
    if not np.any(mask.array):
        raise PreprocessError("the mask has no voxels: draw the lesion or leave the mask cell empty")
    lesion = np.argwhere(mask_at(mask, SPACING_MM))
    if len(lesion) == 0:
        raise PreprocessError("the lesion is smaller than a 2 mm voxel: use the preset lesion_seed")
    side = max(1, round(scale * int((np.ptp(lesion, axis=0) + 1).max())))
    start = [round(c - side / 2) for c in lesion.mean(axis=0)]
    z, y, x = (max(0, first) for first in start)
    ends = [min(n, first + side) for n, first in zip(_size_at_2mm(scan), start, strict=True)]
    counts = (ends[0] - z, ends[1] - y, ends[2] - x)
    return Crop(scan, (SPACING_MM,) * 3, (z, y, x), counts, CUBE, partial(_cut_at_2mm, scan), align_corners=True)


def _of_mask(subject: Subject, scale: float) -> Crop:
    if subject.mask is None:
        raise PreprocessError(
            "there is no lesion mask, which the preset lesion_mask needs: add one, or use the preset lesion_seed"
        )
    return lesion_mask(subject.scan, subject.mask, scale)


def _of_centre(subject: Subject, side_mm: float) -> Crop:
    if subject.centre_lps is None:
        raise PreprocessError("there is no seed and no lesion mask: add seed_x, seed_y and seed_z in LPS mm")
    return lesion_seed(subject.scan, subject.centre_lps, side_mm)


def _of_slice(subject: Subject, _: float) -> Crop:
    if subject.slice_index is None:
        raise PreprocessError("the preset slice needs the index of a slice, which is not known for this item")
    return axial_slice(subject.scan, subject.slice_index)


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("default", "volume", lambda subject, _: default(subject.scan)),
        Preset("local_path", "volume", lambda subject, _: local_path(subject.scan)),
        Preset("slice", "slices", _of_slice),
        Preset("lesion_mask", "lesion", _of_mask, unit=""),
        Preset("lesion_seed", "lesion", _of_centre, unit="mm"),
    )
}


def read_label(label: str) -> tuple[Preset, float]:
    """The preset and its parameter (0 if it has none) of a label: the scale of `lesion_mask`, the mm of `lesion_seed`.

    Raises:
        PreprocessError: a label that `Preset.label` does not write, such as that of imported vectors.

    >>> preset, side_mm = read_label("lesion_seed@64mm")
    >>> preset.view, side_mm
    ('lesion', 64.0)
    """
    name, at, parameter = label.partition("@")
    preset = PRESETS.get(name)
    if preset is not None and bool(at) == (preset.unit is not None):
        if preset.unit is None:
            return preset, 0.0
        try:
            if parameter.endswith(preset.unit):
                return preset, float(parameter.removesuffix(preset.unit))
        except ValueError:
            pass  # refused below
    raise PreprocessError(f"the preset {label!r} is not known here, so its input cannot be made again")


def crop_of(label: str, subject: Subject) -> Crop:
    """The input that the preset with this label (such as `lesion_mask@1.5`) makes of a subject.

    Raises:
        PreprocessError: a label that is not known, a subject that lacks the mask, seed or slice that the preset needs,
            or a lesion that cannot be cropped.
    """
    preset, parameter = read_label(label)
    return preset.crop(subject, parameter)


def _scan(volume: Volume | Scan) -> Scan:
    return volume if isinstance(volume, Scan) else Scan(volume)


def _centred_at_2mm(scan: Scan, counts: Indices) -> Crop:
    z, y, x = _centred(_size_at_2mm(scan), counts)
    return Crop(scan, (SPACING_MM,) * 3, (z, y, x), counts, CUBE, partial(_cut_at_2mm, scan))


def _centred(shape: Sequence[int], counts: Sequence[int]) -> list[int]:
    """First index of a box of `counts` voxels in the middle of an array, rounded towards the array's first voxel."""
    return [int((n - count) / 2) for n, count in zip(shape, counts, strict=True)]


def _size_at_2mm(scan: Scan) -> list[int]:
    return resampled_size(scan.oriented, SPACING_MM)[::-1]


def _cut_at_2mm(scan: Scan, first: Indices, counts: Indices) -> Array:
    return cut(scan.normalised_2mm, first, counts, fill=float(scan.normalised_2mm.min()))
