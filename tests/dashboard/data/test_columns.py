"""Which columns are offered for what."""

from __future__ import annotations

import pandas as pd
import pytest

from dashboard.data import columns

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


FOLLOWED = pd.DataFrame(
    {
        "overall_survival_months": [3.0, 9.0, 12.0, 20.0],
        "time": [1.0, 2.0, 3.0, 4.0],
        "vital_days_after_surgery": [10, 20, 30, 40],
        "days_to_last_contact": [10, 20, 30, 41],
        "pack_years": [0.0, 10.0, 20.0, 40.0],
        "operative_time": [90, 120, 150, 300],
        "exposure_time_ms": [400, 500, 600, 650],
        "follow_up_volume_ml": [1.0, 2.0, 3.0, 4.0],
        "died": [0, 1, 1, 0],
    }
)
CENSORED = ["overall_survival_months", "time", "vital_days_after_surgery", "days_to_last_contact"]


def test_times_that_run_until_an_event_are_no_covariates_and_other_times_are() -> None:
    assert columns.censored_times(FOLLOWED) == CENSORED
    assert columns.covariates(FOLLOWED) == [c for c in FOLLOWED if c not in CENSORED]


def test_a_time_is_censored_only_where_the_cohort_tells_of_an_event() -> None:
    assert columns.censored_times(FOLLOWED.drop(columns="died")) == []
    for event in ("os_status", "censored", "vital_status"):
        told = FOLLOWED.rename(columns={"died": event}).assign(**{event: ["1", "2", "2", "1"]})
        assert columns.censored_times(told) == CENSORED, event


def test_the_survival_page_begins_with_a_time_that_runs_until_an_event() -> None:
    late = FOLLOWED[["operative_time", "pack_years", "vital_days_after_surgery", "died"]]
    assert columns.times(late) == ["vital_days_after_surgery", "operative_time", "pack_years"]


def test_what_a_simulation_knows_of_its_scans_is_offered_nowhere() -> None:
    truth = pd.DataFrame({"true_volume_ml": [1.0, 2.0, 3.0], "true_stage": ["T1", "T2", "T3"], "age": [50, 60, 70]})
    assert columns.describing(truth.assign(simulated="yes")) == ["age"]
    assert columns.sizes(truth.assign(simulated="yes")) == []
    assert "true_stage" not in columns.stages(truth.assign(simulated="yes"))
    # In a cohort of patients it is a name like any other.
    assert columns.describing(truth) == ["true_volume_ml", "true_stage", "age"]


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("stage", ["T1", "T2"], True),
        ("stage", ["pT1a", "cT3"], True),
        ("pathology_t_stage", ["1a", "2b", "3"], True),
        ("Pathological T stage", [1, 2], True),
        ("pT", ["1", "2"], True),
        ("stage", ["I", "IIIA"], False),
        ("n_stage", ["N0", "N1"], False),
        ("isup_grade", [1, 2], False),
        ("patient_stage", [1, 2], False),
    ],
)
def test_a_t_stage_is_known_by_its_values_or_its_name(name: str, values: list[object], expected: bool) -> None:
    assert columns.is_t_stage(pd.Series(values, name=name)) is expected


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
