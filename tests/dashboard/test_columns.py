"""Which columns are offered for what."""

from __future__ import annotations

import pandas as pd

from dashboard import columns

FRAME = pd.DataFrame(
    {
        "item_id": ["a", "b", "c", "d"],
        "case_id": ["a", "b", "c", "d"],
        "patient_id": ["p", "p", "q", "r"],
        "stage": ["T2", "T1a", None, "T10"],
        "t_stage": ["T2", "T1a", "T1b", "T3"],
        "isup_grade": [1, 2, 3, 4],
        "age": [50, 60, 70, 80],
        "max_diameter_mm": [10.0, 20.0, 30.0, 40.0],
        "equivalent_diameter_mm": [9.0, 19.0, 29.0, None],
        "event": [True, False, True, False],
        "site": ["x", "y", "x", "y"],
        "constant": [1, 1, 1, 1],
        "image_path": ["1", "2", "3", "4"],
    }
)


def test_ids_paths_and_constants_describe_nothing() -> None:
    assert not {"item_id", "case_id", "image_path", "constant"} & set(columns.describing(FRAME))


def test_measured_sizes_come_before_those_of_the_csv() -> None:
    assert columns.sizes(FRAME) == ["equivalent_diameter_mm", "max_diameter_mm"]


def test_flags_are_not_numbers() -> None:
    assert "event" not in columns.numeric(FRAME)
    assert "age" in columns.numeric(FRAME)


def test_stage_columns_are_those_that_read_as_stages() -> None:
    found = columns.stages(FRAME)
    assert "t_stage" in found
    assert "isup_grade" in found
    assert "site" not in found
    assert "max_diameter_mm" not in found


def test_codes_follow_the_clinical_order_and_mark_the_unstaged() -> None:
    codes, order = columns.codes(FRAME.assign(stage=["T2", "T1a", None, "T3"]), "stage")
    assert order == ["T1a", "T2", "T3"]
    assert codes.tolist() == [1, 0, -1, 2]


def test_labels_carry_units_only_where_the_name_gives_one_away() -> None:
    assert columns.label("max_diameter_mm") == "max diameter (mm)"
    assert columns.label("age") == "age (years)"
    assert columns.label("stage") == "stage"
    assert columns.label("dosage") == "dosage"
    assert columns.name_only("tumour_volume_ml") == "tumour volume"


def test_classes_are_stages_first_then_columns_of_few_values() -> None:
    frame = FRAME.assign(serial=[str(k) for k in range(4)])
    frame = pd.concat([frame] * 3, ignore_index=True).assign(serial=[f"s{k}" for k in range(12)])
    found = columns.classes(frame)
    ordered = columns.stages(frame)
    assert found[: len(ordered)] == ordered
    assert "isup_grade" in ordered
    assert "site" in found[len(ordered) :]
    assert len(set(found)) == len(found)
    assert "serial" not in found
    assert "constant" not in found
