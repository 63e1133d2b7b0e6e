"""The role of each column of a cohort's CSV, and the type of its covariates.

Headers are compared without case, spaces and punctuation, and `tumour` equals `tumor`: `Case ID`, `case_id` and
`CASEID` are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from embeddings.cohort.table import CohortError
from embeddings.missing_values import is_missing
from flexict.errors import FlexiCTError

Covariate = str | float | int | bool | None

ROLE_SPELLINGS: dict[str, tuple[str, ...]] = {
    "case_id": ("case_id", "case", "case number", "scan_id", "image_id", "study_id", "id"),
    "patient_id": ("patient_id", "patient", "subject_id", "subject", "participant_id", "participant", "pid"),
    "image_path": (
        *("image_path", "image", "image_file", "ct_path", "ct", "ct_file", "ct_image", "scan_path", "scan"),
        *("scan_file", "nifti_path", "nifti", "dicom_path", "dicom_folder", "dicom_dir", "dicom"),
        *("file_path", "path", "file", "filename"),
    ),
    "mask_path": (
        *("mask_path", "mask", "mask_file", "lesion_mask", "tumor_mask", "seg_path", "seg", "seg_file"),
        *("segmentation_path", "segmentation", "gtv_path", "gtv", "roi_path", "roi", "label_path"),
    ),
    "mask_label": ("mask_label",),
    "seed_x": ("seed_x", "coord_x", "lesion_x", "x"),
    "seed_y": ("seed_y", "coord_y", "lesion_y", "y"),
    "seed_z": ("seed_z", "coord_z", "lesion_z", "z"),
    "stage": (
        *("stage", "pathological_t_stage", "pathologic_t_stage", "pathology_t_stage", "p_t_stage", "pt"),
        *("ajcc_pathologic_t", "t_stage", "ajcc_t", "clinical_t_stage", "c_t_stage", "t"),
        *("pathological_stage", "pathologic_stage", "ajcc_pathologic_stage", "overall_stage", "tumor_stage"),
        *("ajcc_stage", "tnm_stage", "clinical_stage", "figo_stage", "stage_group"),
        *("tumor_isup_grade", "isup_grade", "isup", "grade_group", "tumor_grade", "histologic_grade"),
        *("histological_grade", "fuhrman_grade", "nuclear_grade", "who_grade", "grade"),
    ),
}
"""Role -> header spellings, best first. The order is the priority where several columns fit: for `stage` a
column called stage, then T stage (pathological before clinical), overall stage, and grade."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_INTEGER = re.compile(r"[+-]?(?:0|[1-9]\d{0,17})")
_CODE = re.compile(r"0\d+")  # 007 is a code, not the number 7
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


def find_columns(
    header: Sequence[str], mapping: Mapping[str, str | None] | None = None
) -> tuple[dict[str, str], list[str]]:
    """The column of each role that has one, and notes about choices among several.

    Args:
        header: column names as in the file.
        mapping: role -> column, overriding the spellings; a role mapped to None or "" has no column.

    Raises:
        FlexiCTError: an unknown role or column in `mapping`, or a column mapped to two roles (except case and patient,
            which may share one).
    """
    mapping = {} if mapping is None else mapping
    unknown = [role for role in mapping if role not in ROLE_SPELLINGS]
    if unknown:
        raise FlexiCTError(f"unknown role {', '.join(map(repr, unknown))}: roles are {', '.join(ROLE_SPELLINGS)}")
    by_spelling: dict[str, str] = {}
    for name in header:
        by_spelling.setdefault(_spelling(name), name)
    columns: dict[str, str] = {}
    for role, wanted in mapping.items():
        if not wanted:
            continue
        found = wanted if wanted in header else by_spelling.get(_spelling(wanted))
        if found is None:
            raise FlexiCTError(f"there is no column {wanted!r} for {role}: columns are {', '.join(header)}")
        shared = [other for other, name in columns.items() if name == found]
        if shared and {role, *shared} != {"case_id", "patient_id"}:
            raise FlexiCTError(f"column {found!r} is mapped to both {shared[0]} and {role}: map it once")
        columns[role] = found
    notes = []
    for role, spellings in ROLE_SPELLINGS.items():
        if role in mapping:
            continue
        fitting = [by_spelling[s] for s in map(_spelling, spellings) if s in by_spelling]
        fitting = [name for name in dict.fromkeys(fitting) if name not in columns.values()]
        if fitting:
            columns[role] = fitting[0]
        if role == "stage" and len(fitting) > 1:
            others = ", ".join(repr(name) for name in fitting[1:])
            notes.append(f"{fitting[0]!r} is used as the stage, not {others}: map another column to change it")
    return {role: columns[role] for role in ROLE_SPELLINGS if role in columns}, notes


def check_header(name: str, header: Sequence[str], columns: Mapping[str, str]) -> None:
    """Refuse a file whose first row is data.

    Raises:
        CohortError: no role was recognised, and a cell of the first row is a number or the path of an image.
    """
    endings = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")
    data = [cell for cell in header if _NUMBER.fullmatch(cell) or cell.lower().endswith(endings)]
    if data and not columns:
        raise CohortError(f"{name} has no header, its first row is data ({data[0]!r}): add a row with column names")


def parse_number(text: str, decimal_comma: bool = False) -> float | None:
    """The finite number in the text, None where there is none; `3,5` is a number if `decimal_comma` is true."""
    if decimal_comma and "." not in text:
        text = text.replace(",", ".", 1)
    if not _NUMBER.fullmatch(text) or not text.isascii():
        return None
    value = float(text)
    return value if abs(value) < float("inf") else None


def typed(values: Sequence[str], decimal_comma: bool = False) -> tuple[list[Covariate], str]:
    """A covariate's values and their type: `integer`, `number`, `boolean`, `text`, or `empty`.

    A column has a type if every value that is not missing can be read as that type; codes with leading zeros stay
    text. Missing values (`is_missing`) are None in a column of any type.
    """
    present = [value for value in dict.fromkeys(values) if not is_missing(value)]
    if not present:
        return [None] * len(values), "empty"
    kind, read = _reading(present, decimal_comma)
    table = {value: read(value) for value in present}
    return [table.get(value) for value in values], kind


def _reading(present: Sequence[str], decimal_comma: bool) -> tuple[str, Callable[[str], Covariate]]:
    if any(_CODE.fullmatch(value) for value in present):
        return "text", str
    if all(value.lower() in _BOOLEANS for value in present):
        return "boolean", lambda value: _BOOLEANS[value.lower()]
    if all(_INTEGER.fullmatch(value) and value.isascii() for value in present):
        return "integer", int
    if all(parse_number(value, decimal_comma) is not None for value in present):
        return "number", lambda value: parse_number(value, decimal_comma)
    return "text", str


def _spelling(header: str) -> str:
    return re.sub(r"[^a-z0-9]", "", header.lower()).replace("tumour", "tumor")
