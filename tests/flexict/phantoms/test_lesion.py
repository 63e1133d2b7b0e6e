"""Severity drives the tumour without determining it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from flexict.phantoms.anatomy import draw_anatomy, lobe_of, lung_distance
from flexict.phantoms.grid import Grid
from flexict.phantoms.lesion import Lesion, draw_lesion, paint_lesion

SEVERITIES = np.linspace(0.0, 1.0, 60)


@pytest.fixture(scope="module")
def lesions() -> list[Lesion]:
    drawn = []
    for seed, severity in enumerate(SEVERITIES):
        rng = np.random.default_rng(seed)
        drawn.append(draw_lesion(draw_anatomy(rng, severity), rng, severity))
    return drawn


@pytest.mark.parametrize("name", ["radius", "spiculation", "solid"])
def test_rises_with_severity_but_is_not_it(lesions: list[Lesion], name: str) -> None:
    rho = spearmanr(SEVERITIES, [getattr(lesion, name) for lesion in lesions]).statistic
    assert 0.7 < rho < 0.99


def test_every_margin_and_density_occurs_in_order_of_severity(lesions: list[Lesion]) -> None:
    for attribute, order in (
        ("density", ("ground-glass", "part-solid", "solid")),
        ("margin", ("smooth", "spiculated")),
    ):
        means = [
            np.mean([s for s, lesion in zip(SEVERITIES, lesions, strict=True) if getattr(lesion, attribute) == kind])
            for kind in order
        ]
        assert np.all(np.diff(means) > 0)
    assert {lesion.side for lesion in lesions} == {"left", "right"}
    assert len({lesion.lobe for lesion in lesions}) == 5


def test_centre_is_inside_the_lung_of_its_side(lesions: list[Lesion]) -> None:
    for seed, (severity, lesion) in enumerate(zip(SEVERITIES, lesions, strict=True)):
        anatomy = draw_anatomy(np.random.default_rng(seed), severity)
        x, y, z = (np.array([value], dtype=np.float32) for value in lesion.centre)
        assert lung_distance(anatomy, x, y, z)[0] < 0
        assert (lesion.centre[0] < anatomy.midline) == (lesion.side == "right")


def painted(lesion: Lesion, spacing: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """HU and mask of a lesion in boundless lung of -860 HU."""
    extent = 5.0 * lesion.radius + 10
    centred = Grid.centred((extent,) * 3, (spacing,) * 3)
    grid = centred.moved(np.array(lesion.centre))
    hu = np.full(grid.shape, -860.0, dtype=np.float32)
    return hu, paint_lesion(hu, grid, lesion, np.full(grid.shape, -1e3, dtype=np.float32))


def test_smooth_tumour_has_the_volume_of_its_sphere(lesions: list[Lesion]) -> None:
    sphere = next(lesion for lesion in lesions if lesion.radius > 15)
    smooth = Lesion(**{**sphere.__dict__, "heights": np.zeros_like(sphere.heights)})
    _, mask = painted(smooth)
    assert mask.sum() == pytest.approx(4 / 3 * np.pi * smooth.radius**3, rel=0.03)


def test_spikes_roughen_the_surface(lesions: list[Lesion]) -> None:
    rough = max(lesions, key=lambda lesion: lesion.spiculation)
    smooth = Lesion(**{**rough.__dict__, "heights": np.zeros_like(rough.heights)})

    def sphericity(mask: np.ndarray) -> float:
        faces = sum(np.abs(np.diff(mask.astype(int), axis=axis)).sum() for axis in range(3))
        return float(np.pi ** (1 / 3) * (6.0 * mask.sum()) ** (2 / 3) / faces)

    assert sphericity(painted(rough, 2.0)[1]) < 0.9 * sphericity(painted(smooth, 2.0)[1])


def test_density_of_the_voxels_follows_the_solid_fraction(lesions: list[Lesion]) -> None:
    small = sorted((lesion for lesion in lesions if lesion.radius < 15), key=lambda lesion: lesion.solid)
    means = [hu[mask > 0].mean() for hu, mask in (painted(lesion) for lesion in small[:: len(small) // 6])]
    assert spearmanr(np.arange(len(means)), means).statistic > 0.9
    assert means[0] < -350


def test_necrotic_core_is_darker_than_its_rim(lesions: list[Lesion]) -> None:
    lesion = next(lesion for lesion in lesions if lesion.necrosis > 0)
    hu, mask = painted(lesion, 2.0)
    middle = tuple(n // 2 for n in hu.shape)
    core = hu[tuple(slice(m - 2, m + 3) for m in middle)].mean()
    assert core < np.median(hu[mask > 0]) - 10


def test_lobes_follow_the_fissures() -> None:
    anatomy = draw_anatomy(np.random.default_rng(0), 0.0)
    assert lobe_of(anatomy, (-60.0, -20.0, 70.0)) == "right upper"
    assert lobe_of(anatomy, (-60.0, -60.0, -30.0)) == "right middle"
    assert lobe_of(anatomy, (-60.0, 55.0, -30.0)) == "right lower"
    assert lobe_of(anatomy, (60.0, -20.0, 60.0)) == "left upper"
    assert lobe_of(anatomy, (60.0, 55.0, -30.0)) == "left lower"
