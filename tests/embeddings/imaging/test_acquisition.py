"""How a scan was acquired: read from its file and stored, without anything that identifies a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from embeddings.imaging.acquisition import acquisition_of, scanner_settings
from embeddings.imaging.image_header import ScannerSettings
from embeddings.imaging.images import inspect
from embeddings.records import AcquisitionRecord
from embeddings.store.schema import ACQUISITION_COLUMNS
from embeddings.store.store import Store

Make = Callable[..., Any]
IDENTIFYING = {
    "PatientName": "Doe^Jane",
    "PatientID": "MRN-4711",
    "PatientBirthDate": "19500102",
    "StudyDate": "20200304",
    "InstitutionName": "St Elsewhere",
    "StationName": "CT-ROOM-7",
    "DeviceSerialNumber": "SN-998877",
    "AccessionNumber": "ACC-31415",
}


def series(folder: Path, axes: tuple[int, ...] = (1, 0, 0, 0, 1, 0), **tags: object) -> Path:
    """Four slices of 6 x 8 voxels, 2.5 mm apart along the normal of `axes`."""
    folder.mkdir()
    normal = np.cross(axes[:3], axes[3:])
    rng = np.random.default_rng(0)
    for n in range(4):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.Modality = "1.2.3.4", "1.2.3", "CT"
        ds.ImagePositionPatient = [float(v) for v in normal * n * 2.5]
        ds.ImageOrientationPatient = list(axes)
        ds.PixelSpacing = [0.7, 0.7]
        ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 6, 8, 1, "MONOCHROME2"
        ds.BitsAllocated = ds.BitsStored = 16
        ds.HighBit, ds.PixelRepresentation, ds.RescaleSlope, ds.RescaleIntercept = 15, 1, 1, -1024
        ds.PixelData = rng.integers(0, 3000, (6, 8)).astype("<i2").tobytes()
        for name, value in tags.items():
            setattr(ds, name, value)
        ds.save_as(folder / f"{n}.dcm")
    return folder


def dataset(**tags: object) -> Dataset:
    found = Dataset()
    for name, value in tags.items():
        setattr(found, name, value)
    return found


def test_a_dicom_series_states_grid_and_scanner(tmp_path: Path) -> None:
    folder = series(
        tmp_path / "ct",
        SliceThickness=3.0,
        Manufacturer="SIEMENS ",
        ManufacturerModelName="SOMATOM Force",
        ConvolutionKernel=["Br40d", "3"],
        KVP=100,
    )
    assert acquisition_of("c", inspect(folder)) == AcquisitionRecord(
        case_id="c",
        spacing_xy_mm=0.7,
        spacing_z_mm=2.5,
        n_slices=4,
        slice_thickness_mm=3.0,
        manufacturer="SIEMENS",
        scanner_model="SOMATOM Force",
        kernel="Br40d, 3",
        kvp=100.0,
    )


def test_slices_of_a_coronal_series_are_counted_along_its_stack(tmp_path: Path) -> None:
    found = acquisition_of("c", inspect(series(tmp_path / "ct", axes=(1, 0, 0, 0, 0, -1))))
    assert (found.spacing_xy_mm, found.spacing_z_mm, found.n_slices) == (0.7, 2.5, 4)


def test_nothing_that_identifies_is_read_from_dicom(tmp_path: Path) -> None:
    header = inspect(series(tmp_path / "ct", Manufacturer="GE", **IDENTIFYING))
    found = acquisition_of("c", header)
    told = f"{header.scanner} {found}"
    assert not [value for value in (*IDENTIFYING.values(), "1.2.3") if value in told]
    assert tuple(f.name for f in fields(AcquisitionRecord)) == ("case_id", *ACQUISITION_COLUMNS)


def test_the_series_of_a_real_scanner(real_ct: Path) -> None:
    folder = real_ct / "dicom" / "CRLM-CT-1004" / "image"
    slices = [pydicom.dcmread(file, stop_before_pixels=True) for file in folder.iterdir()]
    heights = sorted(float(s.ImagePositionPatient[2]) for s in slices)
    found = asdict(acquisition_of("c", inspect(folder)))
    assert found["n_slices"] == len(slices) == 41
    assert found["spacing_z_mm"] == pytest.approx(np.median(np.diff(heights)), abs=1e-3)
    assert found["spacing_xy_mm"] == pytest.approx(float(slices[0].PixelSpacing[0]), abs=1e-4)
    assert [found[name] for name in ACQUISITION_COLUMNS[3:]] == [
        float(slices[0].SliceThickness),
        slices[0].Manufacturer,
        slices[0].ManufacturerModelName,
        slices[0].ConvolutionKernel,
        float(slices[0].KVP),
    ]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_slices_of_a_nifti_are_counted_along_the_patient_for_any_order_of_axes(
    tmp_path: Path, order: tuple[int, int, int]
) -> None:
    affine, shape, spacing = np.zeros((4, 4)), [0, 0, 0], (0.8, 0.8, 3.0)
    affine[3, 3] = 1
    for index, axis in enumerate(order):  # index axis -> patient axis
        affine[axis, index], shape[index] = spacing[axis], (10, 12, 7)[axis]
    values = np.random.default_rng(0).integers(-1000, 500, shape).astype(np.int16)
    nib.save(nib.Nifti1Image(values, affine), tmp_path / "ct.nii.gz")
    found = acquisition_of("c", inspect(tmp_path / "ct.nii.gz"))
    assert found == AcquisitionRecord("c", spacing_xy_mm=0.8, spacing_z_mm=3.0, n_slices=7)


def test_the_most_frequent_value_of_the_slices_is_used_and_missing_ones_are_ignored() -> None:
    slices = [
        dataset(KVP=120, ConvolutionKernel="B30f"),
        dataset(KVP=140, ConvolutionKernel=""),
        dataset(KVP=140),
        dataset(ConvolutionKernel="B30f"),
        dataset(ConvolutionKernel="B70f"),
    ]
    assert scanner_settings(slices) == ScannerSettings(kernel="B30f", kvp=140.0)


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize("value", ["", None, "0", "-1", "1e9", "nan", "inf"])
def test_impossible_numbers_count_as_missing(value: str | None) -> None:
    assert scanner_settings([dataset(KVP=value, SliceThickness=value)]) == ScannerSettings()


@pytest.mark.parametrize("marker", ["UNKNOWN", "N/A", "[Not Available]", "-"])
def test_a_kernel_or_scanner_that_says_it_is_unknown_is_missing(marker: str) -> None:
    slices = [dataset(ConvolutionKernel=marker, Manufacturer=marker, ManufacturerModelName="Force")]
    assert scanner_settings(slices) == ScannerSettings(scanner_model="Force")


def test_an_unreadable_number_is_missing_and_the_rest_is_read(tmp_path: Path) -> None:
    folder = series(tmp_path / "ct", KVP="123456", Manufacturer="GE")
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes().replace(b"123456", b"high! "))
    found = acquisition_of("c", inspect(folder))
    assert (found.kvp, found.manufacturer, found.n_slices) == (None, "GE", 4)


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_any_scanner_name_becomes_one_printable_line(text: str) -> None:
    found = scanner_settings([dataset(Manufacturer=text)]).manufacturer
    assert found is None or (
        found == found.strip() and 0 < len(found) <= 64 and "\n" not in found and "\0" not in found
    )


def record(case_id: str, **changes: object) -> AcquisitionRecord:
    values: dict[str, Any] = {"spacing_xy_mm": 0.7, "spacing_z_mm": 2.5, "n_slices": 80}
    return AcquisitionRecord(case_id, **(values | changes))


def test_acquisitions_are_joined_to_cases_without_empty_columns(store: Store, identity: Make, items: Make) -> None:
    set_id = store.open_set(identity())
    store.commit(
        set_id,
        items(["c0", "c1"]),
        acquisitions=[record("c0", kvp=120.0), record("c1", n_slices=90), record("c2", kernel="sharp")],
    )
    table, X = store.table(set_id)
    assert table["n_slices"].tolist() == [80, 90]
    assert table["kvp"].tolist()[0] == 120.0
    assert not {"kernel", "manufacturer", "scanner_model", "slice_thickness_mm"} & set(table.columns)
    assert len(X) == 2
    assert set(ACQUISITION_COLUMNS) <= set(store.joined(set_id).column_names)
    assert store.acquisitions()["case_id"].tolist() == ["c0", "c1", "c2"]


def test_reading_a_scan_again_replaces_its_acquisition(store: Store, identity: Make, items: Make) -> None:
    set_id = store.open_set(identity())
    store.commit(set_id, items(["c0"]), acquisitions=[record("c0", kernel="soft")])
    store.commit(set_id, acquisitions=[record("c0", spacing_z_mm=1.0)])
    table, _ = store.table(set_id)
    assert table["spacing_z_mm"].tolist() == [1.0]
    assert "kernel" not in table.columns


def test_a_column_of_the_csv_keeps_its_name_and_its_values(
    store: Store, cohort: Any, identity: Make, items: Make
) -> None:
    for case in cohort.cases:
        case.covariates = {"KVP": "high", "n_slices": 3}
    store.register_cohort(cohort)
    set_id = store.open_set(identity())
    store.commit(set_id, items(["c0"]), acquisitions=[record("c0", kvp=120.0)])
    table, _ = store.table(set_id)
    assert table[["KVP", "n_slices", "spacing_xy_mm"]].to_numpy().tolist() == [["high", 3, 0.7]]
    assert len({name.casefold() for name in table.columns}) == len(table.columns)


def test_sets_of_one_file_export_the_same_columns(store: Store, identity: Make, items: Make) -> None:
    sets = [store.open_set(identity(view=view)) for view in ("lesion", "volume")]
    store.commit(sets[0], items(["c0"]), acquisitions=[record("c0")])
    assert store.joined(sets[0]).schema == store.joined(sets[1]).schema
    assert pd.isna(store.joined(sets[0])["kvp"].to_pylist()[0])
