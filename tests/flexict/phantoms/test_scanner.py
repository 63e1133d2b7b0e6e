"""A scanner adds the noise, blur and offset it declares."""

from __future__ import annotations

import numpy as np
import pytest

from flexict.phantoms import SCANNERS, Scanner
from flexict.phantoms.grid import Grid
from flexict.phantoms.scanner import draw_scanner, scan

GRID = Grid.centred((80.0, 80.0, 80.0), (2.0, 2.0, 2.0))


@pytest.mark.parametrize("name", ["A", "B"])
def test_noise_and_offset_are_as_declared(name: str) -> None:
    scanner = SCANNERS[name]
    flat = np.full(GRID.shape, 40.0, dtype=np.float32)
    image = scan(flat, GRID, scanner, np.random.default_rng(0))[10:-10, 12:-12, 12:-12]
    assert image.mean() == pytest.approx(40 + scanner.hu_offset, abs=1.5)
    assert image.std() == pytest.approx(scanner.noise_hu, rel=0.1)


def test_air_keeps_its_calibration() -> None:
    scanner = Scanner("biased", "soft", 2.0, noise_hu=0.5, hu_offset=20.0)
    image = scan(np.full(GRID.shape, -1000.0, dtype=np.float32), GRID, scanner, np.random.default_rng(0))
    assert image.mean() == pytest.approx(-1000, abs=1)


def test_sharp_kernel_overshoots_an_edge_and_the_soft_one_does_not() -> None:
    edge = np.where(GRID.x > 0, 100.0, 0.0) + np.zeros(GRID.shape)
    top = {}
    for kernel in ("soft", "sharp"):
        scanner = Scanner("x", kernel, 2.0, noise_hu=0.01, hu_offset=0.0)
        top[kernel] = scan(edge.astype(np.float32), GRID, scanner, np.random.default_rng(0)).max()
    assert top["sharp"] > 103
    assert top["soft"] <= 101


def test_noise_of_the_soft_kernel_is_coarser() -> None:
    flat = np.zeros(GRID.shape, dtype=np.float32)

    def neighbour_correlation(name: str) -> float:
        image = scan(flat, GRID, SCANNERS[name], np.random.default_rng(1)).astype(float)
        return float(np.corrcoef(image[:, :, 1:].ravel(), image[:, :, :-1].ravel())[0, 1])

    assert neighbour_correlation("A") > neighbour_correlation("B") + 0.2


def test_drawn_scanners_fit_the_grid() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_scanner(rng, 2.0) for _ in range(50)]
    assert all(scanner.slice_thickness_mm <= 2.0 for scanner in drawn)
    assert {scanner.kernel for scanner in drawn} == {"soft", "sharp"}
