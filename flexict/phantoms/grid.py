"""The sampling grid of a phantom, and how shapes are drawn on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Grid:
    """Voxel centres in LPS mm, with the middle of the field at (0, 0, 0).

    Attributes:
        x, y, z: coordinates shaped `[1, 1, nx]`, `[1, ny, 1]`, `[nz, 1, 1]`, ready to broadcast.
        spacing: mm along x, y, z.
    """

    x: Array
    y: Array
    z: Array
    spacing: tuple[float, float, float]

    @staticmethod
    def centred(field_mm: tuple[float, float, float], spacing: tuple[float, float, float]) -> Grid:
        """The grid that fills a field of `field_mm` (x, y, z) round the origin."""
        axes = []
        for extent, step in zip(field_mm, spacing, strict=True):
            count = max(round(extent / step), 1)
            axes.append(((np.arange(count) - (count - 1) / 2) * step).astype(np.float32))
        x, y, z = axes
        return Grid(x[None, None, :], y[None, :, None], z[:, None, None], spacing)

    @property
    def points(self) -> tuple[Array, Array, Array]:
        """Coordinates x, y, z of all voxels, ready to broadcast."""
        return self.x, self.y, self.z

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along z, y, x."""
        return self.z.size, self.y.size, self.x.size

    @property
    def origin(self) -> tuple[float, float, float]:
        """LPS mm of the centre of voxel `[0, 0, 0]`."""
        return float(self.x.flat[0]), float(self.y.flat[0]), float(self.z.flat[0])

    @property
    def edge_mm(self) -> float:
        """Width over which a boundary is smeared by the voxels' size: the mean spacing."""
        return float(np.mean(self.spacing))

    def box(self, low: NDArray[np.floating], high: NDArray[np.floating]) -> Box:
        """Index box (z, y, x) of the voxels between two LPS corners given as (x, y, z)."""
        slices = []
        for axis, first, last in zip(self.points, low, high, strict=True):
            line = axis.ravel()
            start = int(np.searchsorted(line, first, side="left"))
            stop = int(np.searchsorted(line, last, side="right"))
            slices.append(slice(start, max(stop, start)))
        return slices[2], slices[1], slices[0]

    def moved(self, shift_mm: NDArray[np.floating]) -> Grid:
        """The same grid with every voxel `shift_mm` (x, y, z) further."""
        x, y, z = (np.float32(value) for value in shift_mm)
        return Grid(self.x + x, self.y + y, self.z + z, self.spacing)

    def crop(self, box: Box) -> Grid:
        """The part of the grid inside an index box."""
        z, y, x = box
        return Grid(self.x[:, :, x], self.y[:, y], self.z[z], self.spacing)


def bell(values: Array, centre: float, width: float) -> Array:
    """A Gaussian bump of height 1 at `centre`: exp(-((values - centre) / width)^2)."""
    return np.asarray(np.exp(-np.square((values - centre) / width)))


def sigmoid(values: Array, centre: float, width: float) -> Array:
    """The logistic function, 0.5 at `centre`, steeper the smaller `width` is."""
    return np.asarray(1.0 / (1.0 + np.exp(-(values - centre) / width)))


def coverage(distance: Array, edge_mm: float) -> Array:
    """Fraction of each voxel inside a surface, from the signed distance in mm (negative inside)."""
    fraction = distance * np.float32(-1.0 / edge_mm)
    fraction += np.float32(0.5)
    return np.clip(fraction, 0.0, 1.0, out=fraction)


def blend(canvas: Array, fraction: Array, hu: Array | float) -> None:
    """Replace `fraction` of every voxel's content by material of `hu`, in place."""
    canvas += fraction * (np.asarray(hu, dtype=np.float32) - canvas)


def ellipsoid(
    points: tuple[Array, Array, Array],
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    axes: NDArray[np.floating] | None = None,
) -> Array:
    """Approximate signed distance in mm of points (x, y, z) to an ellipsoid with principal directions `axes` (rows)."""
    x, y, z = (np.asarray(values, np.float32) - np.float32(c) for values, c in zip(points, centre, strict=True))
    total = np.float32(0.0)
    for row, radius in zip(np.eye(3) if axes is None else axes, radii, strict=True):
        a, b, c = (np.float32(value / radius) for value in row)
        total = total + np.square(a * x + b * y + c * z)
    return np.asarray((np.sqrt(total) - np.float32(1.0)) * np.float32(min(radii)))


def tube(
    grid: Grid,
    points: NDArray[np.floating],
    radii: NDArray[np.floating],
    parents: NDArray[np.intp] | None = None,
) -> tuple[Box, Array]:
    """Coverage by round, tapered tubes through `points` `[n, 3]` (LPS mm) with `radii` `[n]`.

    Without `parents` the points are one line; with it, point i is joined to point `parents[i]` (a root to
    itself), which draws a tree. Returns the index box touched and the coverage in it.
    """
    if parents is None:
        parents = np.maximum(np.arange(len(points)) - 1, 0)
    margin = float(radii.max()) + grid.edge_mm
    whole = grid.box(points.min(axis=0) - margin, points.max(axis=0) + margin)
    local = grid.crop(whole)
    canvas: Array = np.zeros(local.shape, dtype=np.float32)
    edge = np.float32(grid.edge_mm)
    for child, parent in enumerate(parents):
        if child == parent:
            continue
        start, end = points[parent], points[child]
        first, last = np.float32(radii[parent]), np.float32(radii[child])
        reach = max(first, last) + edge
        box = local.box(np.minimum(start, end) - reach, np.maximum(start, end) + reach)
        part = local.crop(box)
        x, y, z = part.x - np.float32(start[0]), part.y - np.float32(start[1]), part.z - np.float32(start[2])
        ux, uy, uz = (end - start).astype(np.float32)
        length = np.float32(max(ux * ux + uy * uy + uz * uz, 1e-6))
        along = np.clip((x * (ux / length) + y * (uy / length)) + z * (uz / length), 0.0, 1.0)
        gap = np.sqrt(np.square(x - along * ux) + np.square(y - along * uy) + np.square(z - along * uz))
        inside = coverage(gap - (first + along * (last - first)), grid.edge_mm)
        # A vessel thinner than a voxel never fills it.
        inside *= np.float32(min(1.0, 2.0 * float(max(first, last)) / grid.edge_mm))
        np.maximum(canvas[box], inside, out=canvas[box])
    return whole, canvas


def smooth_noise(
    rng: np.random.Generator,
    grid: Grid,
    cell_mm: float,
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0),
    reach_mm: float = 190.0,
) -> Array:
    """Noise of zero mean and about unit variance whose correlation length is about `cell_mm`.

    White noise on a coarse lattice is spread by separable Gaussian weights, at the cost of one matrix
    product per axis. The lattice is fixed in the patient (`reach_mm` each way from `centre`, LPS mm; the edge
    value continues beyond it), so that every grid samples the same tissue.
    """
    nodes = np.arange(-reach_mm, reach_mm + cell_mm, cell_mm)
    weights, rows = [], []
    for axis, middle in zip((grid.z, grid.y, grid.x), centre[::-1], strict=True):
        line = np.clip(axis.ravel() - middle, -reach_mm, reach_mm)
        weight = np.exp(-0.5 * np.square((line[:, None] - nodes[None]) / (0.6 * cell_mm)))
        weight /= np.sqrt(np.square(weight).sum(axis=1, keepdims=True))
        used = np.flatnonzero(weight.max(axis=0, initial=0.0) > 1e-5)
        rows.append(used)
        weights.append(weight[:, used].astype(np.float32))
    wz, wy, wx = weights
    lattice = rng.standard_normal((len(nodes),) * 3, dtype=np.float32)[np.ix_(*rows)]
    spread = np.tensordot(wz, lattice, axes=(1, 0))
    spread = np.matmul(wy, spread)
    return np.asarray(np.matmul(spread, wx.T), dtype=np.float32)
