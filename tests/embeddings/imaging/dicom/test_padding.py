"""Padding outside the field of view becomes air; other impossible CT values give a warning."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from embeddings import job
from embeddings.imaging.dicom.padding import padding_of, without_padding
from embeddings.imaging.images import inspect, read_image, read_scan
from embeddings.store.store import Store
from flexict.volume import Volume
from tests.embeddings.dicom_files import write_ct_series
from tests.embeddings.imaging.dicom.test_multiframe import write_enhanced
from tests.embeddings.job.conftest import TinyEncoder

N, SIDE = 5, 24


def hu(seed: int = 0) -> np.ndarray:
    array = np.random.default_rng(seed).integers(-1000, 1500, (N, SIDE, SIDE)).astype(np.int16)
    array[0, 12, 12] = 1072  # what a padding of 63536 leaves in twelve bits
    return array


def outside() -> np.ndarray:
    """The voxels outside a round field of view."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    return np.broadcast_to(np.hypot(y, x) > SIDE / 2, (N, SIDE, SIDE))


def scan(array: np.ndarray) -> Volume:
    return Volume(array, (0.8, 0.9, 2.5), (0.0, 0.0, 0.0), np.eye(3))


def padded_series(
    folder: Path, stored: int, *, signed: bool, bits: int = 16, declared: int | None = None, limit: int | None = None
) -> Path:
    """A series with an intercept of -1024 whose outside holds `stored`."""
    planes = iter(np.where(outside(), stored, hu().astype(int) + 1024))

    def change(ds: Dataset) -> None:
        ds.PixelRepresentation, ds.BitsStored, ds.HighBit = int(signed), bits, bits - 1
        ds.PixelData = (next(planes) & 0xFFFF).astype("<u2").tobytes()
        vr = "SS" if signed else "US"
        ds.add(pydicom.DataElement(0x00280120, vr, stored if declared is None else declared))
        if limit is not None:
            ds.add(pydicom.DataElement(0x00280121, vr, limit))

    return write_ct_series(folder, scan(hu()), change)


EXPECTED = np.where(outside(), -1024, hu())


@pytest.mark.parametrize(
    ("stored", "signed", "bits"),
    [
        (63536, False, 16),
        (65535, False, 16),
        (30000, True, 16),
        (-2000, True, 16),
        (63536, False, 12),
        (4095, False, 12),
    ],
)
def test_declared_padding_is_air(tmp_path: Path, stored: int, signed: bool, bits: int) -> None:
    volume, _, doubt = read_scan(padded_series(tmp_path / "ct", stored, signed=signed, bits=bits))
    np.testing.assert_array_equal(volume.array, EXPECTED)
    assert volume.array.dtype == np.int16
    assert doubt is None


@pytest.mark.parametrize(("value", "limit"), [(63000, 65535), (65535, 63000), (63536, 63536)])
def test_every_value_up_to_the_range_limit_is_padding(tmp_path: Path, value: int, limit: int) -> None:
    folder = padded_series(tmp_path / "ct", 63536, signed=False, declared=value, limit=limit)
    np.testing.assert_array_equal(read_image(folder).array, EXPECTED)


def test_padding_in_frames_is_air(tmp_path: Path) -> None:
    array = np.where(outside(), 30000, hu()).astype(np.int16)
    path = write_enhanced(tmp_path / "all.dcm", scan(array), PixelPaddingValue=31000)
    np.testing.assert_array_equal(read_image(path).array, EXPECTED)


def test_padding_of_each_slope_is_air(tmp_path: Path) -> None:
    array = np.where(outside(), 20000, hu()).astype(np.int32)
    slopes = [1.0, 2.0, 1.0, 1.0, 1.0]

    def stored_padding(number: int) -> int:
        return round((20000 + 1000) / slopes[number])

    # One declaration holds for all frames: the frame of another slope is not padded by it.
    path = write_enhanced(tmp_path / "all.dcm", scan(array), slopes=slopes, PixelPaddingValue=stored_padding(0))
    found, _, doubt = read_scan(path)
    np.testing.assert_array_equal(found.array[[0, 2, 3, 4]], EXPECTED[[0, 2, 3, 4]])
    assert found.array[1][outside()[1]].min() == 20000
    assert doubt is None  # 20,000 HU itself can be metal


def test_a_value_of_tissue_is_padding_only_outside_the_body(tmp_path: Path) -> None:
    array = hu()
    array[:, 8:16, 8:16] = 0  # water, inside
    planes = iter(np.where(outside(), 0, array))

    def change(ds: Dataset) -> None:
        ds.RescaleIntercept = 0
        ds.PixelData = next(planes).astype("<i2").tobytes()
        ds.add(pydicom.DataElement(0x00280120, "SS", 0))

    found = read_image(write_ct_series(tmp_path / "ct", scan(array), change)).array
    np.testing.assert_array_equal(found[outside()], -1024)
    np.testing.assert_array_equal(found[:, 8:16, 8:16], 0)


@settings(max_examples=200, deadline=None)
@given(
    value=st.integers(-(2**16), 2**16),
    limit=st.one_of(st.none(), st.integers(-(2**16), 2**16)),
    signed=st.booleans(),
    slope=st.sampled_from([1.0, 0.5, 2.0, -1.0]),
    intercept=st.integers(-2048, 2048),
)
def test_hu_is_padding_where_the_stored_value_is(
    value: int, limit: int | None, signed: bool, slope: float, intercept: int
) -> None:
    dtype = np.int16 if signed else np.uint16
    ends = [np.int64(end).astype(dtype) for end in (value, value if limit is None else limit)]
    tags = Dataset()
    tags.PixelRepresentation, tags.BitsStored = int(signed), 16
    tags.add(pydicom.DataElement(0x00280120, "SL", value, validation_mode=0))
    if limit is not None:
        tags.add(pydicom.DataElement(0x00280121, "SL", limit, validation_mode=0))
    found = padding_of(tags, (slope, intercept))
    assert found is not None
    around = [int(e) + d for e in ends for d in (-1, 0, 1)]
    stored = np.array([n for n in around if np.iinfo(dtype).min <= n <= np.iinfo(dtype).max])
    is_padding = (stored >= min(ends)) & (stored <= max(ends))
    low, high = found
    values = stored * slope + intercept
    np.testing.assert_array_equal((values > low) & (values < high), is_padding)


@pytest.mark.parametrize("value", [None, "", "many"])
def test_a_padding_value_that_is_not_a_number_is_ignored(value: str | None) -> None:
    tags = Dataset()
    tags.add(pydicom.DataElement(0x00280120, "LO", value))
    assert padding_of(tags, (1.0, -1024.0)) is None


def test_unsigned_voxels_can_become_air() -> None:
    voxels = np.array([[[65535, 5], [7, 9]]], np.uint16)
    np.testing.assert_array_equal(without_padding(voxels, [(65534.5, 65535.5)]), [[[-1024, 5], [7, 9]]])


# What is not declared


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.mha"])
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({(0, 0, 0): 62512}, r"from -1000 to 62512, with 1 voxel above 20,000 HU, denser than any metal"),
        ({(0, 0, 0): 20001, (0, 0, 1): 20001}, r"with 2 voxels above 20,000 HU"),
        ({(0, 0, 0): 20000}, None),
        ({(2, 9, 9): -1500}, r"from -1500 to \d+, with 1 voxel below -1,100 HU, less dense than air"),
        ({(0, 0, 0): -1500, (0, 0, 1): -1600}, r"with 2 voxels below -1,100 HU"),
        ({(2, 9, 9): -1101}, r"below -1,100 HU"),
        ({(2, 9, 9): -1100}, None),
        ({(0, 0, 0): -3024, (4, 5, 0): -3024}, None),  # padding, which surrounds
        ({}, None),
    ],
)
def test_impossible_ct_values_give_a_warning(
    tmp_path: Path, name: str, values: dict[tuple[int, int, int], int], words: str | None
) -> None:
    array = hu().astype(np.int32)
    array[0, 0, 2] = -1000
    for place, value in values.items():
        array[place] = value
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / name))
    volume, _, doubt = read_scan(tmp_path / name)
    assert volume.array.min() >= -1024
    if words is None:
        assert doubt is None
    else:
        assert doubt is not None
        assert re.search(words, doubt)


def test_an_intercept_applied_twice_gives_a_warning(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(hu() - np.int16(1024)), str(tmp_path / "a.nii.gz"))
    doubt = read_scan(tmp_path / "a.nii.gz")[2]
    assert doubt is not None
    assert "less dense than air" in doubt


def test_the_padding_of_a_real_series_is_air_without_a_warning(real_ct: Path) -> None:
    folder = real_ct / "dicom" / "CRLM-CT-1004" / "image"
    volume, _, doubt = read_scan(folder)
    assert doubt is None
    first = pydicom.dcmread(sorted(folder.iterdir())[0])
    padded = first.pixel_array == first.PixelPaddingValue
    assert padded.sum() > 10_000
    z = round(float(volume.index_of(tuple(map(float, first.ImagePositionPatient)))[0]))
    np.testing.assert_array_equal(volume.array[z][padded], -1024)


def test_a_warning_about_padding_is_stored_and_declared_padding_gives_none(tmp_path: Path) -> None:
    padded_series(tmp_path / "declared", 63536, signed=False)
    other = padded_series(tmp_path / "undeclared", 63536, signed=False)
    for file in other.iterdir():
        ds = pydicom.dcmread(file)
        del ds.PixelPaddingValue
        ds.save_as(file)
    csv = tmp_path / "cohort.csv"
    csv.write_text("case_id,patient_id,image_path\na,p,declared\nb,q,undeclared\n")
    job.run(csv, tmp_path / "out.duckdb", encoder=TinyEncoder(), view="volume", workers=1)
    doubts = Store(tmp_path / "out.duckdb").doubts()
    assert doubts["case_id"].tolist() == ["b"]
    n = int(outside().sum())
    assert f"from -1000 to 62512, with {n} voxels above 20,000 HU" in doubts["doubt"][0]
    assert inspect(other).notes == ()
