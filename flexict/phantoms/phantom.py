"""One simulated chest CT with its lesion mask and its ground truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flexict.errors import FlexiCTError
from flexict.phantoms.anatomy import draw_anatomy
from flexict.phantoms.grid import Array, Grid
from flexict.phantoms.lesion import Lesion, draw_lesion, paint_lesion
from flexict.phantoms.lungs import paint_lungs
from flexict.phantoms.organs import AIR, paint_abdomen, paint_airways, paint_body, paint_mediastinum
from flexict.phantoms.scanner import Scanner, draw_scanner, scan
from flexict.phantoms.skeleton import paint_skeleton
from flexict.volume import Volume

Truth = dict[str, str | float | bool | None]


@dataclass(frozen=True)
class Phantom:
    """A simulated CT.

    Attributes:
        ct: int16 HU.
        mask: uint8, 1 in the lesion, on the grid of `ct`.
        truth: what was simulated. Always: `seed`, `severity`, `sex`, `emphysema`, `effusion`,
            `effusion_side`, `contrast`, `scanner`, `kernel`, `slice_thickness_mm`, `noise_hu`, `lesion`.
            Of the lesion (None without one): `side`, `lobe`, `margin`, `density`, `spiculation`,
            `lobulation`, `solid_fraction`, `necrosis`, `pleural_contact`, `mean_hu` (before the scanner),
            `volume_ml`, `diameter_mm` (of the sphere of the same volume), `centroid_x`, `centroid_y`,
            `centroid_z` (LPS mm).
    """

    ct: Volume
    mask: Volume
    truth: Truth


def chest_phantom(
    seed: int,
    *,
    severity: float | None = None,
    lesion: bool = True,
    scanner: Scanner | None = None,
    spacing_mm: float = 2.0,
    field_mm: tuple[float, float, float] = (320.0, 260.0, 260.0),
    visit: int = 0,
    progression: float = 0.0,
    around_lesion: bool = False,
) -> Phantom:
    """Simulate the chest CT of one patient.

    Args:
        seed: the patient: anatomy, vessels, place and individual noise of the lesion.
        severity: latent extent of disease in [0, 1]; drawn from the seed when None.
        lesion: whether there is a tumour.
        scanner: its slices are at least `slice_thickness_mm` apart; when None one is drawn from the seed
            whose slices are no thicker than `spacing_mm`, so that the grid has exactly that spacing.
        spacing_mm: in-plane spacing, and the least slice spacing.
        field_mm: extent of the field along x, y, z; the anatomy keeps its size and is cut where it ends.
        visit: number of the examination; the same patient at another visit lies slightly differently, with
            other noise.
        progression: severity added since the visit for which the tumour's place was chosen.
        around_lesion: centre the field on the tumour instead of the chest, for a fine grid of a small field.

    Raises:
        FlexiCTError: severity outside [0, 1], a spacing or field that is not positive, or a field so small that
            the tumour lies outside it.

    >>> phantom = chest_phantom(seed=1, severity=0.8, spacing_mm=8.0)
    >>> phantom.ct.shape, phantom.truth["lobe"]
    ((32, 32, 40), 'right upper')
    """
    if severity is not None and not 0.0 <= severity <= 1.0:
        raise FlexiCTError(f"severity must lie between 0 and 1, not {severity}")
    if spacing_mm <= 0 or min(field_mm) <= 0:
        raise FlexiCTError(f"spacing and field must be positive, not {spacing_mm} and {field_mm}")
    if around_lesion and not lesion:
        raise FlexiCTError("around_lesion needs a tumour: leave it out, or simulate a lesion")
    streams = [np.random.default_rng([seed, stream]) for stream in range(5)]
    drawn = float(streams[0].uniform())
    start = drawn if severity is None else float(severity)
    anatomy = draw_anatomy(streams[1], start if lesion else 0.0)
    if scanner is None:
        scanner = draw_scanner(streams[3], spacing_mm)
    spacing = (spacing_mm, spacing_mm, max(spacing_mm, scanner.slice_thickness_mm))
    at_visit = np.random.default_rng([seed, 5, visit])
    shift = at_visit.normal(0.0, 3.0, size=3) if visit else np.zeros(3)
    tumour = draw_lesion(anatomy, streams[4], start, progression) if lesion else None
    if around_lesion and tumour is not None:
        shift = shift + np.array(tumour.centre)
    grid = Grid.centred(field_mm, spacing).moved(shift)

    hu: Array = np.full(grid.shape, AIR, dtype=np.float32)
    paint_body(hu, grid, anatomy, streams[2])
    paint_mediastinum(hu, grid, anatomy)
    paint_abdomen(hu, grid, anatomy)
    box, distance = paint_lungs(hu, grid, anatomy, streams[2])
    paint_airways(hu, grid, anatomy)
    paint_skeleton(hu, grid, anatomy)
    mask = np.zeros(grid.shape, dtype=np.uint8)
    if tumour is not None:
        mask[box] = paint_lesion(hu[box], grid.crop(box), tumour, distance)
        if not mask.any():
            raise FlexiCTError(f"the tumour of patient {seed} lies outside a field of {field_mm} mm; widen it")
    clean_mean = float(hu[mask > 0].mean()) if tumour else None
    ct = Volume(scan(hu, grid, scanner, at_visit), spacing, grid.origin, np.eye(3))
    labels = Volume(mask, spacing, grid.origin, np.eye(3))
    truth: Truth = {
        "seed": seed,
        "severity": float(np.clip(start + progression, 0.0, 1.0)) if lesion else 0.0,
        "sex": anatomy.sex,
        "emphysema": anatomy.emphysema > 0,
        "effusion": anatomy.effusion_side is not None,
        "effusion_side": anatomy.effusion_side,
        "contrast": anatomy.contrast,
        "scanner": scanner.name,
        "kernel": scanner.kernel,
        "slice_thickness_mm": scanner.slice_thickness_mm,
        "noise_hu": scanner.noise_hu,
        "lesion": lesion,
        **_lesion_truth(tumour, labels, clean_mean),
    }
    return Phantom(ct, labels, truth)


def _lesion_truth(lesion: Lesion | None, mask: Volume, mean_hu: float | None) -> Truth:
    names = (
        "side", "lobe", "margin", "density", "spiculation", "lobulation", "solid_fraction", "necrosis",
        "pleural_contact", "mean_hu", "volume_ml", "diameter_mm", "centroid_x", "centroid_y", "centroid_z",
    )  # fmt: skip
    if lesion is None:
        return dict.fromkeys(names)
    voxels = np.argwhere(mask.array)
    volume_ml = len(voxels) * mask.voxel_ml
    centroid = mask.lps_of(voxels.mean(axis=0))
    values = (
        lesion.side, lesion.lobe, lesion.margin, lesion.density, lesion.spiculation, lesion.lobulation,
        lesion.solid, lesion.necrosis, lesion.pleural, mean_hu, volume_ml,
        float((6000.0 * volume_ml / np.pi) ** (1 / 3)), *(float(v) for v in centroid),
    )  # fmt: skip
    return dict(zip(names, values, strict=True))
