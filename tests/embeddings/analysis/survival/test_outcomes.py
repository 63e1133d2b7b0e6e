"""Events and times as clinical tables spell them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embeddings.analysis.survival.outcomes import event_flags, event_spellings, follow_up_times


@pytest.mark.parametrize(
    "values",
    [
        [1, 0, np.nan],
        [True, False, None],
        ["1", "0", ""],
        ["1.0", "0.0", "NA"],
        ["Dead", " alive ", "unknown"],
        ["deceased", "censored", None],
        ["1:DECEASED", "0:LIVING", "nan"],
        ["1:DECEASED", "0:LIVING", "[Not Available]"],
        ["1:DEAD WITH TUMOR", "0:ALIVE OR DEAD TUMOR FREE", "'--"],
        ["1:Recurred/Progressed", "0:DiseaseFree", "[Unknown]"],
        ["1:PROGRESSION", "0:CENSORED", "1:Unknown"],
        ["Recurred/Progressed", "Progression free", "Not Collected"],
        ["Dead of disease", "progression-free", "<NA>"],
        ["Progression", "no progression", "Not Reported"],
        ["died", "alive/NED", "--"],
        ["yes", "no", "n/a"],
        [np.True_, np.int64(0), np.float32("nan")],
    ],
)
def test_spellings_of_event_and_censored(values: list[object]) -> None:
    np.testing.assert_array_equal(event_flags(values), [1.0, 0.0, np.nan])


def test_the_reading_names_each_value_that_counts_as_an_event_or_as_censored() -> None:
    values = ["0:LIVING", "1:DECEASED", "0:LIVING", "1:DEAD WITH TUMOR", "'--", None, "1:DECEASED"]
    assert event_spellings(values) == (("1:DECEASED", "1:DEAD WITH TUMOR"), ("0:LIVING",))
    assert event_spellings([True, 0.0, 1]) == (("True", "1"), ("0.0",))


def test_dead_of_another_cause_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="'dead of other causes'"):
        event_flags(["dead of other causes", "alive"])


def test_values_that_are_neither_are_named_with_their_number() -> None:
    with pytest.raises(ValueError, match=r"'male' \(2x\), 'female' \(1x\) are neither"):
        event_flags(["male", "female", "male", 1])


def test_a_number_that_is_no_code_is_refused() -> None:
    for value in ("-1", -1, "1_0", "0.5"):
        with pytest.raises(ValueError, match="neither an event nor censored"):
            event_flags([value, 0])


def test_a_coding_by_one_and_two_is_refused_with_what_to_write() -> None:
    with pytest.raises(ValueError, match="In a 1/2 coding, write 0 for censored"):
        event_flags([1, 2, 1, 2])


def test_a_code_that_contradicts_its_word_is_refused() -> None:
    with pytest.raises(ValueError, match="'1:LIVING'"):
        event_flags(["1:LIVING", "0:LIVING"])


@given(st.lists(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none())))
def test_any_column_is_read_as_flags_or_refused_in_words(values: list[object]) -> None:
    refusal, flags = "", np.full(len(values), np.nan)
    try:
        flags = event_flags(values)
    except ValueError as error:
        refusal = str(error)
    assert not refusal or "cannot be read" in refusal
    assert len(flags) == len(values)
    assert set(flags[~np.isnan(flags)]) <= {0.0, 1.0}


@given(st.lists(st.one_of(st.text(), st.integers(), st.floats(), st.none())))
def test_any_column_is_read_as_times_or_refused_in_words(values: list[object]) -> None:
    refusal, times = None, np.full(len(values), np.nan)
    try:
        times = follow_up_times(values)
    except ValueError as error:
        refusal = str(error)
    assert refusal != ""
    assert len(times) == len(values)
    assert (times[~np.isnan(times)] >= 0).all()


def test_times_may_be_text_and_missing() -> None:
    times = follow_up_times(["12", 3.5, None, "NA", 0, "[Not Available]", "'--", "Not Collected"])
    np.testing.assert_array_equal(times, [12, 3.5, np.nan, np.nan, 0, np.nan, np.nan, np.nan])
