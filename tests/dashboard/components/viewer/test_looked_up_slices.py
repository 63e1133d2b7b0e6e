"""A scan that is looked up opens at the slice at which its stored case opens, in whatever order its voxels lie."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.transform import Rotation

from dashboard.data.planes import PLANES, slice_count, slice_index, slice_number
from dashboard.data.scan_files import ScanFiles
from dashboard.data.scans import OpenScan, files_of, open_scan
from dashboard.session.settings import Settings
from embeddings.imaging.images import read_image, read_mask
from embeddings.imaging.masks.lesions import measure

SHAPE = (24, 20, 30)
SPACING = (1.5, 2.0, 2.5)
# Along x, y and z of the patient: an even number of voxels, so that its middle lies half way between two slices.
LESION = (slice(4, 8), slice(11, 15), slice(20, 26))
# The 1-based number of the upper one, counted from the right, the front and the feet.
NUMBERS = {"axial": 24, "coronal": 14, "sagittal": 7}
TILT = Rotation.from_euler("zyx", [9, -6, 8], degrees=True).as_matrix()


def write_scan(folder: Path, order: str, tilted: bool) -> tuple[Path, Path]:
    """The same patient with the voxels in another order, as NIfTI: CT and mask."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[LESION] = 1
    turn = TILT if tilted else np.eye(3)
    affine = np.eye(4)
    # NIfTI is RAS; the arrays above are LPS.
    affine[:3, :3] = np.diag([-1, -1, 1]) @ turn @ np.diag(SPACING)
    affine[:3, 3] = (31.7, -12.3, 400.9)
    paths = folder / "ct.nii.gz", folder / "mask.nii.gz"
    for path, array in zip(paths, (np.where(mask, 40, -800).astype(np.int16), mask), strict=True):
        image = nib.Nifti1Image(array, affine)
        wanted = nib.orientations.axcodes2ornt(tuple(order))
        nib.save(image.as_reoriented(nib.orientations.ornt_transform(nib.io_orientation(affine), wanted)), path)
    return paths


def opened(row: dict[str, object], preset: str, **how: bool) -> OpenScan:
    folder = Path(str(row["image_path"])).parent
    return open_scan(
        files_of(pd.Series(row, dtype=object), preset, ScanFiles(Settings(None, folder, (folder,))), **how)
    )


def opened_at(row: dict[str, object], preset: str, **how: bool) -> dict[str, tuple[int, int]]:
    """Number and count of the slice that every plane opens at."""
    scan = opened(row, preset, **how)
    return {
        name: (slice_number(slice_index(scan.volume, plane, scan.centre, 0.0)), slice_count(scan.volume, plane))
        for name, plane in PLANES.items()
    }


@pytest.mark.parametrize("tilted", [False, True], ids=["straight", "oblique"])
@pytest.mark.parametrize("order", ["LPS", "RAS", "RAI", "SPL", "ARI"])
def test_the_stored_case_and_the_scan_looked_up_open_at_the_same_slice(
    tmp_path: Path, order: str, tilted: bool
) -> None:
    image, mask = write_scan(tmp_path, order, tilted)
    looked_up = {"item_id": "new", "case_id": "new", "image_path": str(image), "mask_path": str(mask)}
    centroid = measure(read_mask(mask, read_image(image))).centroid_lps
    stored = looked_up | dict(zip(("centroid_x", "centroid_y", "centroid_z"), centroid, strict=True))
    expected = {
        name: (number, count)
        for (name, number), count in zip(NUMBERS.items(), (SHAPE[2], SHAPE[1], SHAPE[0]), strict=True)
    }
    assert opened_at(stored, "lesion_mask@1.5") == expected
    assert opened_at(looked_up, "lesion_mask@1.5") == expected
    # The box of a crop round a seed is drawn round the lesion where there is no seed.
    assert opened(looked_up, "lesion_seed@64mm").box is not None


def test_a_set_of_seeds_opens_where_it_was_cropped(tmp_path: Path) -> None:
    image, mask = write_scan(tmp_path, "LPS", False)
    seed = read_image(image).lps_of((3.0, 5.0, 9.0))
    by_point = {"item_id": "new", "case_id": "new", "image_path": str(image)}
    by_point |= dict(zip(("seed_x", "seed_y", "seed_z"), map(float, seed), strict=True))
    centroid = measure(read_mask(mask, read_image(image))).centroid_lps
    stored = by_point | {"mask_path": str(mask)}
    stored |= dict(zip(("centroid_x", "centroid_y", "centroid_z"), centroid, strict=True))
    assert opened_at(by_point, "lesion_seed@64mm")["axial"] == (4, 30)
    assert opened_at(stored, "lesion_seed@64mm") == opened_at(by_point, "lesion_seed@64mm")
    assert opened_at(stored, "lesion_mask@1.5")["axial"] == (24, 30)


def test_without_a_lesion_both_open_at_the_middle(tmp_path: Path) -> None:
    image, mask = write_scan(tmp_path, "RAI", False)
    looked_up = {"item_id": "new", "case_id": "new", "image_path": str(image)}
    stored = looked_up | {"mask_path": str(mask), "centroid_x": 0.0, "centroid_y": 0.0, "centroid_z": 410.0}
    middle = {"axial": (16, 30), "coronal": (11, 20), "sagittal": (13, 24)}
    assert opened_at(looked_up, "default", from_middle=True) == middle
    assert opened_at(stored, "default", from_middle=True) == middle
