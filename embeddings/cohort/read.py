"""The CSV contract: one row a scan, every bad row reported, the good ones ready to embed.

Roles (header spellings in `columns.ROLE_SPELLINGS`): case_id, patient_id, image_path, and optionally mask_path,
mask_label, seed_x / seed_y / seed_z (LPS mm) and stage. Every other column is a covariate. Text that looks like a
formula stays text.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from embeddings.cohort.images import MaskCheck, check_masks, read_headers
from embeddings.cohort.report import Case, CohortReport, Problem, validate_text
from embeddings.cohort.rows import Row, Rows
from embeddings.cohort.table import CohortError, check_name, read_table
from embeddings.imaging.image_header import ImageError, ImageHeader

__all__ = ["Case", "CohortError", "CohortReport", "Problem", "read_cohort", "validate_text"]


def read_cohort(
    path: Path,
    data_root: Path | None = None,
    mapping: Mapping[str, str | None] | None = None,
    check_images: bool = True,
    max_rows: int = 200_000,
    mask_label: str | None = None,
) -> CohortReport:
    """Read a cohort's CSV and report every bad row.

    Args:
        path: the CSV; relative image paths start at its folder.
        data_root: every image and mask must lie in it, symbolic links followed (default: the CSV's folder);
            relative paths that lead nowhere from the CSV's folder start here.
        mapping: role -> column, overriding the header spellings; None for a role without a column.
        check_images: read the headers of images and masks too, and the voxels of small masks.
        max_rows: longer files are refused.
        mask_label: number or name of the lesion in the masks of rows that give none themselves.

    Raises:
        CohortError: the file is not a readable CSV.
        FlexiCTError: an unknown role or column in `mapping`.
    """
    path = Path(path)
    check_name(path.resolve())
    table = read_table(path, max_rows)
    if data_root is not None and not Path(data_root).is_dir():
        raise CohortError(f"the data root {data_root} is not a folder: give the folder with the images")
    rows = Rows(path, table, mapping, data_root)
    if "image_path" not in rows.columns:
        have = ", ".join(table.header[:12]) + (", ..." if len(table.header) > 12 else "")
        reason = f"no image column: add image_path, or map one of the columns ({have})"
        rows.problems.append(Problem(None, None, None, "error", reason))
    rows.check_identity()
    _check_patients(rows)
    rows.check_files()
    rows.read_mask_labels(mask_label)
    rows.check_seeds()
    stage_order = _read_stages(rows)
    _check_repeats(rows)
    if check_images:
        _check_headers(rows)
    covariates, covariate_types, covariate_missing = rows.covariates()
    return CohortReport(
        path=path,
        data_root=rows.locator.root,
        n_rows=len(table.rows),
        columns=rows.columns,
        cases=tuple(Case(**vars(case)) for case in rows.cases(covariates) if case.image_path is not None),
        problems=tuple(sorted(rows.problems, key=lambda problem: problem.row or 0)),
        covariate_types=covariate_types,
        covariate_missing=covariate_missing,
        stage_order=tuple(stage_order),
    )


def _check_patients(rows: Rows) -> None:
    """There is more than one patient."""
    patients = {row.patient_id for row in rows.rows if row.patient_id}
    if "patient_id" in rows.columns and len(patients) == 1 and len(rows.rows) > 2:
        only = f"all rows name one patient ({patients.pop()!r}), so no analysis can distinguish patients"
        rows.warn(f"{only}: map the column of the patients", rows.columns["patient_id"])


def _read_stages(rows: Rows) -> list[str]:
    """Each row's stage, and the order of the stages found; a stage of unknown order stays as text."""
    column = rows.stage_column()
    if column is None:
        return []
    for row, text in zip(rows.regular(), column.values, strict=True):
        if text in column.odd and column.order:
            reason = column.mixed.get(text, f"unknown stage {text!r}")
            kept = "kept as text and left out of the order of the stages; correct it if it is misspelt"
            rows.report(row, "stage", f"{reason}: {kept}", "warning")
    rows.use_stages(column)
    return column.order


def _check_repeats(rows: Rows) -> None:
    """One image in several rows is an error, unless the rows mark different lesions of one patient."""
    first: dict[Path, Row] = {}
    for row in rows.rows:
        if row.image is None:
            continue
        other = first.setdefault(row.image, row)
        if other is row:
            continue
        lesions = {(r.mask, r.mask_label, r.seed) for r in (row, other)}
        if row.patient_id != other.patient_id or len(lesions) == 1:
            rows.report(row, "image_path", f"the same image as row {other.number}: remove one of the rows")
        else:
            reason = f"the same image as row {other.number}, with another lesion: volume vectors will be equal"
            rows.report(row, "image_path", reason, "warning")


def _check_headers(rows: Rows) -> None:
    """Image and mask of each row are volumes on one grid, as far as their headers say."""
    headers = read_headers(row.image for row in rows.rows if row.image is not None)
    images = [_header(rows, row, headers) for row in rows.rows]
    marked = [(row, row.mask, image) for row, image in zip(rows.rows, images, strict=True) if row.mask is not None]
    found = check_masks([(mask, row.mask_label, image) for row, mask, image in marked])
    masks = {row.number: mask for (row, _, _), mask in zip(marked, found, strict=True)}
    for row, image in zip(rows.rows, images, strict=True):
        if image and row.seed and not _contains(image, row.seed):
            x, y, z = row.seed
            rows.report(
                row,
                "seed_x",
                f"the seed ({x:g}, {y:g}, {z:g}) lies outside the image: give it in LPS mm (x to the "
                "left, y to the back, z up), not as voxel indices or in RAS",
            )
        mask = masks.get(row.number, MaskCheck())
        for note in mask.notes:
            rows.report(row, "mask_path", note, "warning")
        if mask.problem is not None:
            rows.report(row, "mask_path", mask.problem)


def _header(rows: Rows, row: Row, headers: Mapping[Path, ImageHeader | ImageError]) -> ImageHeader | None:
    header = None if row.image is None else headers[row.image]
    if isinstance(header, ImageError):
        rows.report(row, "image_path", str(header))
        return None
    for note in () if header is None else header.notes:
        rows.report(row, "image_path", note, "warning")
    return header


def _contains(image: ImageHeader, point_lps: tuple[float, float, float]) -> bool:
    """Whether an LPS point in mm lies in one of the image's voxels."""
    index = image.grid().index_of(point_lps)
    return bool((index >= -0.5).all() and (index <= np.array(image.shape_zyx) - 0.5).all())
