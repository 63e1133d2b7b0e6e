"""What a job asks of an encoder beyond the usual vector: masks, several crops, other people's encoders."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from embeddings import job
from embeddings.__main__ import main
from embeddings.job.settings import parse_patch
from embeddings.store.store import Store
from flexict import Volume, load_encoder
from flexict.errors import FlexiCTError
from flexict.presets import presets
from tests.embeddings.job.conftest import TinyEncoder, write_scan


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """Three scans with a lesion mask; the last row has none."""
    rows = ["case_id,image_path,mask_path"]
    for n in range(3):
        ct, mask, _ = write_scan(tmp_path, f"s{n}", seed=n)
        rows.append(f"c{n},{ct.name},{mask.name if n < 2 else ''}")
    path = tmp_path / "cohort.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def vector(store: Store, set_id: str, item: str) -> np.ndarray:
    ids, vectors = store.vectors(set_id)
    return vectors[ids.index(item)]


def read(path: Path) -> Volume:
    import SimpleITK as sitk

    return Volume.from_sitk(sitk.ReadImage(str(path)))


def test_mask_pooled_lesions_are_the_encoders_own_over_the_mask(cohort: Path, tmp_path: Path) -> None:
    db = tmp_path / "out.duckdb"
    words = ["embed", str(cohort), "--db", str(db), "--view", "lesion", "volume", "--pooling", "mask_pooled"]
    assert main(words) == 3  # one case has no mask
    store = Store(db)
    sets = store.sets()
    assert list(sets["pooling"]) == ["mask_pooled"] * 2
    assert list(sets["width"]) == [144] * 2
    encoder = load_encoder("flexict-nano", pooling="mask_pooled")
    ct, mask = (next(tmp_path.glob(f"s0*{kind}*")) for kind in ("ct", "mask"))
    crops = {
        "lesion": presets.lesion_mask(read(ct), read(mask)),
        "volume": presets.default(read(ct)),
    }
    for row in sets.itertuples():
        array, cover = crops[row.view].voxels(), crops[row.view].mask(read(mask))
        wanted = encoder.encode(array[None, None], cover[None])[0]
        assert np.allclose(vector(store, row.set_id, f"c0/{row.view}"), wanted, atol=1e-5)
        failed = store.failures(row.set_id)
        assert list(failed["case_id"]) == ["c2"]
        assert "no lesion mask" in failed["reason"].iloc[0]


def test_slices_that_the_lesion_misses_keep_the_class_token(cohort: Path, tmp_path: Path) -> None:
    summary = job.run(
        cohort, tmp_path / "out.duckdb", encoder="flexict-nano", view="slices", slice_step=4, pooling="mask_pooled"
    )
    store = Store(tmp_path / "out.duckdb")
    plain = job.run(cohort, store.path, encoder="flexict-nano", view="slices", slice_step=4, pooling="cls")
    same = [
        np.allclose(vector(store, summary.set_id, item), vector(store, plain.set_id, item), atol=1e-2)
        for item in store.vectors(summary.set_id)[0]
        if item.startswith("c0/")
    ]
    assert True in same
    assert False in same


def test_cached_input_keeps_the_mask(cohort: Path, tmp_path: Path) -> None:
    options = {"encoder": "flexict-nano", "view": "lesion", "pooling": "mask_pooled", "cache": tmp_path / "cache"}
    first = job.run(cohort, tmp_path / "a.duckdb", **options)
    for ct in tmp_path.glob("s*ct*"):
        assert ct.exists()
    again = job.run(cohort, tmp_path / "b.duckdb", **options)
    one, two = Store(tmp_path / "a.duckdb"), Store(tmp_path / "b.duckdb")
    for item in one.vectors(first.set_id)[0]:
        assert np.array_equal(vector(one, first.set_id, item), vector(two, again.set_id, item))


def test_a_changed_mask_makes_mask_pooled_volumes_anew(cohort: Path, tmp_path: Path) -> None:
    options = {"encoder": "flexict-nano", "view": "volume", "pooling": "mask_pooled"}
    first = job.run(cohort, tmp_path / "a.duckdb", **options)
    before = vector(Store(tmp_path / "a.duckdb"), first.set_id, "c0/volume")
    other, _ = (next(tmp_path.glob(f"s{n}*mask*")) for n in (1, 0))
    next(tmp_path.glob("s0*mask*")).write_bytes(other.read_bytes())
    again = job.run(cohort, tmp_path / "a.duckdb", **options)
    assert again.changed == ("c0",)
    assert not np.allclose(before, vector(Store(tmp_path / "a.duckdb"), first.set_id, "c0/volume"))


def test_mask_pooling_without_any_mask_is_refused_before_a_scan_is_read(tmp_path: Path) -> None:
    ct, _, _ = write_scan(tmp_path, "s", seed=0)
    (tmp_path / "cohort.csv").write_text(f"case_id,image_path\nc,{ct.name}\n")
    with pytest.raises(job.JobError, match="no case has a lesion mask, which mask_pooled"):
        job.run(
            tmp_path / "cohort.csv", tmp_path / "o.duckdb", encoder="flexict-nano", view="volume", pooling="mask_pooled"
        )


def test_two_crops_make_two_sets_of_the_same_items_and_read_a_scan_once(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from embeddings.job.preparation import prepare

    reads: list[Path] = []
    original = prepare.read_scan
    monkeypatch.setattr(prepare, "read_scan", lambda path: reads.append(path) or original(path))
    settings = job.JobSettings(encoder=TinyEncoder(), views=("lesion", "volume"), scale=(1.5, 2.0), workers=1)
    job.run_views(cohort, tmp_path / "out.duckdb", settings)
    store = Store(tmp_path / "out.duckdb")
    sets = store.sets().sort_values("preset")
    assert list(sets["preset"]) == ["default", "lesion_mask@1.5", "lesion_mask@2"]
    small, large = (store.vectors(set_id) for set_id in sets["set_id"].iloc[1:])
    assert small[0] == large[0] == ["c0/lesion", "c1/lesion"]
    assert not np.allclose(small[1], large[1])
    assert len(reads) == 3


def test_the_same_scale_twice_is_refused(cohort: Path, tmp_path: Path) -> None:
    settings = job.JobSettings(encoder=TinyEncoder(), views=("lesion",), scale=(1.5, 1.5))
    with pytest.raises(job.JobError, match="or several different ones"):
        job.run_views(cohort, tmp_path / "out.duckdb", settings)


@pytest.mark.parametrize(("text", "wanted"), [("16", 16), ("8,16,16", (8, 16, 16)), ("8, 8", (8, 8))])
def test_a_patch_is_one_edge_or_one_an_axis(text: str, wanted: object) -> None:
    assert parse_patch(text) == wanted


@pytest.mark.parametrize("text", ["", "0", "8,", "8x8", "-8", "1,2,3,4"])
def test_what_is_no_patch_is_named(text: str) -> None:
    with pytest.raises(FlexiCTError, match="--patch takes"):
        parse_patch(text)


def test_patch_precision_and_pooling_name_the_set(cohort: Path, tmp_path: Path) -> None:
    db = tmp_path / "out.duckdb"
    words = ["embed", str(cohort), "--db", str(db), "--view", "volume", "--patch", "16,32,32"]
    assert main([*words, "--precision", "bfloat16", "--pooling", "hierarchical"]) == 0
    assert list(Store(db).sets()["pooling"]) == ["hierarchical, patch 16x32x32, bfloat16"]
    assert list(Store(db).sets()["width"]) == [1152]


THEIRS = """
import numpy as np

class Theirs:
    name, preset, width = "theirs", "default", 3
    def __init__(self, device): pass
    def encode(self, batch):
        out = np.ones((len(batch), {width}), dtype=np.float32)
        out[batch[:, 0].max(axis=(1, 2, 3)) > {limit}] = np.nan
        return out
"""


@pytest.mark.parametrize(
    ("width", "limit", "reason"),
    [(5, 1e9, r"theirs gave an array of shape \[1, 5\], not \[1, 3\]"), (3, -1e9, "NaN or infinite")],
)
def test_what_another_encoder_gives_wrong_is_recorded_and_the_job_goes_on(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, limit: float, reason: str
) -> None:
    package = tmp_path / "site"
    (package / "theirs-1.dist-info").mkdir(parents=True)
    (package / "theirs.py").write_text(THEIRS.format(width=width, limit=limit))
    (package / "theirs-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (package / "theirs-1.dist-info" / "entry_points.txt").write_text("[flexict.encoders]\ntheirs = theirs:Theirs\n")
    monkeypatch.syspath_prepend(str(package))
    monkeypatch.delitem(sys.modules, "theirs", raising=False)
    db = tmp_path / "out.duckdb"
    assert main(["embed", str(cohort), "--db", str(db), "--encoder", "theirs", "--view", "volume"]) == 1
    failures = Store(db).failures()
    assert len(failures) == 3
    assert failures["reason"].str.contains(reason).all()


def test_a_volume_smaller_than_a_patch_is_recorded_with_its_case(cohort: Path, tmp_path: Path) -> None:
    db = tmp_path / "out.duckdb"
    assert main(["embed", str(cohort), "--db", str(db), "--view", "volume", "--patch", "200"]) == 1
    failures = Store(db).failures()
    assert set(failures["case_id"]) == {"c0", "c1", "c2"}
    assert failures["reason"].str.contains(r"smaller than one patch of \(200, 200, 200\)").all()
