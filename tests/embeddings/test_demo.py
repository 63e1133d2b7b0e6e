"""The demonstration cohort is what its CSV says it is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from scipy.stats import spearmanr

from embeddings import demo
from embeddings.demo import STAGES, write_demo_cohort
from flexict.errors import FlexiCTError

N_PATIENTS = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo")
    write_demo_cohort(path, n_patients=N_PATIENTS, seed=5, spacing_mm=6.0)
    return path


@pytest.fixture(scope="module")
def cases(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "cohort.csv")


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_says_that_it_is_simulated(folder: Path, cases: pd.DataFrame) -> None:
    assert (cases["simulated"] == "yes").all()
    assert (folder / "SIMULATED.txt").is_file()
    assert "simulated" in (folder / "README.txt").read_text(encoding="utf-8")


def test_every_file_is_there_and_case_ids_are_unique(folder: Path, cases: pd.DataFrame) -> None:
    assert cases["case_id"].is_unique
    for name in pd.concat([cases["image_path"], cases["mask_path"]]):
        assert not Path(name).is_absolute()
        assert (folder / name).is_file()
    assert not list(folder.rglob("*.partial"))


def test_all_stages_are_populated_and_rise_with_severity(cases: pd.DataFrame) -> None:
    assert set(cases["t_stage"]) == set(STAGES)
    rank = cases["t_stage"].map(STAGES.index)
    assert spearmanr(rank, cases["true_severity"]).statistic > 0.9
    for name in ("true_diameter_mm", "true_spiculation", "true_solid_fraction"):
        assert spearmanr(rank, cases[name]).statistic > 0.5


def test_scanners_are_balanced_within_stages(cases: pd.DataFrame) -> None:
    counts = cases[cases["visit"] == 1].groupby(["t_stage", "scanner"]).size().unstack(fill_value=0)
    assert (counts["A"] - counts["B"]).abs().max() <= 2


def test_patients_scanned_twice_share_id_sex_and_side_and_have_grown(cases: pd.DataFrame) -> None:
    sizes = cases.groupby("patient_id").size()
    assert len(sizes) == N_PATIENTS
    assert (sizes == 2).sum() == round(N_PATIENTS * 12 / 90)
    for _, pair in cases[cases["patient_id"].isin(sizes[sizes == 2].index)].groupby("patient_id"):
        first, second = pair.sort_values("visit").to_dict("records")
        for name in ("sex", "true_side", "true_lobe", "true_emphysema", "event"):
            assert first[name] == second[name]
        assert second["true_severity"] > first["true_severity"]
        assert second["true_volume_ml"] > first["true_volume_ml"]
        elapsed = second["days_since_first_scan"]
        assert first["survival_days"] - second["survival_days"] == elapsed > 0
    assert (cases["survival_days"] > 0).all()


def test_truth_agrees_with_the_masks(folder: Path, cases: pd.DataFrame) -> None:
    for row in cases.itertuples():
        mask = nib.load(folder / row.mask_path)
        voxels = np.asarray(mask.dataobj)
        assert set(np.unique(voxels)) == {0, 1}
        volume_ml = voxels.sum() * np.prod(mask.header.get_zooms()) / 1000.0
        assert volume_ml == pytest.approx(row.true_volume_ml, abs=1e-3)
        assert np.cbrt(6000 * volume_ml / np.pi) == pytest.approx(row.true_diameter_mm, abs=1e-2)


def test_nifti_carries_the_lps_geometry_as_ras(folder: Path, cases: pd.DataFrame) -> None:
    row = cases.iloc[0]
    truth = json.loads((folder / "truth" / f"{row.case_id}.json").read_text(encoding="utf-8"))["truth"]
    mask = nib.load(folder / row.mask_path)
    assert nib.aff2axcodes(mask.affine) == ("L", "P", "S")
    assert mask.header.get_xyzt_units()[0] == "mm"
    centroid_ras = nib.affines.apply_affine(mask.affine, np.argwhere(np.asarray(mask.dataobj)).mean(axis=0))
    expected = (-truth["centroid_x"], -truth["centroid_y"], truth["centroid_z"])
    np.testing.assert_allclose(centroid_ras, expected, atol=1e-2)

    image = sitk.ReadImage(str(folder / row.image_path))
    assert image.GetPixelID() == sitk.sitkInt16
    np.testing.assert_allclose(image.GetDirection(), np.eye(3).ravel(), atol=1e-6)
    np.testing.assert_allclose(image.GetOrigin(), mask.affine[:3, 3] * [-1, -1, 1], atol=1e-4)
    liver = image.TransformPhysicalPointToIndex((-60.0, 0.0, -92.0))
    assert 0 < image[liver] < 220


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    for name, seed, workers in (("a", 1, 1), ("b", 1, 3), ("c", 2, 2)):
        write_demo_cohort(tmp_path / name, n_patients=6, seed=seed, spacing_mm=6.0, workers=workers)
    a, b, c = (digests(tmp_path / name) for name in "abc")
    assert a == b
    assert a["cohort.csv"] != c["cohort.csv"]


def test_interrupted_run_leaves_whole_files_and_is_taken_up(tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise StoppedError

    settings = {"n_patients": 6, "seed": 3, "spacing_mm": 6.0, "workers": 1}
    with pytest.raises(StoppedError):
        write_demo_cohort(tmp_path / "cut", progress=stop, **settings)
    assert not (tmp_path / "cut" / "cohort.csv").exists()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cut" / "images").iterdir()}
    assert 2 <= len(kept) < 7
    for path in kept:
        assert nib.load(path).get_fdata().shape[0] > 10

    write_demo_cohort(tmp_path / "cut", **settings)
    write_demo_cohort(tmp_path / "whole", **settings)
    assert digests(tmp_path / "cut") == digests(tmp_path / "whole")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_lost_file_is_written_again(tmp_path: Path) -> None:
    settings = {"n_patients": 6, "seed": 3, "spacing_mm": 6.0}
    csv = write_demo_cohort(tmp_path, **settings)
    before = digests(tmp_path)
    (tmp_path / pd.read_csv(csv)["mask_path"][0]).unlink()
    write_demo_cohort(tmp_path, **settings)
    assert digests(tmp_path) == before


def test_progress_counts_every_scan(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    csv = write_demo_cohort(
        tmp_path, n_patients=6, spacing_mm=6.0, progress=lambda done, total: seen.append((done, total))
    )
    total = len(pd.read_csv(csv))
    assert seen == [(i + 1, total) for i in range(total)]


def test_refuses_a_folder_of_something_else(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match="choose another folder"):
        write_demo_cohort(folder, n_patients=N_PATIENTS, seed=6, spacing_mm=6.0)
    (tmp_path / "cohort.csv").write_text("case_id\nmine\n")
    with pytest.raises(FileExistsError, match="another"):
        write_demo_cohort(tmp_path)
    assert (tmp_path / "cohort.csv").read_text(encoding="utf-8") == "case_id\nmine\n"


def test_refuses_impossible_settings(tmp_path: Path) -> None:
    with pytest.raises(FlexiCTError, match="at least 6"):
        write_demo_cohort(tmp_path, n_patients=5)
    with pytest.raises(FlexiCTError, match="spacing"):
        write_demo_cohort(tmp_path, spacing_mm=0.0)


def test_survival_falls_with_severity_and_scanner_says_nothing_about_it() -> None:
    plan = pd.DataFrame([vars(case) for case in demo._plan(600, 0)])
    first = plan[plan["visit"] == 0]
    assert spearmanr(first["severity"], first["survival_days"]).statistic < -0.25
    assert 0.3 < first["event"].mean() < 0.9
    severity = first.groupby("scanner")["severity"].mean()
    assert abs(severity["A"] - severity["B"]) < 0.02
