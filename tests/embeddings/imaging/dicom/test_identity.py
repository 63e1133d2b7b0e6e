"""Patient, place, device and date in DICOM files reach no database and no run record."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pytest
from pydicom.dataset import Dataset

from embeddings import job
from embeddings.cohort.read import read_cohort
from flexict.volume import Volume
from tests.embeddings.dicom_files import write_ct_series, write_rtstruct, write_seg
from tests.embeddings.job.conftest import TinyEncoder

WORD = "CANARY"
NAMES = [
    "PatientName",
    "OtherPatientNames",
    "PatientBirthName",
    "PatientMotherBirthName",
    "ReferringPhysicianName",
    "PerformingPhysicianName",
    "OperatorsName",
    "PhysiciansOfRecord",
    "NameOfPhysiciansReadingStudy",
    "ContentCreatorName",
    "ReviewerName",
]
TEXTS = [
    "PatientID",
    "OtherPatientIDs",
    "PatientAddress",
    "PatientComments",
    "PatientTelephoneNumbers",
    "AdditionalPatientHistory",
    "MilitaryRank",
    "Occupation",
    "InstitutionName",
    "InstitutionAddress",
    "InstitutionalDepartmentName",
    "StationName",
    "DeviceSerialNumber",
    "DetectorID",
    "PlateID",
    "GantryID",
    "SoftwareVersions",
    "AccessionNumber",
    "StudyID",
    "AdmissionID",
    "IssuerOfPatientID",
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "RequestedProcedureDescription",
    "PerformedProcedureStepDescription",
    "PerformedProcedureStepID",
    "ReasonForTheRequestedProcedure",
    "ImageComments",
    "DerivationDescription",
    "ContentDescription",
    "StructureSetLabel",
    "StructureSetName",
    "StructureSetDescription",
    "PerformedStationName",
    "ScheduledStationAETitle",
]
DAY, TIME, CODE = "19370813", "094713.771", "777Y"
DATES = [
    "PatientBirthDate",
    "StudyDate",
    "SeriesDate",
    "AcquisitionDate",
    "ContentDate",
    "InstanceCreationDate",
    "StructureSetDate",
    "DateOfLastCalibration",
]
TIMES = ["PatientBirthTime", "StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime", "StructureSetTime"]
UIDS = [
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "FrameOfReferenceUID",
    "DeviceUID",
    "SynchronizationFrameOfReferenceUID",
    "ConcatenationUID",
    "IrradiationEventUID",
]
ROOT = "1.2.826.0.1.7766554"
# Of dates also what a database or a record would make of them.
CANARIES = [WORD, DAY, "1937-08-13", TIME, "09:47:13", CODE, ROOT]

LONG = [canary for canary in CANARIES if len(canary) > len(CODE)]  # not met by chance in bytes that are no text


def mark(ds: Dataset) -> None:
    """Every identifying tag, private ones and nested ones too, says something that can be found again."""
    for name in NAMES:
        setattr(ds, name, f"{WORD}^{name}"[:60])
    for name in TEXTS:
        setattr(ds, name, f"{WORD} {name}"[:16])
    for name in DATES:
        setattr(ds, name, DAY)
    for name in TIMES:
        setattr(ds, name, TIME)
    ds.PatientAge, ds.ContentLabel = CODE, f"{WORD}_LABEL"
    for i, name in enumerate(UIDS):
        setattr(ds, name, f"{ROOT}.{i}.{ds.SOPInstanceUID}"[:64] if name == "SOPInstanceUID" else f"{ROOT}.{i}")
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.ImplementationVersionName = WORD
    ds.file_meta.SourceApplicationEntityTitle = WORD
    block = ds.private_block(0x0029, f"{WORD} CREATOR", create=True)
    block.add_new(0x10, "LO", f"{WORD} private")
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID = f"{WORD} other id", WORD
    ds.OtherPatientIDsSequence = [other]
    series = Dataset()
    series.SeriesInstanceUID = f"{ROOT}.99"
    ds.ReferencedSeriesSequence = [series]
    for segment in ds.get("SegmentSequence", []):
        segment.SegmentLabel = segment.SegmentDescription = segment.TrackingID = f"{WORD} segment"
        segment.TrackingUID = f"{ROOT}.50"
    for roi in ds.get("StructureSetROISequence", []):
        roi.ROIName, roi.ROIDescription = f"{WORD} {roi.ROIName}", WORD
        roi.ReferencedFrameOfReferenceUID = f"{ROOT}.3"


@dataclass
class Study:
    """A folder with a cohort, the CSV of which grows."""

    folder: Path
    grid: Volume
    lines: list[str]

    def add(self, case: str, image: Path, mask: Path | None = None) -> None:
        patient = f"p{len(self.lines) // 2}"
        self.lines.append(f"{case},{patient},{image.name},{'' if mask is None else mask.name}")

    def ct(self, name: str, change: Callable[[Dataset], None] = lambda ds: None, seed: int = 0) -> Path:
        hu = np.random.default_rng(seed).normal(-300, 250, self.grid.shape).clip(-1000, 500).astype(np.int16)
        volume = Volume(hu, self.grid.spacing, self.grid.origin, self.grid.direction)

        def both(ds: Dataset) -> None:
            mark(ds)
            change(ds)

        return write_ct_series(self.folder / name, volume, both)

    def csv(self) -> Path:
        path = self.folder / "cohort.csv"
        path.write_text("\n".join(["case_id,patient_id,image_path,mask_path", *self.lines]) + "\n")
        return path


def outline(grid: Volume, z: float, low: float = 6.5, high: float = 20.5) -> np.ndarray:
    return grid.lps_of(np.array([[z, low, low], [z, low, high], [z, high, high], [z, high, low]]))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Good, doubtful and failing cases of every kind of file."""
    folder = tmp_path_factory.mktemp("cohort")
    grid = Volume(np.zeros((12, 28, 30), np.int16), (2.0, 2.0, 3.0), (-10.0, 20.0, -300.0), np.eye(3))
    study = Study(folder, grid, [])
    solid = np.zeros(grid.shape, bool)
    solid[4:8, 8:20, 8:20] = True
    rings = [outline(grid, z) for z in (4, 5, 6)]
    seg = write_seg(folder / "seg.dcm", grid, solid, change=mark)
    rt = write_rtstruct(folder / "rt.dcm", {"GTV": rings, "BODY": rings}, change=mark)
    study.add("good-seg", study.ct("ct0"), seg)
    study.add("good-rt", study.ct("ct1", seed=1), rt)

    def positive(ds: Dataset) -> None:
        ds.RescaleIntercept = 0

    study.add("doubtful", study.ct("ct2", positive, seed=2), seg)

    two = study.ct("ct3", seed=3)
    for path in sorted((study.ct("ct3b", seed=4)).iterdir())[:8]:
        whole = path.read_bytes().replace(f"{ROOT}.1\0".encode(), f"{ROOT}.8\0".encode())
        assert f"{ROOT}.8".encode() in whole
        (two / f"{WORD.lower()[::-1]}{path.name}").write_bytes(whole)
    study.add("two-series", two, seg)

    cut = study.ct("ct4", seed=5)
    (cut / "005.dcm").write_bytes((cut / "005.dcm").read_bytes()[:-400])
    study.add("cut-pixels", cut)
    torn = study.ct("ct5", seed=6)
    (torn / "005.dcm").write_bytes((torn / "005.dcm").read_bytes()[:700])
    study.add("cut-header", torn)
    gap = study.ct("ct6", seed=7)
    (gap / "005.dcm").unlink()
    study.add("slice-missing", gap)

    def other_modality(ds: Dataset) -> None:
        ds.Modality = "MR"

    study.add("no-ct", study.ct("ct7", other_modality))

    def no_place(ds: Dataset) -> None:
        del ds.ImagePositionPatient

    study.add("no-position", study.ct("ct8", no_place))
    study.add("no-folder", folder / "gone")

    image = study.ct("ct9", seed=8)
    bad_masks = {
        "rois": write_rtstruct(folder / "rois.dcm", {"GTV 1": rings, "GTV 2": rings}, change=mark),
        "no-gtv": write_rtstruct(folder / "nogtv.dcm", {"one": rings, "two": rings}, change=mark),
        "open": write_rtstruct(folder / "open.dcm", {"GTV": rings}, kind="OPEN_PLANAR", change=mark),
        "far": write_rtstruct(folder / "far.dcm", {"GTV": [outline(grid, 40)]}, change=mark),
        "segments": write_seg(folder / "segments.dcm", grid, solid, segments=(1, 2), change=mark),
        "shifted": write_seg(folder / "shifted.dcm", grid, solid, [(z, 0.5, 0) for z in range(12)], change=mark),
        "empty": write_seg(folder / "empty.dcm", grid, np.zeros(grid.shape, int), change=mark),
        "labelmap": write_seg(
            folder / "labelmap.dcm", grid, solid, change=lambda ds: (mark(ds), setattr(ds, "SegmentationType", WORD))
        ),
    }
    for share in (0.3, 0.6, 0.97):
        for whole in (seg, rt):
            path = folder / f"cut-{share}-{whole.name}"
            path.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
            bad_masks[path.stem] = path
    # Several rows may name an image only where their lesions differ.
    for name, mask in bad_masks.items():
        study.add(f"mask-{name}", image, mask)
    study.lines = [line.replace(line.split(",")[1], "p9") if ",ct9," in line else line for line in study.lines]
    return study


def everything_in(db: Path) -> str:
    """Every value of every table and view, as text."""
    parts = []
    with duckdb.connect(str(db), read_only=True) as connection:
        for (table,) in connection.execute("SELECT table_name FROM information_schema.tables").fetchall():
            rows = connection.execute(f'SELECT * FROM "{table}"')
            parts.append(" ".join(column[0] for column in rows.description))
            for row in rows.fetchall():
                parts.append(" | ".join(v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in row))
    return "\n".join(parts)


def leaks(text: str, canaries: Sequence[str] = CANARIES) -> list[str]:
    """The canaries in a text, each with its surroundings."""
    found = []
    for canary in canaries:
        at = text.upper().find(canary.upper())
        if at >= 0:
            found.append(f"{canary}: {text[max(0, at - 120) : at + 80]!r}")
    return found


def test_the_files_contain_what_is_searched_for(study: Study) -> None:
    for name in ("ct0/000.dcm", "seg.dcm", "rt.dcm"):
        whole = (study.folder / name).read_bytes().decode("latin-1")
        for canary in (WORD, DAY, TIME, CODE, ROOT):
            assert canary in whole


@pytest.mark.parametrize("views", [("volume",), ("lesion", "slices")], ids=lambda v: "-".join(v))
def test_nothing_that_identifies_is_stored(study: Study, views: tuple[str, ...], tmp_path: Path) -> None:
    db = tmp_path / "out.duckdb"
    printed = io.StringIO()
    kept = tmp_path / "cache"
    with redirect_stdout(printed), redirect_stderr(printed):
        summaries = [
            job.run(study.csv(), db, encoder=TinyEncoder(), view=view, workers=1, retry_failed=True, cache=kept)
            for view in views
        ]
    stored = everything_in(db)
    # The run met what it was meant to meet.
    assert all(summary.n_embedded >= 2 for summary in summaries)
    assert all(summary.n_failed >= 5 for summary in summaries)
    for said in (
        "contains 2 ROIs, 2 of them with GTV",
        "contains 2 segments (1, 2)",
        "outlines outside its CT",
        "lacks 1 slice",
    ):
        assert said in stored
    records = sorted((tmp_path / "out.runs").glob("*.json"))
    assert len(records) == len(views)
    assert leaks(stored) == []
    assert any(path.is_file() for path in kept.rglob("*"))
    for path in (found for found in tmp_path.rglob("*") if found.is_file()):
        raw = path.read_bytes().upper()
        assert [c for c in LONG for coding in ("latin-1", "utf-16-le") if c.encode(coding) in raw] == [], path.name
    assert leaks(printed.getvalue()) == []


def test_the_report_of_a_cohort_names_nobody(study: Study) -> None:
    report = read_cohort(study.csv())
    said = {
        kind: "\n".join(p.reason for p in report.problems if p.column == kind) for kind in ("image_path", "mask_path")
    }
    assert "contains 2 ROIs, 2 of them with GTV" in said["mask_path"]
    assert leaks(said["mask_path"]) == []
    # Which of several series is read may be told by its UID: the report is shown, and not kept.
    assert leaks(said["image_path"], [canary for canary in CANARIES if canary != ROOT]) == []
