"""Reports say what is true of a phantom, in many wordings, and nothing that a view does not show."""

from __future__ import annotations

import numpy as np
import pytest

from flexict.phantoms import chest_phantom
from flexict.pretrain.reports import (
    LESION_FIXED,
    LESION_SCALED,
    LOBES,
    WHOLE,
    findings,
    full_report,
    varied_report,
)

VIEWS = (WHOLE, LESION_FIXED, LESION_SCALED)


@pytest.fixture(scope="module")
def truths() -> list[dict]:
    return [chest_phantom(seed, spacing_mm=6.0).truth for seed in range(40)]


def test_a_full_report_names_everything_that_is_true(truths) -> None:
    for truth in truths:
        text = full_report(truth)
        for word in (truth["lobe"], truth["density"], f"{truth['diameter_mm']:.0f} mm"):
            assert str(word) in text
        assert str(truth["margin"]) in text.lower()
        assert ("No pleural effusion" in text) == (not truth["effusion"])
        if truth["effusion"]:
            assert f"{str(truth['effusion_side']).capitalize()} pleural effusion" in text
        assert ("No emphysema" in text) == (not truth["emphysema"])


def test_wordings_vary_and_never_contradict(truths) -> None:
    rng = np.random.default_rng(0)
    for truth in truths[:10]:
        texts = {varied_report(truth, WHOLE, rng) for _ in range(30)}
        assert len(texts) > 10
        for text in texts:
            assert [lobe for lobe in LOBES if lobe in text.lower()] == [truth["lobe"]]
            if not truth["effusion"]:
                assert "effusion" not in text or "no " in text.lower()


def test_the_report_of_a_lesion_crop_omits_place_and_effusion_and_of_a_scaled_one_size(truths) -> None:
    rng = np.random.default_rng(0)
    for truth in truths:
        for _ in range(5):
            fixed, scaled = (varied_report(truth, view, rng).lower() for view in (LESION_FIXED, LESION_SCALED))
            for text in (fixed, scaled):
                assert "lobe " not in text
                assert "effusion" not in text
            assert " mm" in fixed
            assert " mm" not in scaled
            assert "nodule" not in scaled
            assert "mass" not in scaled


@pytest.mark.parametrize("view", VIEWS)
def test_findings_are_true_as_said_and_each_view_has_true_and_false_ones(truths, view: str) -> None:
    for truth in truths:
        stated = {finding.phrase: finding.present for finding in findings(truth, view)}
        assert set(stated.values()) == {True, False}
        margins = [stated[f"{margin} margin"] for margin in ("smooth", "lobulated", "spiculated")]
        assert margins.count(True) == 1
        assert ("pleural effusion" in stated) == (view == WHOLE)
        if view == WHOLE:
            assert stated["pleural effusion"] == truth["effusion"]
            assert stated["lesion in the right lung"] == (truth["side"] == "right")
        assert any("larger than" in phrase for phrase in stated) == (view != LESION_SCALED)
