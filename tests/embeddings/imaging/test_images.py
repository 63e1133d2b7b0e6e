"""Images of every format are read in HU and LPS; masks on the grid of their CT."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from embeddings.imaging.images import ImageError, content_sha256, inspect, plausibility, read_image, read_mask
from flexict.volume import Volume

SHAPE_ZYX = (5, 6, 7)


def ct_array(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1000, 1500, SHAPE_ZYX).astype(np.int16)


def write(
    path: Path,
    array: np.ndarray,
    spacing: tuple[float, ...] = (0.7, 0.8, 2.5),
    origin: tuple[float, ...] = (-10.0, 20.0, -300.0),
) -> Path:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    sitk.WriteImage(image, str(path), True)
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.mhd", "A.NII.GZ"])
def test_every_format_gives_the_same_volume(tmp_path: Path, name: str) -> None:
    array = ct_array()
    written = write(tmp_path / name.lower(), array)
    path = written.rename(tmp_path / name) if name != name.lower() else written
    volume = read_image(path)
    assert volume.array.dtype == np.int16
    np.testing.assert_array_equal(volume.array, array)
    assert volume.spacing == pytest.approx((0.7, 0.8, 2.5))
    assert volume.origin == pytest.approx((-10.0, 20.0, -300.0))
    np.testing.assert_allclose(volume.direction, np.eye(3))


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.mha", "a.mhd"])
def test_the_header_alone_gives_the_grid(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, ct_array())
    header = inspect(path)
    assert header.shape_zyx == SHAPE_ZYX
    assert header.spacing == pytest.approx((0.7, 0.8, 2.5))
    assert header.kind == {"gz": "NIfTI", "nrrd": "NRRD", "mha": "MetaImage", "mhd": "MetaImage"}[name.split(".")[-1]]
    assert header.grid().same_grid(read_image(path))


@settings(max_examples=25, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.4, 6.0)] * 3),
    flip=st.booleans(),
    index=st.tuples(*[st.integers(0, n - 1) for n in SHAPE_ZYX]),
    code=st.sampled_from(["sform", "qform"]),
)
def test_a_ras_nifti_in_any_direction_is_converted_to_lps(
    tmp_path_factory: pytest.TempPathFactory,
    angles: tuple[float, float, float],
    spacing: tuple[float, float, float],
    flip: bool,
    index: tuple[int, int, int],
    code: str,
) -> None:
    axes = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    axes[:, 0] *= -1 if flip else 1
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = (12.0, -34.0, 56.0)
    image = nib.Nifti1Image(ct_array().T, affine)
    image.set_sform(affine, code=1 if code == "sform" else 0)
    image.set_qform(affine, code=1 if code == "qform" else 0)
    path = tmp_path_factory.mktemp("ras") / "a.nii"
    nib.save(image, path)
    volume = read_image(path)
    z, y, x = index
    # The affine as stored: float32 quaternions near 180 degrees are worth a hundredth of a mm.
    ras = nib.affines.apply_affine(nib.load(path).affine, (x, y, z))
    np.testing.assert_allclose(volume.lps_of((z, y, x)), ras * (-1, -1, 1), atol=2e-3)
    assert volume.array[z, y, x] == ct_array()[z, y, x]
    np.testing.assert_allclose(volume.direction.T @ volume.direction, np.eye(3), atol=1e-4)


def test_axes_slightly_off_square_are_squared_and_sheared_ones_refused(tmp_path: Path) -> None:
    for skew, name in ((0.005, "slight.nii"), (0.2, "sheared.nii")):
        affine = np.diag([1.0, 1.0, 2.0, 1.0])
        affine[0, 1] = skew
        image = nib.Nifti1Image(ct_array().T, affine)
        image.set_sform(affine, code=1)
        image.set_qform(None, code=0)
        nib.save(image, tmp_path / name)
    volume = read_image(tmp_path / "slight.nii")
    np.testing.assert_allclose(volume.direction.T @ volume.direction, np.eye(3), atol=1e-9)
    ras = np.array([0.005 * 5 + 6, 5.0, 8.0])
    np.testing.assert_allclose(volume.lps_of((4, 5, 6)), ras * (-1, -1, 1), atol=0.05)
    assert inspect(tmp_path / "slight.nii").notes == ("its axes are 0.3 degrees off right angles: squared",)
    with pytest.raises(ImageError, match=r"sheared\.nii has sheared axes"):
        inspect(tmp_path / "sheared.nii")


def test_slope_and_intercept_of_a_nifti_are_applied(tmp_path: Path) -> None:
    raw = (ct_array() + 1024).astype(np.int16)
    image = nib.Nifti1Image(raw.T, np.eye(4))
    image.header.set_slope_inter(0.5, -1000)
    nib.save(image, tmp_path / "a.nii.gz")
    # nibabel divides on writing, so what counts is what it reads back.
    expected = np.asarray(nib.Nifti1Image.from_filename(tmp_path / "a.nii.gz").dataobj).T
    np.testing.assert_allclose(read_image(tmp_path / "a.nii.gz").array.astype(float), expected, atol=1e-3)
    nib.save(nib.Nifti1Image(raw.T, np.eye(4)), tmp_path / "b.nii")
    stored = bytearray((tmp_path / "b.nii").read_bytes())
    stored[112:120] = np.array([1.0, -1024.0], dtype="<f4").tobytes()  # scl_slope, scl_inter
    (tmp_path / "b.nii").write_bytes(stored)
    np.testing.assert_array_equal(read_image(tmp_path / "b.nii").array, raw - 1024)


def test_a_big_endian_nifti_reads_the_same(tmp_path: Path) -> None:
    header = nib.Nifti1Image(ct_array().T, np.eye(4)).header.as_byteswapped(">")
    nib.save(nib.Nifti1Image(ct_array().T, np.eye(4), header), tmp_path / "a.nii")
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii").array, ct_array())


def test_a_fourth_axis_of_size_one_is_dropped(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(ct_array().T[..., None], np.eye(4)), tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii.gz").array, ct_array())


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_padding_below_air_becomes_air(tmp_path: Path, dtype: type) -> None:
    array: np.ndarray = ct_array().astype(dtype)
    array[0] = -3024
    read = read_image(write(tmp_path / "a.nii.gz", array)).array
    assert (read[0] == -1024).all()
    np.testing.assert_array_equal(read[1:], ct_array()[1:])
    assert read.dtype == np.int16


def test_unsigned_and_fractional_values_keep_their_value(tmp_path: Path) -> None:
    unsigned = np.linspace(0, 65535, np.prod(SHAPE_ZYX)).astype(np.uint16).reshape(SHAPE_ZYX)
    np.testing.assert_array_equal(read_image(write(tmp_path / "u.nrrd", unsigned)).array, unsigned)
    halves = ct_array().astype(np.float32) + 0.5
    read = read_image(write(tmp_path / "f.nrrd", halves)).array
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, halves)


@pytest.mark.parametrize(
    ("array", "warns"),
    [
        (np.linspace(0, 1, 27), True),
        (np.arange(27) * 9, True),
        (np.arange(27) * 100, True),
        (np.linspace(-1000, 2e5, 27), True),
        (np.full(27, -1000) + np.arange(27), True),
        (np.linspace(-1024, 3071, 27), False),
        (np.linspace(-120, 300, 27), False),  # a limb, or a crop inside the abdomen
    ],
)
def test_values_that_cannot_be_hu_are_warned_about(array: np.ndarray, warns: bool) -> None:
    volume = Volume(array.reshape(3, 3, 3), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    assert (plausibility(volume) is not None) == warns


def test_a_mask_is_zero_and_one_on_the_grid_of_its_ct(tmp_path: Path) -> None:
    ct = read_image(write(tmp_path / "ct.nii.gz", ct_array()))
    inside = np.zeros(SHAPE_ZYX, dtype=bool)
    inside[2:4, 1:3, 2:6] = True
    written: dict[str, np.ndarray] = {
        "one": inside.astype(np.uint8),
        "255": inside * np.int16(255),
        "part": inside * 0.75,
    }
    for name, values in written.items():
        mask = read_mask(write(tmp_path / f"{name}.nii.gz", values), ct)
        assert mask.array.dtype == np.uint8
        np.testing.assert_array_equal(mask.array, inside)
        assert mask.same_grid(ct)


def test_masks_that_do_not_mark_one_lesion_on_this_ct_are_refused(tmp_path: Path) -> None:
    ct = read_image(write(tmp_path / "ct.nii.gz", ct_array()))
    empty = np.zeros(SHAPE_ZYX, np.uint8)
    labels = empty.copy()
    labels[1, 1, :3] = (1, 2, 3)
    one = empty.copy()
    one[1, 1, 1] = 1
    with pytest.raises(ImageError, match=r"empty\.nii\.gz is a mask without voxels"):
        read_mask(write(tmp_path / "empty.nii.gz", empty), ct)
    with pytest.raises(ImageError, match=r"contains 3 labels \(1, 2, 3\)"):
        read_mask(write(tmp_path / "labels.nii.gz", labels), ct)
    with pytest.raises(ImageError, match=r"lies outside its CT \(.* from -10\.0 / 20\.0 / 299\.0 against"):
        read_mask(write(tmp_path / "moved.nii.gz", one, origin=(-10.0, 20.0, 299.0)), ct)


def test_hashes_follow_content_not_place(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for folder in ("a", "b"):
        (tmp_path / folder / "1.dcm").write_bytes(b"one")
        (tmp_path / folder / "2.dcm").write_bytes(b"two")
    assert content_sha256(tmp_path / "a" / "1.dcm") == hashlib.sha256(b"one").hexdigest()
    assert content_sha256(tmp_path / "a") == content_sha256(tmp_path / "b")
    (tmp_path / "b" / "2.dcm").write_bytes(b"tw0")
    assert content_sha256(tmp_path / "a") != content_sha256(tmp_path / "b")


def test_the_hash_of_an_mhd_covers_its_voxels(tmp_path: Path) -> None:
    before = content_sha256(write(tmp_path / "a.mhd", ct_array(0)))
    header = (tmp_path / "a.mhd").read_text(encoding="utf-8")
    after = content_sha256(write(tmp_path / "a.mhd", ct_array(1)))
    (tmp_path / "a.mhd").write_text(header)
    assert before != content_sha256(tmp_path / "a.mhd")
    assert before != after


def test_real_tumours_and_their_masks_lie_on_one_grid(real_ct: Path) -> None:
    folder = real_ct / "nsclc_radiogenomics"
    volume = read_image(folder / "NSCLC-000_ct.nii.gz")
    assert plausibility(volume) is None
    assert read_mask(folder / "NSCLC-000_gtv.nii.gz", volume).array.sum() * volume.voxel_ml == pytest.approx(
        5.085, abs=0.01
    )
    with pytest.raises(ImageError, match="without voxels"):
        read_mask(folder / "NSCLC-050_gtv.nii.gz", volume)


def test_headers_of_niftis_are_read_by_one_thread_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # ITK assigns the file's name to a static string while it reads the header; two threads at once end the process.
    path = tmp_path / "ct.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(np.arange(8 * 8 * 8, dtype=np.int16).reshape(8, 8, 8)), str(path))
    inside, most = 0, 0
    read = sitk.ImageFileReader.ReadImageInformation

    def watched(reader: sitk.ImageFileReader) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.005)
        read(reader)
        inside -= 1

    monkeypatch.setattr(sitk.ImageFileReader, "ReadImageInformation", watched)
    with ThreadPoolExecutor(4) as threads:
        headers = list(threads.map(inspect, [path] * 12))
    assert len(headers) == 12
    assert most == 1
