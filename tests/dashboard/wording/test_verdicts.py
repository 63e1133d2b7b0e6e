"""What is said of three simulated cohorts: size explains all, stage goes beyond size, nothing is there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embeddings.analysis import ShortcutAudit, StageGradient, shortcuts, stage_gradient, verdicts

N, WIDTH = 120, 40


def analysed(*, by_size: float, by_stage: float) -> tuple[StageGradient, ShortcutAudit]:
    """A cohort whose stage is mostly its size, in vectors that show the size, the stage, both or neither."""
    rng = np.random.default_rng(5)
    log_size = rng.normal(size=N)
    stage = np.digitize(log_size + 0.6 * rng.normal(size=N), [-0.5, 0.5])
    vectors: Any = rng.normal(size=(N, WIDTH))
    vectors[:, :4] += by_size * log_size[:, None]
    vectors[:, 4:8] += by_stage * stage[:, None]
    size = np.exp(log_size)
    gradient = stage_gradient(vectors, stage, size=size, n_permutations=199, n_bootstrap=99)
    audit = shortcuts(vectors, stage, {"tumour volume": size}, n_permutations=199, n_bootstrap=99)
    return gradient, audit


def test_size_that_explains_all_is_said_to_explain_the_axis_and_never_the_opposite() -> None:
    gradient, audit = analysed(by_size=1.5, by_stage=0.0)
    headline = verdicts.gradient(gradient)
    assert headline.startswith("On patients it was not fitted to, the axis follows stage")
    assert "Beyond size no gradient is shown, neither with size removed from the vectors (" in headline
    assert verdicts.audit(audit).startswith("1 of 1 column alone explains the stage axis here: tumour volume.")
    verdict = audit.verdicts[0]
    assert verdict.startswith("tumour volume alone explains the stage axis here: it is associated with stage (")
    assert "the vectors predict it" in verdict
    assert "no stage axis is shown" in verdict
    for text in (headline, verdict):
        assert "cannot be told" not in text


def test_a_stage_beyond_size_is_said_to_be_so() -> None:
    gradient, audit = analysed(by_size=1.0, by_stage=1.2)
    headline = verdicts.gradient(gradient)
    assert "It also follows stage with size removed from the vectors (" in headline
    assert " and among cases of similar size (" in headline
    assert verdicts.audit(audit).endswith("but it alone does not explain the stage axis.")
    assert "tumour volume is associated with stage (" in audit.verdicts[0]
    assert "with it removed from the vectors, the axis still follows stage" in audit.verdicts[0]


def test_where_nothing_is_found_nothing_is_explained() -> None:
    gradient, audit = analysed(by_size=0.0, by_stage=0.0)
    assert verdicts.gradient(gradient).startswith("No stage gradient is shown: on patients it was not fitted to")
    assert verdicts.audit(audit) == (
        "tumour volume is not shown both to be associated with stage and to be predicted by the vectors."
    )
    assert "but the vectors are not shown to predict it" in audit.verdicts[0]


@pytest.mark.parametrize("kind", ["explains", "beyond", "nothing"])
def test_every_p_of_a_headline_has_its_sides(kind: str) -> None:
    strengths = {"explains": (1.5, 0.0), "beyond": (1.0, 1.2), "nothing": (0.0, 0.0)}[kind]
    said = verdicts.gradient(analysed(by_size=strengths[0], by_stage=strengths[1])[0]).replace("\u00a0", " ")
    assert said.count("one-sided p ") == said.count(" p = ") + said.count(" p < ") > 0
