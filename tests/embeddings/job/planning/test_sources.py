"""Scans that change under an unchanged case id, and scans whose values may not be HU."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from embeddings import job
from embeddings.imaging.images import read_image, read_mask
from embeddings.store.status import status, status_text
from embeddings.store.store import Store
from flexict.presets import presets
from flexict.presets.preprocess import Scan
from tests.embeddings.dicom_files import box, on_plane, write_rtstruct

MakeCohort = Callable[..., Path]


def go(csv: Path, encoder: Any, view: str = "volume", **options: Any) -> job.RunSummary:
    return job.run(csv, csv.parent / "out.duckdb", encoder=encoder, view=view, workers=2, **options)


def stored(csv: Path) -> Store:
    return Store(csv.parent / "out.duckdb")


def rewrite(path: Path, change: Callable[[Any], Any]) -> None:
    """Change the voxels `[z, y, x]` of an image in place."""
    image = sitk.ReadImage(str(path))
    changed = sitk.GetImageFromArray(change(sitk.GetArrayFromImage(image)))
    changed.SetSpacing(image.GetSpacing())
    changed.SetOrigin(image.GetOrigin())
    sitk.WriteImage(changed, str(path))


def test_a_scan_that_changed_is_embedded_anew_and_named(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(3)
    set_id = go(csv, make_encoder()).set_id
    before = stored(csv).vectors(set_id)[1].copy()
    pictures = stored(csv).thumbnails(["c1/volume"])
    stored_before = Store(csv.parent / "out.duckdb", read_only=False)
    stored_before.save_projection(set_id, {"method": "pca"}, ["c0/volume"], np.zeros((1, 2)))
    rewrite(csv.parent / "c1_ct.nii.gz", lambda hu: hu[::-1, ::-1] // 2)
    again = make_encoder()
    summary = go(csv, again)
    assert (summary.n_planned, summary.n_done_before, summary.n_embedded, sum(again.calls)) == (1, 2, 1, 1)
    assert summary.changed == ("c1",)
    assert "1 of them embedded again because their files or seeds changed (c1)" in summary.sentence()
    ids, X = stored(csv).vectors(set_id)
    assert ids == ["c0/volume", "c1/volume", "c2/volume"]
    np.testing.assert_array_equal(X[[0, 2]], before[[0, 2]])
    expected = again.encode(presets.default(read_image(csv.parent / "c1_ct.nii.gz")).voxels()[None, None])[0]
    np.testing.assert_allclose(X[1], expected, atol=1e-6)
    assert np.abs(X[1] - before[1]).max() > 0.01
    assert stored(csv).thumbnails(["c1/volume"]) != pictures
    # A map of vectors that are no longer there must not be shown.
    assert stored(csv).projection(set_id, {"method": "pca"}) is None
    assert go(csv, make_encoder()).n_planned == 0


def test_a_copy_with_a_new_date_is_read_once_and_not_encoded(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(2)
    go(csv, make_encoder())
    os.utime(csv.parent / "c0_ct.nii.gz", (1, 1))
    again = make_encoder()
    summary = go(csv, again)
    assert (summary.n_planned, again.calls, summary.changed) == (1, [], ())
    assert "1 of 1 case read again, no new vector needed, in" in summary.sentence()
    assert go(csv, make_encoder()).n_planned == 0


def test_a_changed_scan_that_cannot_be_read_keeps_its_former_vector(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(2)
    set_id = go(csv, make_encoder()).set_id
    ids, before = stored(csv).vectors(set_id)
    path = csv.parent / "c1_ct.nii.gz"
    path.write_bytes(path.read_bytes()[:500])
    summary = go(csv, make_encoder())
    assert (summary.n_failed, summary.changed) == (1, ())
    assert stored(csv).failures()["case_id"].tolist() == ["c1"]
    assert stored(csv).vectors(set_id)[0] == ids
    np.testing.assert_array_equal(stored(csv).vectors(set_id)[1], before)


def test_a_changed_mask_counts_for_lesions_and_is_measured_for_every_view(
    make_cohort: MakeCohort, make_encoder: Any
) -> None:
    csv = make_cohort(2)
    volume_set = go(csv, make_encoder()).set_id
    lesion_set = go(csv, make_encoder(), "lesion").set_id
    mask = csv.parent / "c1_mask.nii.gz"
    rewrite(mask, lambda inside: np.where(np.arange(inside.shape[2]) > 16, inside, 0).astype(np.uint8))
    ml = stored(csv).lesions().set_index("case_id")["volume_ml"]
    unchanged, anew = make_encoder(), make_encoder()
    assert go(csv, unchanged).set_id == volume_set
    assert unchanged.calls == []
    smaller = stored(csv).lesions().set_index("case_id")["volume_ml"]
    assert smaller["c0"] == ml["c0"]
    assert smaller["c1"] < 0.8 * ml["c1"]
    summary = go(csv, anew, "lesion")
    assert (summary.set_id, summary.changed) == (lesion_set, ("c1",))
    volume = read_image(csv.parent / "c1_ct.nii.gz")
    expected = anew.encode(presets.lesion_mask(volume, read_mask(mask, volume), 1.5).voxels()[None, None])[0]
    np.testing.assert_allclose(stored(csv).vectors(lesion_set)[1][1], expected, atol=1e-6)


def test_a_moved_seed_gives_another_crop(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(2, masks=False, seeds=True)
    go(csv, make_encoder(), "lesion")
    text = csv.read_text(encoding="utf-8")
    assert "22.0,60.0,-264.0" in text
    csv.write_text(text.replace("22.0,60.0,-264.0", "30.0,50.0,-260.0"))
    summary = go(csv, make_encoder(), "lesion")
    assert (summary.n_done_before, summary.changed) == (1, ("c1",))


def test_slices_of_a_former_scan_do_not_stay_beside_those_of_the_new(
    make_cohort: MakeCohort, make_encoder: Any
) -> None:
    csv = make_cohort(1, masks=False)
    set_id = go(csv, make_encoder(), "slices", slice_step=4).set_id
    assert len(stored(csv).items(set_id)) == 6
    rewrite(csv.parent / "c0_ct.nii.gz", lambda hu: hu[:10])
    assert go(csv, make_encoder(), "slices", slice_step=4, commit_s=0, batch_size=1).changed == ("c0",)
    assert stored(csv).items(set_id)["slice_index"].tolist() == [1, 5, 9]


@pytest.mark.parametrize(
    ("scaled", "words"),
    [
        (lambda hu: np.clip((hu + 1000) / 8, 0, 255).astype(np.uint8), "as in an 8-bit picture"),
        (lambda hu: ((hu + 1000) / 2000).astype(np.float32), "as in an image scaled for display"),
    ],
)
def test_values_that_are_no_hu_are_embedded_and_doubted(
    make_cohort: MakeCohort, make_encoder: Any, scaled: Callable[[Any], Any], words: str
) -> None:
    csv = make_cohort(2)
    rewrite(csv.parent / "c1_ct.nii.gz", scaled)
    summary = go(csv, make_encoder())
    assert (summary.n_embedded, summary.doubtful) == (2, ("c1",))
    assert "1 with values that may not be HU (c1)" in summary.sentence()
    doubts = stored(csv).doubts()
    assert doubts["case_id"].tolist() == ["c1"]
    assert words in doubts.loc[0, "doubt"]
    text = status_text(status(stored(csv)))
    assert "embedded, but the values may not be HU (1)" in text
    assert "c1: its values run from" in text


def test_a_doubt_goes_when_the_scan_is_mended(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(1)
    path = csv.parent / "c0_ct.nii.gz"
    hu = path.read_bytes()
    rewrite(path, lambda values: np.clip((values + 1000) / 8, 0, 255).astype(np.uint8))
    go(csv, make_encoder())
    path.write_bytes(hu)
    assert go(csv, make_encoder()).doubtful == ()
    assert stored(csv).doubts().empty


def test_a_changed_slice_of_a_dicom_folder_is_noticed(tmp_path: Path, make_encoder: Any) -> None:
    folder = tmp_path / "cohort" / "series"
    folder.mkdir(parents=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    rng = np.random.default_rng(0)

    def write(z: int) -> None:
        image = sitk.GetImageFromArray(rng.integers(-900, 100, (1, 20, 20)).astype(np.int16))
        tags = {"0008|0060": "CT", "0020|000e": "1.2.3", "0020|000d": "1.2", "0008|0018": f"1.2.3.{z}"}
        tags |= {"0020|0032": f"0\\0\\{3 * z}", "0020|0037": "1\\0\\0\\0\\1\\0", "0020|0013": str(z)}
        tags |= {"0028|1052": "0", "0028|1053": "1", "0010|0020": "p"}
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{z}.dcm"))
        writer.Execute(image)

    for z in range(6):
        write(z)
    csv = tmp_path / "cohort" / "cohort.csv"
    csv.write_text("case_id,image_path\nd,series\n")
    assert go(csv, make_encoder()).n_embedded == 1
    assert go(csv, make_encoder()).n_planned == 0
    write(3)
    assert go(csv, make_encoder()).changed == ("d",)


def labelled(csv: Path, labels: list[str]) -> Path:
    """Two labels in every mask, 1 in the lesion's lower half and 2 in its upper, and a column that chooses."""
    for mask in csv.parent.glob("*_mask.nii.gz"):
        rewrite(mask, lambda drawn: np.where(np.arange(len(drawn))[:, None, None] >= 12, 2, 1).astype(np.uint8) * drawn)
    header, *rows = csv.read_text(encoding="utf-8").splitlines()
    csv.write_text(
        "\n".join([header + ",mask_label", *(f"{row},{one}" for row, one in zip(rows, labels, strict=True))]),
        encoding="utf-8",
    )
    return csv


def test_another_label_of_the_same_mask_is_another_lesion(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = labelled(make_cohort(2), ["1", "1"])
    set_id = go(csv, make_encoder(), "lesion").set_id
    before = stored(csv).vectors(set_id)[1].copy()
    assert stored(csv).cases()["mask_label"].tolist() == ["1", "1"]
    volumes = stored(csv).lesions().set_index("case_id")["volume_ml"]
    assert go(csv, make_encoder(), "lesion").n_planned == 0
    csv.write_text(csv.read_text(encoding="utf-8").removesuffix("1") + "2.0")
    again = make_encoder()
    summary = go(csv, again, "lesion")
    assert (summary.n_done_before, summary.n_embedded, summary.changed) == (1, 1, ("c1",))
    assert sum(again.calls) == 1
    after = stored(csv).vectors(set_id)[1]
    np.testing.assert_array_equal(after[0], before[0])
    scan = Scan(read_image(csv.parent / "c1_ct.nii.gz"))
    mask = read_mask(csv.parent / "c1_mask.nii.gz", scan.volume, "2")
    expected = again.encode(presets.lesion_mask(scan, mask, 1.5).voxels()[None, None])[0]
    np.testing.assert_allclose(after[1], expected, atol=1e-6)
    assert np.abs(after[1] - before[1]).max() > 1e-4
    assert stored(csv).cases()["mask_label"].tolist() == ["1", "2"]
    now = stored(csv).lesions().set_index("case_id")["volume_ml"]
    assert now["c0"] == volumes["c0"]
    assert now["c1"] == pytest.approx(mask.array.sum() * mask.voxel_ml)
    assert now["c1"] != volumes["c1"]


def test_another_label_leaves_the_vector_of_the_whole_volume(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = labelled(make_cohort(1), ["1"])
    go(csv, make_encoder(), "volume")
    small = stored(csv).lesions()["volume_ml"].item()
    csv.write_text(csv.read_text(encoding="utf-8").removesuffix("1") + "2")
    again = make_encoder()
    assert go(csv, again, "volume").changed == ()
    assert again.calls == []
    assert stored(csv).lesions()["volume_ml"].item() != small


def test_prepared_input_of_another_label_is_not_taken_from_the_cache(
    make_cohort: MakeCohort, make_encoder: Any, tmp_path: Path
) -> None:
    csv = labelled(make_cohort(1), ["1"])
    first = go(csv, make_encoder(), "lesion", cache=tmp_path / "cache")
    one = stored(csv).vectors(first.set_id)[1].copy()
    csv.write_text(csv.read_text(encoding="utf-8").removesuffix("1") + "2")
    other = go(csv, make_encoder(name="other"), "lesion", cache=tmp_path / "cache")
    assert other.n_embedded == 1
    assert np.abs(stored(csv).vectors(other.set_id)[1] - one).max() > 1e-4


def test_a_label_for_the_whole_cohort_comes_with_the_command(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = labelled(make_cohort(2), ["", ""])
    refused = go(csv, make_encoder(), "lesion")
    assert refused.n_failed == 2
    reasons = stored(csv).failures()["reason"].tolist()
    assert all("contains 2 labels (1, 2): give the lesion's number or name" in reason for reason in reasons)
    summary = go(csv, make_encoder(), "lesion", mask_label="2")
    assert (summary.n_embedded, summary.n_failed, summary.n_failed_before) == (2, 0, 0)
    assert stored(csv).failures().empty


def test_cases_whose_outlines_were_read_by_older_rules_are_embedded_anew(
    make_cohort: MakeCohort, make_encoder: Any
) -> None:
    """Before, outlines that were drawn twice cancelled each other, and the wrong vector was kept under this stamp."""
    csv = make_cohort(2)
    volume = read_image(csv.parent / "c1_ct.nii.gz")
    outlines = [on_plane(volume, z, box(12.5, 25.5, 12.5, 25.5)) for z in (9, 10, 11, 11, 12)]
    write_rtstruct(csv.parent / "c1.dcm", {"GTV": outlines})
    csv.write_text(csv.read_text(encoding="utf-8").replace("c1_mask.nii.gz", "c1.dcm"))
    set_id = go(csv, make_encoder(), "lesion").set_id
    source = stored(csv).sources(set_id)["c1"]
    assert "outlines 2" in source.stamp
    older = replace(
        source, stamp=source.stamp.replace(", outlines 2", ""), content=source.content.split(" outlines")[0]
    )
    store = Store(stored(csv).path, read_only=False)
    store.commit(set_id, sources=[older])
    assert stored(csv).sources(set_id)["c1"] == older
    summary = go(csv, make_encoder(), "lesion")
    assert (summary.n_embedded, summary.changed) == (1, ("c1",))
    assert stored(csv).sources(set_id)["c1"] == source
