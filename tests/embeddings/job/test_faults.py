"""A fault of the program costs a case no more than one run: it is logged whole, said to be one, and tried again."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from embeddings.imaging.images import ImageError, read_image
from embeddings.job import JobSettings, run_views
from embeddings.job.one_scan import Scan, prepared_items
from embeddings.job.planning.views import JobError, Recipe
from embeddings.store.store import Store
from flexict.volume import Volume
from tests.conftest import ROOT
from tests.embeddings.dicom_files import on_plane, write_ct_series, write_labelmap, write_rtstruct, write_seg

MakeCohort = Callable[..., Path]


def go(csv: Path, encoder: Any, *views: str, **options: Any) -> list[Any]:
    settings = JobSettings(encoder=encoder, views=views, device="cpu", workers=2, **options)
    return run_views(csv, csv.with_suffix(".duckdb"), settings, commit_s=0.1)


def failures(csv: Path) -> list[tuple[str, str, str]]:
    found = Store(csv.with_suffix(".duckdb")).failures()
    return list(zip(found["case_id"], found["stage_of_work"], found["reason"], strict=True))


@pytest.mark.parametrize("error", [KeyError("x"), AttributeError("partially initialized module"), ValueError("bug")])
def test_a_fault_in_reading_is_logged_whole_and_tried_again(
    make_cohort: MakeCohort,
    make_encoder: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    csv = make_cohort(3)

    def broken(path: Path, *_: object) -> Volume:
        raise type(error)(*error.args)  # each thread its own, with its own traceback

    with monkeypatch.context() as patched, caplog.at_level(logging.ERROR):
        patched.setattr("embeddings.job.preparation.prepare.read_mask", broken)
        lesion, volume = go(csv, make_encoder(), "lesion", "volume")
    assert (lesion.n_embedded, lesion.n_failed) == (0, 3)
    assert (volume.n_embedded, volume.n_unmeasured) == (3, 3)
    assert {case for case, _, _ in failures(csv)} == {"c0", "c1", "c2"}
    assert all("a fault of this program, not of the scan" in reason for _, _, reason in failures(csv))
    logged = [record.getMessage() for record in caplog.records]
    assert len(logged) == 3  # once a case, not once a set
    assert all("Traceback (most recent call last)" in text and "in broken" in text for text in logged)
    lesion, volume = go(csv, make_encoder(), "lesion", "volume")
    assert (lesion.n_embedded, lesion.n_failed, lesion.n_failed_before) == (3, 0, 0)
    assert failures(csv) == []
    assert len(Store(csv.with_suffix(".duckdb")).lesions()) == 3


def test_what_a_reader_says_of_a_scan_is_left_alone_and_not_logged(
    make_cohort: MakeCohort, make_encoder: Any, caplog: pytest.LogCaptureFixture
) -> None:
    csv = make_cohort(2)
    (csv.parent / "c1_ct.nii.gz").write_bytes(b"no image")
    assert go(csv, make_encoder(), "volume")[0].n_failed == 1
    assert go(csv, make_encoder(), "volume")[0].n_failed_before == 1
    assert not caplog.records
    assert "fault of this program" not in failures(csv)[0][2]


def test_a_fault_in_the_encoder_is_logged_whole_and_tried_again(
    make_cohort: MakeCohort, make_encoder: Any, caplog: pytest.LogCaptureFixture
) -> None:
    csv = make_cohort(2)

    def broken(batch: object) -> None:
        raise RuntimeError("out of memory")

    with caplog.at_level(logging.ERROR):
        assert go(csv, make_encoder(before=broken), "volume")[0].n_failed == 2
    assert all("failed: too little memory (RuntimeError: out of memory)" in reason for _, _, reason in failures(csv))
    assert all("in broken" in record.getMessage() for record in caplog.records)
    assert len(caplog.records) == 2
    assert go(csv, make_encoder(), "volume")[0].n_embedded == 2
    assert failures(csv) == []


def test_a_fault_is_not_kept_with_the_prepared_input(
    make_cohort: MakeCohort, make_encoder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = make_cohort(1)
    with monkeypatch.context() as patched:
        patched.setattr("embeddings.job.preparation.prepare.measure", lambda mask: 1 / 0)
        assert go(csv, make_encoder(), "volume", cache=tmp_path / "cache")[0].n_unmeasured == 1
    assert go(csv, make_encoder(), "volume", cache=tmp_path / "cache")[0].n_unmeasured == 0
    assert failures(csv) == []


def test_a_scan_that_is_looked_up_keeps_the_traceback_of_a_fault(
    make_cohort: MakeCohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = make_cohort(1)
    scan = Scan(csv.parent / "c0_ct.nii.gz", csv.parent / "c0_mask.nii.gz")
    recipe = Recipe("lesion", "lesion_mask", 1.5, 64.0, 1)

    def broken(*_: object) -> Volume:
        raise KeyError("x")

    with monkeypatch.context() as patched:
        patched.setattr("embeddings.job.preparation.prepare.read_mask", broken)
        with pytest.raises(RuntimeError, match="in broken") as raised:
            prepared_items(scan, recipe)
    assert not isinstance(raised.value, ImageError)
    (csv.parent / "none.nii.gz").write_bytes(b"no image")
    with pytest.raises(JobError, match="is not a NIfTI image"):
        prepared_items(Scan(scan.image, csv.parent / "none.nii.gz"), recipe)


IMPORTS = """
    import sys, threading
    from pathlib import Path
    from embeddings.exit_codes import run_command
    from embeddings.__main__ import parser

    class Watch:
        @staticmethod
        def find_spec(name, path=None, target=None):
            thread = threading.current_thread().name
            if thread.startswith(("reader", "encoder")):
                print("imported", name, "in", thread, flush=True)

    sys.meta_path.insert(0, Watch)
    sys.exit(run_command(parser().parse_args(sys.argv[1:]), when_interrupted=""))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_no_thread_that_reads_or_encodes_imports_anything(backend: str, tmp_path: Path) -> None:
    """A module that is imported by two threads at once may be seen half made: its cases were lost at random."""
    rng = np.random.default_rng(0)
    hu = Volume(rng.integers(-900, 200, (12, 32, 32)).astype(np.int16), (2.0, 2.0, 3.0), (0.0, 0.0, 0.0), np.eye(3))
    drawn = np.zeros(hu.shape, np.uint8)
    drawn[3:9, 8:20, 8:20] = 1
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    circle = np.column_stack([14 + 6 * np.sin(angle), 14 + 6 * np.cos(angle)])
    write_ct_series(tmp_path / "dicom", hu)
    for ending in ("nii.gz", "nrrd", "mha"):
        sitk.WriteImage(hu.to_sitk(), str(tmp_path / f"ct.{ending}"))
        sitk.WriteImage(Volume(drawn, hu.spacing, hu.origin, hu.direction).to_sitk(), str(tmp_path / f"mask.{ending}"))
    write_rtstruct(tmp_path / "rt.dcm", {"GTV": [on_plane(hu, z, circle) for z in range(3, 9)]})
    write_seg(tmp_path / "seg.dcm", hu, drawn)
    write_labelmap(tmp_path / "map.dcm", hu, drawn * 2, {2: "Tumour"})
    coarse = Volume(drawn, (2.0, 2.0, 3.1), hu.origin, hu.direction)
    sitk.WriteImage(coarse.to_sitk(), str(tmp_path / "coarse.nii.gz"))
    rows = ["ct.nii.gz,mask.nrrd", "ct.nrrd,mask.mha", "ct.mha,rt.dcm", "dicom,seg.dcm"]
    rows += ["ct.nii.gz,map.dcm", "ct.nrrd,coarse.nii.gz", "dicom,rt.dcm"]
    lines = [f"c{n},p,{row}" for n, row in enumerate(rows)]
    (tmp_path / "c.csv").write_text("\n".join(["case_id,patient_id,image_path,mask_path", *lines]) + "\n")
    words = ["embed", str(tmp_path / "c.csv"), "--db", str(tmp_path / "c.duckdb"), "--view", "lesion", "volume"]
    words += ["--workers", "3", "--backend", backend, "--device", "cpu", "--cache", str(tmp_path / "cache")]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(IMPORTS), *words],
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert [line for line in done.stdout.splitlines() if line.startswith("imported")] == []
    assert read_image(tmp_path / "dicom").shape == hu.shape
