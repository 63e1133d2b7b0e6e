"""Position of voxels: the sform of a NIfTI before its qform, and one rule for sheared axes in every format."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from embeddings.cohort.read import read_cohort
from embeddings.imaging.images import ImageError, inspect, read_image, read_mask
from flexict.volume import Volume
from tests.embeddings.dicom_files import write_ct_series

SHAPE_XYZ = (9, 8, 7)
ARRAY = np.random.default_rng(0).integers(-1000, 1000, SHAPE_XYZ).astype(np.int16)


def affine_of(axes: np.ndarray, spacing: tuple[float, ...] = (0.8, 0.9, 2.5), start: tuple[float, ...] = (12, -34, 56)):
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = start
    return affine


RAS = affine_of(np.eye(3))


def nifti(path: Path, sform: np.ndarray, qform: np.ndarray, codes: tuple[int, int] = (1, 1), unit: str = "mm") -> Path:
    image = nib.Nifti1Image(ARRAY, None)
    image.header.set_qform(qform, codes[1])
    image.header.set_sform(sform, codes[0])
    image.header.set_xyzt_units(unit)
    nib.save(image, path)
    return path


def assert_lies_where_nibabel_says(path: Path, atol: float = 1e-3) -> None:
    image, volume, header = nib.load(path), read_image(path), inspect(path)
    assert header.grid().same_grid(volume)
    for index in ((0, 0, 0), (8, 7, 6), (3, 0, 5), (0, 7, 0)):
        ras = nib.affines.apply_affine(image.affine, index)
        np.testing.assert_allclose(volume.lps_of(index[::-1]), ras * (-1, -1, 1), atol=atol)
        assert volume.array[index[::-1]] == image.dataobj[index]


OTHERS = {
    "x flipped": affine_of(np.diag([-1.0, 1, 1])),
    "z flipped": affine_of(np.diag([1.0, 1, -1])),
    "moved by a voxel": affine_of(np.eye(3), start=(12, -34, 58.5)),
    "turned": affine_of(Rotation.from_euler("z", 5, degrees=True).as_matrix()),
}


@pytest.mark.parametrize("codes", [(1, 1), (2, 1), (1, 2), (4, 1), (1, 4)])
@pytest.mark.parametrize("other", OTHERS)
def test_the_sform_takes_precedence_over_a_different_qform(tmp_path: Path, other: str, codes: tuple[int, int]) -> None:
    path = nifti(tmp_path / "a.nii", OTHERS[other], RAS, codes)
    assert_lies_where_nibabel_says(path)
    (note,) = inspect(path).notes
    assert note.startswith("its sform and qform place it up to ")
    assert note.endswith(" mm apart: the sform is used")


def test_the_distance_between_sform_and_qform_is_noted(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", OTHERS["moved by a voxel"], RAS)
    assert inspect(path).notes == ("its sform and qform place it up to 2.5 mm apart: the sform is used",)
    csv = tmp_path / "cohort.csv"
    csv.write_text("case_id,patient_id,image_path\na,p,a.nii\n")
    report = read_cohort(csv)
    assert [(p.severity, p.reason) for p in report.problems] == [("warning", inspect(path).notes[0])]
    assert report.ok


def test_the_spacing_also_comes_from_the_sform(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", affine_of(np.eye(3), spacing=(0.8, 0.9, 3.0)), RAS)
    assert_lies_where_nibabel_says(path)
    assert read_image(path).spacing == pytest.approx((0.8, 0.9, 3.0))
    assert len(inspect(path).notes) == 1


@pytest.mark.parametrize("codes", [(0, 1), (1, 0)])
def test_only_a_form_with_its_code_set_is_used(tmp_path: Path, codes: tuple[int, int]) -> None:
    path = nifti(tmp_path / "a.nii", OTHERS["x flipped"], RAS, codes)
    assert_lies_where_nibabel_says(path)
    assert inspect(path).notes == ()


def test_a_distance_below_half_a_voxel_is_not_noted(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", affine_of(np.eye(3), start=(12.3, -34, 56)), RAS)
    assert_lies_where_nibabel_says(path)
    assert inspect(path).notes == ()
    further = nifti(tmp_path / "b.nii", affine_of(np.eye(3), start=(12.5, -34, 56)), RAS)
    assert len(inspect(further).notes) == 1


def test_microns_are_microns_in_both_forms(tmp_path: Path) -> None:
    micron = [
        affine @ np.diag([1.0, 1, 1, 1]) * np.array([[1000.0]] * 3 + [[1.0]]) for affine in (OTHERS["x flipped"], RAS)
    ]
    volume = read_image(nifti(tmp_path / "a.nii", *micron, unit="micron"))
    same = read_image(nifti(tmp_path / "b.nii", OTHERS["x flipped"], RAS))
    assert volume.same_grid(same)


def test_a_sform_with_an_axis_of_zero_length_gives_way_to_the_qform_with_a_note(tmp_path: Path) -> None:
    broken = RAS.copy()
    broken[:, 2] = 0
    path = nifti(tmp_path / "a.nii", broken, RAS)
    assert read_image(path).spacing == pytest.approx((0.8, 0.9, 2.5))
    assert inspect(path).notes == ("its sform is damaged (an axis of zero length): the qform is used",)


def test_a_mask_and_its_ct_are_placed_by_the_same_form(tmp_path: Path) -> None:
    ct = read_image(nifti(tmp_path / "a.nii", OTHERS["x flipped"], RAS))
    inside = np.zeros(SHAPE_XYZ, np.uint8)
    inside[2:4, 3:5, 1:3] = 1
    image = nib.Nifti1Image(inside, OTHERS["x flipped"])
    nib.save(image, tmp_path / "mask.nii")
    mask = read_mask(tmp_path / "mask.nii", ct)
    np.testing.assert_array_equal(mask.array, inside.T)
    nib.save(nib.Nifti1Image(inside, RAS), tmp_path / "other.nii")
    with pytest.raises(ImageError, match="marks no voxel of its CT"):
        read_mask(tmp_path / "other.nii", ct)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    other=st.tuples(*[st.floats(-180, 180)] * 3),
    flips=st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3),
    codes=st.tuples(st.integers(1, 4), st.integers(0, 4)),
)
def test_any_sform_is_read_as_nibabel_reads_it(
    tmp_path: Path,
    angles: tuple[float, float, float],
    other: tuple[float, float, float],
    flips: tuple[float, float, float],
    codes: tuple[int, int],
) -> None:
    sform = affine_of(Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ np.diag(flips))
    qform = affine_of(Rotation.from_euler("xyz", other, degrees=True).as_matrix())
    assert_lies_where_nibabel_says(nifti(tmp_path / "a.nii", sform, qform, codes), atol=5e-3)


def test_ordinary_files_keep_the_geometry_of_itk(real_ct: Path) -> None:
    for path in sorted(real_ct.glob("*/*.nii.gz"))[:12]:
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        header = inspect(path)
        assert (header.spacing, header.origin) == (reader.GetSpacing(), reader.GetOrigin())
        assert tuple(header.direction.ravel()) == reader.GetDirection()
        assert header.notes == ()


# Sheared axes


def sheared(degrees: float) -> np.ndarray:
    """Unit axes (x, y, z) of which z leans toward y."""
    axes = np.eye(3)
    axes[:, 2] = (0, np.sin(np.radians(degrees)), np.cos(np.radians(degrees)))
    return axes


def write_sheared(path: Path, degrees: float) -> Path:
    axes = sheared(degrees)
    if path.suffix == ".nii":
        image = nib.Nifti1Image(ARRAY, None)
        image.header.set_qform(None, 0)
        image.header.set_sform(affine_of(np.diag([-1.0, -1.0, 1.0]) @ axes), 1)
        nib.save(image, path)
        return path
    if path.suffix == ".dcm":  # rows and columns that are not at right angles
        grid = Volume(ARRAY.T, (0.8, 0.9, 2.5), (0.0, 0.0, 0.0), np.eye(3))
        folder = write_ct_series(path, grid)
        for file in folder.iterdir():
            ds = pydicom.dcmread(file)
            turn = np.radians(degrees)
            ds.ImageOrientationPatient = [1, 0, 0, *(f"{v:.9f}" for v in (np.sin(turn), np.cos(turn), 0))]
            ds.save_as(file)
        return folder
    image = sitk.GetImageFromArray(ARRAY.T)
    image.SetSpacing((0.8, 0.9, 2.5))
    image.SetDirection(axes.ravel().tolist())
    sitk.WriteImage(image, str(path))
    return path


FORMATS = ["a.nii", "a.nrrd", "a.mha", "a.mhd", "a.dcm"]


@pytest.mark.parametrize("degrees", [3.0, 7.0, 8.0, -8.0])
@pytest.mark.parametrize("name", FORMATS)
def test_sheared_axes_are_refused_in_every_format(tmp_path: Path, name: str, degrees: float) -> None:
    path = write_sheared(tmp_path / name, degrees)
    for read in (inspect, read_image):
        with pytest.raises(ImageError, match=rf"has sheared axes \(by {abs(degrees):.1f} degrees"):
            read(path)


@pytest.mark.parametrize("name", FORMATS)
def test_slightly_oblique_axes_are_squared_in_every_format(tmp_path: Path, name: str) -> None:
    path = write_sheared(tmp_path / name, 1.0)
    volume = read_image(path)
    np.testing.assert_allclose(volume.direction.T @ volume.direction, np.eye(3), atol=1e-9)
    axes = sheared(1.0)
    if name == "a.dcm":
        axes = np.array([[1, np.sin(np.radians(1)), 0], [0, np.cos(np.radians(1)), 0], [0, 0, 1]])
    assert np.abs(volume.direction - axes).max() == pytest.approx(np.sin(np.radians(0.5)), abs=1e-3)
    assert inspect(path).notes == ("its axes are 1.0 degrees off right angles: squared",)


@pytest.mark.parametrize("name", FORMATS)
def test_square_axes_are_unchanged(tmp_path: Path, name: str) -> None:
    path = write_sheared(tmp_path / name, 0.0)
    assert inspect(path).notes == ()
    np.testing.assert_allclose(read_image(path).direction, np.eye(3), atol=1e-7)
