"""The job from files to vectors: only what is missing, and past what is bad."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from embeddings import job
from embeddings.imaging.images import read_image, read_mask
from embeddings.store.store import Store
from flexict.presets import presets
from flexict.presets.preprocess import Scan

MakeCohort = Callable[..., Path]


def go(csv: Path, encoder: Any, view: str = "volume", **options: Any) -> job.RunSummary:
    return job.run(csv, csv.parent / "out.duckdb", encoder=encoder, view=view, workers=2, **options)


def stored(csv: Path) -> Store:
    return Store(csv.parent / "out.duckdb")


def test_vectors_are_those_of_the_preset_and_rows_match_their_cases(make_cohort: MakeCohort, tiny: Any) -> None:
    csv = make_cohort(3)
    summary = go(csv, tiny)
    assert (summary.state, summary.n_planned, summary.n_embedded, summary.n_failed) == ("finished", 3, 3, 0)
    table, X = stored(csv).table(summary.set_id)
    assert table["item_id"].tolist() == ["c0/volume", "c1/volume", "c2/volume"]
    assert table["age"].tolist() == [50, 51, 52]
    for row, path in zip(X, table["image_path"], strict=True):
        expected = tiny.encode(presets.default(read_image(Path(path))).voxels()[None, None])[0]
        np.testing.assert_allclose(row, expected, atol=1e-6)


def test_lesions_are_measured_whatever_the_view(make_cohort: MakeCohort, tiny: Any) -> None:
    csv = make_cohort(2)
    go(csv, tiny, "volume")
    lesions = stored(csv).lesions()
    assert lesions["source"].tolist() == ["mask", "mask"]
    # A ball of 10 mm radius.
    np.testing.assert_allclose(lesions["volume_ml"], 4 / 3 * np.pi, rtol=0.1)
    np.testing.assert_allclose(lesions["equivalent_diameter_mm"], 20, rtol=0.05)
    np.testing.assert_allclose(lesions.loc[1, ["centroid_x", "centroid_y", "centroid_z"]].astype(float), [22, 60, -264])


def test_running_again_reads_and_encodes_nothing(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(3)
    go(csv, make_encoder())
    for path in csv.parent.glob("*.nii.gz"):
        before = path.stat()
        path.write_bytes(b"must not be read".ljust(before.st_size))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    again = make_encoder()
    summary = go(csv, again)
    assert (summary.n_planned, summary.n_done_before, summary.n_items) == (0, 3, 0)
    assert again.calls == []
    assert stored(csv).failures().empty


def test_new_rows_of_the_csv_are_all_that_is_embedded(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(4)
    whole = csv.read_text(encoding="utf-8")
    csv.write_text("\n".join(whole.splitlines()[:3]) + "\n")
    assert go(csv, make_encoder()).n_embedded == 2
    csv.write_text(whole)
    summary = go(csv, make_encoder())
    assert (summary.n_done_before, summary.n_embedded) == (2, 2)


def test_bad_scans_are_recorded_and_the_others_embedded(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(8)
    folder = csv.parent
    good = (folder / "c1_ct.nii.gz").read_bytes()
    (folder / "c1_ct.nii.gz").write_bytes(good[: len(good) // 2])
    (folder / "c2_ct.nii.gz").write_bytes(gzip.compress(b"this is no NIfTI" * 40))
    zeros = sitk.Image([20, 20, 20], sitk.sitkInt16)
    sitk.WriteImage(zeros, str(folder / "c3_ct.nii.gz"))
    nan = sitk.GetImageFromArray(np.full((20, 20, 20), np.nan, np.float32))
    sitk.WriteImage(nan, str(folder / "c4_ct.nii.gz"))
    sitk.WriteImage(sitk.Image([40, 40, 24], sitk.sitkUInt8), str(folder / "c5_mask.nii.gz"))
    (folder / "c6_ct.nii.gz").unlink()
    summary = go(csv, make_encoder())
    failures = stored(csv).failures().set_index("case_id")
    assert (summary.n_embedded, summary.n_failed, summary.n_refused) == (3, 4, 1)
    assert failures["stage_of_work"].to_dict() == {
        "c1": "read",
        "c2": "read",
        "c3": "read",
        "c4": "read",
        "c5": "measure",
        "c6": "validate",
    }
    assert summary.n_unmeasured == 1
    assert "1 lesion mask could not be measured" in summary.sentence()
    assert all(10 < len(reason) < 300 for reason in failures["reason"])
    assert stored(csv).vectors(summary.set_id)[0] == ["c0/volume", "c5/volume", "c7/volume"]

    (folder / "c1_ct.nii.gz").write_bytes(good)
    summary = go(csv, make_encoder())
    assert (summary.n_embedded, summary.n_failed, summary.n_failed_before) == (1, 0, 3)
    assert "3 failed before and were not tried again" in summary.sentence()
    failures = stored(csv).failures().set_index("case_id")
    assert "c1" not in failures.index
    assert failures.loc["c2", "attempts"] == 1
    summary = go(csv, make_encoder(), retry_failed=True)
    assert (summary.n_embedded, summary.n_failed, summary.n_failed_before) == (1, 3, 0)
    assert stored(csv).failures().set_index("case_id").loc["c2", "attempts"] == 2


def test_an_encoder_that_chokes_on_one_item_costs_that_item_alone(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(4)
    bad = presets.default(read_image(csv.parent / "c2_ct.nii.gz")).voxels()

    def choke(batch: np.ndarray[Any, Any]) -> None:
        if any(np.array_equal(item[0], bad) for item in batch):
            raise RuntimeError("out of memory")

    summary = go(csv, make_encoder(before=choke), batch_size=4)
    assert (summary.n_embedded, summary.n_failed) == (3, 1)
    row = stored(csv).failures().iloc[0]
    assert row[["case_id", "item_id", "stage_of_work"]].tolist() == ["c2", "c2/volume", "encode"]
    assert "out of memory" in row["reason"]
    assert go(csv, make_encoder(), batch_size=4).n_embedded == 1  # the scan is not to blame
    assert stored(csv).failures().empty


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda batch: np.full((len(batch), 12), np.nan, np.float32), "NaN or infinite"),
        (lambda batch: np.zeros((len(batch), 11), np.float32), r"an array of shape \[1, 11\], not \[1, 12\]"),
    ],
)
def test_vectors_that_are_no_vectors_are_not_stored(
    make_cohort: MakeCohort, tiny: Any, answer: Callable[..., Any], reason: str
) -> None:
    csv = make_cohort(1)
    tiny.encode = answer
    summary = go(csv, tiny)
    assert summary.n_failed == 1
    assert stored(csv).vectors(summary.set_id)[0] == []
    assert stored(csv).failures()["reason"].str.contains(reason).all()


def test_lesions_are_cropped_by_mask_or_else_by_seed(make_cohort: MakeCohort, tiny: Any) -> None:
    csv = make_cohort(2, seeds=True)
    by_mask = go(csv, tiny, "lesion")
    csv.write_text(csv.read_text(encoding="utf-8").replace("c0_mask.nii.gz", "").replace("c1_mask.nii.gz", ""))
    by_seed = go(csv, tiny, "lesion", seed_side_mm=32)
    sets = stored(csv).sets().set_index("set_id")
    assert sets.loc[by_mask.set_id, "preset"] == "lesion_mask@1.5"
    assert sets.loc[by_seed.set_id, "preset"] == "lesion_seed@32mm"
    volume = read_image(csv.parent / "c0_ct.nii.gz")
    mask = read_mask(csv.parent / "c0_mask.nii.gz", volume)
    crops = {
        by_mask.set_id: presets.lesion_mask(volume, mask, 1.5).voxels(),
        by_seed.set_id: presets.lesion_seed(volume, (20.0, 60.0, -264.0), 32.0).voxels(),
    }
    for set_id, crop in crops.items():
        ids, X = stored(csv).vectors(set_id)
        assert ids == ["c0/lesion", "c1/lesion"]
        np.testing.assert_allclose(X[0], tiny.encode(crop[None, None])[0], atol=1e-6)


def test_the_seed_preset_takes_the_centroid_of_a_mask_where_there_is_no_seed(
    make_cohort: MakeCohort, tiny: Any
) -> None:
    csv = make_cohort(1)
    set_id = go(csv, tiny, "lesion", preset="lesion_seed").set_id
    volume = read_image(csv.parent / "c0_ct.nii.gz")
    expected = tiny.encode(presets.lesion_seed(volume, (20.0, 60.0, -264.0), 64.0).voxels()[None, None])[0]
    np.testing.assert_allclose(stored(csv).vectors(set_id)[1][0], expected, atol=1e-6)


def test_a_case_that_lacks_what_the_preset_needs_is_a_failure_with_what_to_do(
    make_cohort: MakeCohort, tiny: Any
) -> None:
    csv = make_cohort(2, seeds=True)
    csv.write_text(csv.read_text(encoding="utf-8").replace("c1_mask.nii.gz", ""))
    summary = go(csv, tiny, "lesion")
    assert (summary.n_embedded, summary.n_failed) == (1, 1)
    assert "no lesion mask" in stored(csv).failures().loc[0, "reason"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"view": "lesions"}, "no view 'lesions'"),
        ({"view": "lesion"}, "no case has a lesion mask or a seed"),
        ({"view": "volume", "preset": "slice"}, "not one of the view volume"),
        ({"view": "slices", "slice_step": 0}, "slice step must be above 0"),
        ({"view": "volume", "batch_size": 0}, "batch size must be 1 or more"),
        ({"view": "lesion", "seed_side_mm": 3}, "seed side must be between 4 and 512 mm, not 3"),
        ({"view": "lesion", "scale": 1e9}, "scale must be at most 20"),
    ],
)
def test_a_job_that_cannot_start_says_why(
    make_cohort: MakeCohort, tiny: Any, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(job.JobError, match=sentence):
        go(make_cohort(1, masks=False), tiny, **options)


def test_a_view_that_the_encoder_does_not_take_is_refused(make_cohort: MakeCohort, make_encoder: Any) -> None:
    with pytest.raises(job.JobError, match="takes no volume: choose slices"):
        go(make_cohort(1), make_encoder(views={"slices": "slice"}))


def test_slices_keep_their_place_and_a_finer_step_adds_what_is_missing(
    make_cohort: MakeCohort, make_encoder: Any
) -> None:
    csv = make_cohort(2)
    coarse, fine, again = make_encoder(), make_encoder(), make_encoder()
    set_id = go(csv, coarse, "slices", slice_step=12).set_id
    items = stored(csv).items(set_id)
    assert items["item_id"].tolist() == [f"c{c}/slice/{z:04d}" for c in range(2) for z in (5, 17)]
    np.testing.assert_allclose(items["z_lps_mm"], [-285, -249, -285, -249])
    assert go(csv, fine, "slices").set_id == set_id
    assert (sum(coarse.calls), sum(fine.calls)) == (4, 44)
    ids, X = stored(csv).vectors(set_id)
    assert len(ids) == 48
    scan = Scan(read_image(csv.parent / "c1_ct.nii.gz"))
    pixels = [presets.axial_slice(scan, index).voxels() for index in range(scan.n_slices)]
    expected = fine.encode(np.stack(pixels)[:, None])
    np.testing.assert_allclose(X[24:], expected, rtol=2**-11, atol=1e-5)  # slices are stored in half precision
    assert go(csv, again, "slices", slice_step=6).n_planned == 0


def test_thumbnails_come_with_every_item_unless_refused(make_cohort: MakeCohort, tiny: Any) -> None:
    csv = make_cohort(1)
    go(csv, tiny, "volume", thumbnails=False)
    go(csv, tiny, "lesion")
    found = stored(csv).thumbnails(["c0/volume", "c0/lesion"])
    assert list(found) == ["c0/lesion"]
    assert found["c0/lesion"].png.startswith(b"\x89PNG")
    assert found["c0/lesion"].z_lps_mm == pytest.approx(-264)


def test_progress_counts_every_case_once(make_cohort: MakeCohort, tiny: Any) -> None:
    csv = make_cohort(3)
    (csv.parent / "c1_ct.nii.gz").write_bytes(b"bad")
    seen: list[tuple[int, int, int]] = []
    go(csv, tiny, progress=lambda p: seen.append((p.n_planned, p.n_done, p.n_failed)))
    assert seen[0] == (3, 0, 0)
    assert seen[-1] == (3, 2, 1)
    ended = [done + failed for _, done, failed in seen]
    assert ended == sorted(ended)
    assert set(ended) == {0, 1, 2, 3}


def test_a_cohort_marked_as_simulated_makes_a_simulated_store(make_cohort: MakeCohort, tiny: Any) -> None:
    csv = make_cohort(1)
    go(csv, tiny)
    assert not stored(csv).info().simulated
    (csv.parent / "SIMULATED.txt").write_text("simulated\n")
    go(csv, tiny)
    assert stored(csv).info().simulated
