"""A cohort of simulated chests in a set whose vectors share a space with text."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk

from embeddings import job
from flexict.phantoms import chest_phantom

N_CHESTS = 6
STAGES = ("T1", "T2", "T3")


def write_text_cohort(folder: Path) -> Path:
    """Six chests with masks and stages, their lesions embedded with flexict-nano-vlm; the path of the store."""
    rows = ["case_id,patient_id,image_path,mask_path,stage"]
    for seed in range(N_CHESTS):
        phantom = chest_phantom(seed, spacing_mm=4.0)
        for kind, volume in (("ct", phantom.ct), ("mask", phantom.mask)):
            sitk.WriteImage(volume.to_sitk(), str(folder / f"{seed}_{kind}.nii.gz"))
        rows.append(f"chest{seed},patient{seed},{seed}_ct.nii.gz,{seed}_mask.nii.gz,{STAGES[seed % 3]}")
    csv = folder / "cohort.csv"
    csv.write_text("\n".join(rows) + "\n")
    job.run(csv, folder / "c.duckdb", encoder="flexict-nano-vlm", view="lesion", preset="lesion_seed", simulated=True)
    return folder / "c.duckdb"
