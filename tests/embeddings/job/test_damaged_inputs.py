"""Every damaged input is recorded with a reason, the good scans beside it are embedded, memory stays bounded."""

from __future__ import annotations

import csv
import json
import resource
from pathlib import Path

import pytest

from embeddings import job
from embeddings.store.store import Store
from tests.embeddings.damaged_inputs import CORPUS, write_good, write_mask
from tests.embeddings.job.conftest import TinyEncoder
from tests.embeddings.processes import start

GOOD = 3
# Above the same job with the good scans alone: inputs of a few KB must not make the program take more.
MOST_EXTRA_MB = 300


def embed(path: Path, db: Path, retry: bool, said: Path) -> None:
    """Embed two views of a cohort, and write how that went as JSON."""
    settings = job.JobSettings(encoder=TinyEncoder(), views=("volume", "lesion"), workers=2, retry_failed=retry)
    volume, lesion = job.run_views(path, db, settings)
    found = {
        "state": volume.state,
        "embedded": [volume.n_embedded, lesion.n_embedded],
        "planned": [volume.n_planned, lesion.n_planned],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    said.write_text(json.dumps(found), encoding="utf-8")


def run(path: Path, db: Path, retry: bool = False) -> dict[str, object]:
    said, stderr = db.with_suffix(".json"), db.with_suffix(".stderr")
    process = start(embed, path, db, retry, said, stderr=stderr)
    process.join()
    assert process.exitcode == 0, stderr.read_text(encoding="utf-8")[-3000:]
    found: dict[str, object] = json.loads(said.read_text(encoding="utf-8"))
    return found


def write_cohort(root: Path, names: list[str]) -> Path:
    """A row for each of the corpus, after the good ones; one folder a case."""
    rows = []
    for number in range(GOOD):
        folder = root / f"good{number}"
        folder.mkdir(parents=True)
        write_good(folder)
        write_mask(folder)
        rows.append((folder.name, f"{folder.name}/ct.nii.gz", f"{folder.name}/mask.nii.gz"))
    for number, name in enumerate(names):
        folder = root / f"bad{number:03}"
        folder.mkdir()
        image, mask = CORPUS[name](folder)
        inside = image.startswith(("/", "../", "https:"))
        rows.append((folder.name, image if inside else f"{folder.name}/{image}", mask and f"{folder.name}/{mask}"))
    path = root / "cohort.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["case_id", "patient_id", "image_path", "mask_path"])
        writer.writerows((case, f"p-{case}", image, mask) for case, image, mask in rows)
    return path


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_cohort_full_of_damaged_inputs_is_recorded_row_by_row(tmp_path: Path) -> None:
    names = list(CORPUS)
    assert len(names) >= 60
    path = write_cohort(tmp_path / "cohort", names)
    alone = write_cohort(tmp_path / "alone", [])
    plain = run(alone, tmp_path / "alone.duckdb")
    assert plain["embedded"] == [GOOD, GOOD]

    found = run(path, tmp_path / "out.duckdb")
    assert found["state"] == "finished"
    store = Store(tmp_path / "out.duckdb")
    failures = store.failures()
    reasons: dict[str, str] = {}
    for case_id, reason in zip(failures["case_id"], failures["reason"], strict=True):
        reasons.setdefault(case_id, reason)
    unrecorded = [name for number, name in enumerate(names) if f"bad{number:03}" not in reasons]
    assert unrecorded == []
    for number, name in enumerate(names):
        reason = reasons[f"bad{number:03}"]
        print(f"| {name} | {reason} |")
        assert 10 < len(reason) <= 400, name
        assert "Traceback" not in reason
        assert "\n" not in reason
    masks = [f"bad{number:03}" for number, name in enumerate(names) if name.startswith("mask:")]
    embedded = {set_id: store.vectors(set_id)[0] for set_id in store.sets()["set_id"]}
    volumes, lesions = (next(x for x in embedded.values() if x[-1].endswith(view)) for view in ("volume", "lesion"))
    assert lesions == [f"good{number}/lesion" for number in range(GOOD)]
    # A mask that cannot be used costs the lesion, not the scan; one that is not there makes the row wrong.
    assert set(volumes) <= {f"{case}/volume" for case in (*masks, *(f"good{number}" for number in range(GOOD)))}
    assert len(volumes) >= GOOD + len(masks) - 2
    extra = int(str(found["peak_mb"])) - int(str(plain["peak_mb"]))
    print(f"{len(names)} damaged inputs; peak {found['peak_mb']} MB, {extra} MB above the good scans alone")
    assert extra < MOST_EXTRA_MB

    again = run(path, tmp_path / "out.duckdb")
    assert again["planned"] == [0, 0]
    retried = run(path, tmp_path / "out.duckdb", retry=True)
    assert int(retried["planned"][1]) > len(names) / 2  # type: ignore[index]
    assert retried["embedded"][1] == 0  # type: ignore[index]
