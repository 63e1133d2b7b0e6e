"""Unusable files: one sentence each, with the file's name and what to do."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from embeddings.imaging.images import ImageError, inspect, read_image

DIM, PIXDIM, SROW_X = 40, 76, 280  # byte offsets in a NIfTI-1 header


@pytest.fixture
def nifti(tmp_path: Path) -> Path:
    array = np.random.default_rng(0).integers(-1000, 1000, (12, 13, 14)).astype(np.int16)
    nib.save(nib.Nifti1Image(array, np.diag([-1.0, -1.0, 2.0, 1.0])), tmp_path / "ct.nii")
    return tmp_path / "ct.nii"


def patched(path: Path, offset: int, content: bytes) -> Path:
    raw = bytearray(path.read_bytes())
    raw[offset : offset + len(content)] = content
    path.write_bytes(raw)
    return path


def refusal(path: Path, read: Callable[[Path], object] = read_image) -> str:
    with pytest.raises(ImageError) as caught:
        read(path)
    sentence = str(caught.value)
    assert path.name in sentence
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    return sentence


def test_missing_unknown_and_empty_files(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "no.nii.gz", inspect)
    for name in ("ct.txt", "ct.png", "ct"):
        (tmp_path / name).write_bytes(b"hello")
        assert "is not a CT: give .nii" in refusal(tmp_path / name, inspect)
    (tmp_path / "slice.dcm").write_bytes(b"hello")
    assert "give the folder" in refusal(tmp_path / "slice.dcm", inspect)
    (tmp_path / "zero.nii.gz").write_bytes(b"")
    assert "empty file" in refusal(tmp_path / "zero.nii.gz", inspect)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("no slices here")
    assert "without DICOM slices" in refusal(tmp_path / "folder", inspect)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.mhd"])
@pytest.mark.parametrize(
    "content",
    [b"hello world" * 60, gzip.compress(b"hello world" * 60), b"\x1f\x8b", b"PK\x03\x04"],
    ids=["text", "gzipped text", "gzip magic", "zip magic"],
)
def test_other_content_under_an_image_name(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    refusal(tmp_path / name, inspect)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_truncated_nifti_is_refused_not_filled(nifti: Path, share: float) -> None:
    raw = nifti.read_bytes()
    packed = gzip.compress(raw)
    for name, content in (("cut.nii", raw), ("cut.nii.gz", packed)):
        path = nifti.with_name(name)
        path.write_bytes(content[: int(len(content) * share)])
        refusal(path)


def test_a_gzip_that_ends_early_but_cleanly_is_refused(nifti: Path) -> None:
    path = nifti.with_name("short.nii.gz")
    path.write_bytes(gzip.compress(nifti.read_bytes()[:-100]))
    assert "only 98% of its voxels" in refusal(path)


def test_a_flipped_bit_inside_gzip_is_refused(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(-1000, 1000, (64, 64, 64)).astype(np.int16)
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "ct.nii")
    packed = bytearray(gzip.compress((tmp_path / "ct.nii").read_bytes(), compresslevel=0))
    packed[-5000] ^= 0x10  # stored, not deflated: only the checksum at the end can tell
    path = tmp_path / "flipped.nii.gz"
    path.write_bytes(packed)
    assert "damaged inside its gzip" in refusal(path)


@pytest.mark.parametrize("name", ["cut.nrrd", "cut.mha"])
@pytest.mark.parametrize("compressed", [False, True])
def test_truncated_nrrd_and_mha_are_refused(tmp_path: Path, name: str, compressed: bool) -> None:
    array = np.random.default_rng(0).integers(-1000, 1000, (12, 13, 14)).astype(np.int16)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / name), compressed)
    raw = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(raw[: len(raw) - 900])
    assert "cut off or damaged" in refusal(tmp_path / name)


def test_an_mhd_reads_no_file_of_another_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    sitk.WriteImage(sitk.GetImageFromArray(np.ones((3, 3, 3), np.int16)), str(tmp_path / "in" / "a.mhd"))
    (tmp_path / "secret.raw").write_bytes(b"x" * 54)
    text = (tmp_path / "in" / "a.mhd").read_text(encoding="utf-8")
    for place, said in (
        ("../secret.raw", "another folder"),
        (f"{tmp_path}/secret.raw", "another folder"),
        ("b.raw", "lacks"),
    ):
        (tmp_path / "in" / "a.mhd").write_text(text.replace("a.raw", place))
        assert said in refusal(tmp_path / "in" / "a.mhd", inspect)
    (tmp_path / "in" / "link.raw").symlink_to(tmp_path / "secret.raw")
    (tmp_path / "in" / "a.mhd").write_text(text.replace("a.raw", "link.raw"))
    assert "another folder" in refusal(tmp_path / "in" / "a.mhd", inspect)


def test_a_detached_nrrd_is_refused(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.ones((3, 3, 3), np.int16)), str(tmp_path / "a.nrrd"))
    head = (tmp_path / "a.nrrd").read_bytes().split(b"\n\n")[0]
    (tmp_path / "a.nrrd").write_bytes(head + b"\ndata file: /etc/hostname\n\n")
    assert "another file" in refusal(tmp_path / "a.nrrd", inspect)


@pytest.mark.parametrize(
    ("shape", "said"),
    [((4, 5, 6, 2), "is 4D"), ((4, 5), "2D picture"), ((40, 50, 1), "single slice")],
)
@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd"])
def test_other_than_three_dimensions(tmp_path: Path, shape: tuple[int, ...], said: str, name: str) -> None:
    array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    if name.endswith("gz"):
        nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / name)
    else:
        sitk.WriteImage(sitk.GetImageFromArray(array.T, isVector=False), str(tmp_path / name))
    assert said in refusal(tmp_path / name, inspect)


def test_colour_voxels(tmp_path: Path) -> None:
    colour = np.zeros((4, 4, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colour, np.eye(4)), tmp_path / "rgb.nii")
    assert "colour" in refusal(tmp_path / "rgb.nii", inspect)
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 4, 4, 3), np.uint8), isVector=True), str(tmp_path / "rgb.mha"))
    assert "one number per voxel" in refusal(tmp_path / "rgb.mha", inspect)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_finite(tmp_path: Path, bad: float) -> None:
    array = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
    array[1, 2, 3] = bad
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / "a.nii.gz"))
    assert "1 voxels that are NaN or infinite" in refusal(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("value", [0, 7, -3024])
def test_an_image_of_one_value(tmp_path: Path, value: int) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.full((4, 5, 6), value, np.int16)), str(tmp_path / "a.nii.gz"))
    assert "is empty: every voxel is" in refusal(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("mm", [0.0, -1.0, np.nan, np.inf, 20.5, 1e-30])
def test_impossible_spacings_are_refused(nifti: Path, mm: float) -> None:
    refusal(patched(nifti, PIXDIM + 12, struct.pack("<f", mm)), inspect)


@pytest.mark.parametrize("mm", ["0", "-1", "nan", "50"])
def test_impossible_spacings_in_mha_are_refused(tmp_path: Path, mm: float) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.ones((3, 3, 3), np.int16)), str(tmp_path / "a.mha"))
    raw = (tmp_path / "a.mha").read_bytes()
    (tmp_path / "a.mha").write_bytes(raw.replace(b"ElementSpacing = 1 1 1", f"ElementSpacing = 1 1 {mm}".encode()))
    refusal(tmp_path / "a.mha", inspect)


def test_an_affine_that_is_not_finite(nifti: Path) -> None:
    refusal(patched(nifti, SROW_X, struct.pack("<f", np.nan)), inspect)


@pytest.mark.parametrize(("sizes", "said"), [((2000, 2000, 2000), "2\\^31"), ((900, 900, 900), "cut off or damaged")])
def test_a_header_that_claims_too_much_is_refused_before_memory_is_reserved(
    nifti: Path, sizes: tuple[int, int, int], said: str
) -> None:
    raw = patched(nifti, DIM + 2, struct.pack("<3h", *sizes)).read_bytes()
    nifti.with_name("ct.nii.gz").write_bytes(gzip.compress(raw))
    for path in (nifti, nifti.with_name("ct.nii.gz")):
        with pytest.raises(ImageError, match=said):
            inspect(path)


@settings(max_examples=150, deadline=None)
@given(offset=st.integers(0, 351), content=st.binary(min_size=1, max_size=8))
def test_a_damaged_header_is_read_or_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, offset: int, content: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    array = np.arange(2 * 3 * 4).astype(np.int16).reshape(2, 3, 4)
    nib.save(nib.Nifti1Image(array, np.diag([-1.0, -1.0, 2.0, 1.0])), folder / "ct.nii")
    try:
        volume = read_image(patched(folder / "ct.nii", offset, content))
    except ImageError:
        assert "\n" not in refusal(folder / "ct.nii")
    else:
        assert np.isfinite(volume.array).all()
        assert min(volume.spacing) > 0
