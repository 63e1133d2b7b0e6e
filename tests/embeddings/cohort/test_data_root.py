"""One store filled from several folders: every path must still lead to the same scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from embeddings.cohort.read import read_cohort
from embeddings.store.store import Store


def cohort(folder: Path, *names: str) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in names:
        image = sitk.GetImageFromArray(rng.integers(-900, 100, (4, 8, 8)).astype(np.int16))
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
    rows = "".join(f"{name},p,{name}.nii.gz,{name}.nii.gz\n" for name in names)
    (folder / "cohort.csv").write_text("case_id,patient_id,image_path,mask_path\n" + rows)
    return folder / "cohort.csv"


def test_cases_of_a_previous_data_root_keep_their_files(tmp_path: Path) -> None:
    first, second = cohort(tmp_path / "a", "one", "two"), cohort(tmp_path / "b", "two", "three")
    store = Store(tmp_path / "s.duckdb", read_only=False)
    store.register_cohort(read_cohort(first, check_images=False))
    store.register_cohort(read_cohort(second, check_images=False))
    cases = store.cases().set_index("case_id")
    expected = {"one": first.parent / "one.nii.gz", "two": second.parent / "two.nii.gz"}
    expected["three"] = second.parent / "three.nii.gz"
    for column in ("image_path", "mask_path"):
        assert cases[column].to_dict() == {name: str(path.resolve()) for name, path in expected.items()}
