"""A complete series with two spacings is resampled to the finer one; a series that lacks slices is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from embeddings import job
from embeddings.cohort.read import read_cohort
from embeddings.imaging.acquisition import acquisition_of
from embeddings.imaging.dicom.slice_spacing import Evidence, spacing_of
from embeddings.imaging.images import ImageError, inspect, read_image, read_mask, read_scan
from embeddings.imaging.masks.lesions import measure
from embeddings.imaging.uneven_slices import UnevenSlices
from embeddings.store.store import Store
from flexict.volume import Volume
from tests.embeddings.dicom_files import DIRECTIONS, write_ct_series, write_rtstruct, write_seg
from tests.embeddings.imaging.dicom.test_multiframe import write_enhanced
from tests.embeddings.job.conftest import TinyEncoder

ROWS, COLUMNS = 30, 28
PIXEL_MM = (1.5, 1.2)
START = np.array([-20.0, -18.0, -70.0])
NO_EVIDENCE = Evidence(None, (float("nan"),) * 200)


def heights(*gaps: tuple[int, float]) -> np.ndarray:
    """`(13, 4.0), (14, 7.0)`: 13 gaps of 4 mm, then 14 of 7 mm."""
    return np.concatenate([[0.0], np.cumsum(np.concatenate([np.full(n, mm) for n, mm in gaps]))])


HEAD = heights((14, 4.0), (13, 7.0))  # 28 slices, the first 15 of which lie 4 mm apart


def hu_at(place: np.ndarray) -> np.ndarray:
    """HU of a point `[..., 3]`, mm from the first voxel: linear, so that linear resampling is exact."""
    return -900 + place @ np.array([3.0, -2.0, 8.0])


def head(folder: Path, at: np.ndarray, direction: np.ndarray | None = None, tilt: float = 0.0, **tags: object) -> Path:
    """A series with a slice at each height; `tilt` mm of shift along the columns a mm of height."""
    axes = np.eye(3) if direction is None else direction
    y, x = np.mgrid[:ROWS, :COLUMNS]
    n = len(at)
    array = np.empty((n, ROWS, COLUMNS), np.int16)
    for z, height in enumerate(at):
        place = np.stack([x * PIXEL_MM[0], y * PIXEL_MM[1] + tilt * height, np.full_like(x, height, dtype=float)], -1)
        array[z] = np.rint(hu_at(place))
    numbers = iter(range(n))

    def change(ds: Dataset) -> None:
        number = next(numbers)
        position = START + axes @ np.array([0.0, tilt * at[number], at[number]])
        ds.ImagePositionPatient = [f"{mm:.8g}" for mm in position]
        for name, value in tags.items():
            setattr(ds, name, value[number] if isinstance(value, Sequence | np.ndarray) else value)

    return write_ct_series(folder, Volume(array, (*PIXEL_MM, 1.0), (0.0, 0.0, 0.0), axes), change)


def expected(volume: Volume, direction: np.ndarray | None = None) -> np.ndarray:
    """What lies at each of the volume's voxels, by the truth."""
    index = np.stack(np.meshgrid(*map(np.arange, volume.shape), indexing="ij"), axis=-1).astype(float)
    axes = np.eye(3) if direction is None else direction
    return np.asarray(hu_at((volume.lps_of(index) - START) @ axes))


@pytest.mark.parametrize("order", ["fine first", "fine last", "fine between", "a gap between"])
@pytest.mark.parametrize("name", ["LPS", "oblique"])
def test_a_head_with_two_spacings_is_resampled_to_the_finer(tmp_path: Path, order: str, name: str) -> None:
    at = {
        "fine first": HEAD,
        "fine last": heights((13, 7.0), (14, 4.0)),
        "fine between": heights((5, 7.0), (14, 4.0), (6, 7.0)),
        "a gap between": heights((14, 4.0), (1, 5.5), (13, 7.0)),
    }[order]
    direction = DIRECTIONS[name]
    folder = head(tmp_path / "ct", at, direction)
    header, volume = inspect(folder), read_image(folder)
    assert header.shape_zyx == volume.shape
    assert header.grid().same_grid(volume)
    assert volume.spacing == pytest.approx((*PIXEL_MM, 4.0))
    between = "4, 5.5 and 7" if order == "a gap between" else "4 and 7"
    assert header.notes == (f"its slices are {between} mm apart: resampled to 4 mm",)
    z = (volume.lps_of(np.array([[k, 0, 0] for k in range(volume.shape[0])], float)) - START) @ direction[:, 2]
    assert z[0] == pytest.approx(0, abs=2.0)
    assert z[-1] == pytest.approx(at[-1], abs=2.0)
    inside = (z >= -1e-3) & (z <= at[-1] + 1e-3)
    np.testing.assert_allclose(volume.array[inside], expected(volume, direction)[inside], atol=1.01)
    # Slices of the finer part come through as they are.
    fine = [k for k in range(len(at)) if 4.0 in np.round(np.diff(at)[max(k - 1, 0) : k + 1], 6)]
    for k in fine:
        index = int(np.argmin(np.abs(z - at[k])))
        assert z[index] == pytest.approx(at[k], abs=1e-3)
        stored = pydicom.dcmread(sorted(folder.iterdir())[k]).pixel_array.astype(int) - 1024
        np.testing.assert_array_equal(volume.array[index], stored)


def test_two_spacings_of_a_tilted_gantry(tmp_path: Path) -> None:
    folder = head(tmp_path / "ct", HEAD, tilt=np.tan(np.radians(15)))
    header, volume = inspect(folder), read_image(folder)
    assert header.notes == (
        "its slices are 4 and 7 mm apart: resampled to 4 mm",
        "its gantry was tilted by 15.0 degrees: resampled to a rectangular grid",
    )
    known = volume.array > -1024
    assert known.mean() > 0.3
    inner = known.copy()
    for axis in (1, 2):  # without the rim, where air is mixed in
        inner &= np.roll(known, 1, axis) & np.roll(known, -1, axis)
    inner[-1] = False  # above the last slice
    np.testing.assert_allclose(volume.array[inner], expected(volume)[inner], atol=1.6)


def test_frames_of_two_spacings(tmp_path: Path) -> None:
    array = np.rint(np.broadcast_to(-900 + 8 * HEAD[:, None, None], (28, 5, 6))).astype(np.int16)
    grid = Volume(array, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    path = write_enhanced(tmp_path / "all.dcm", grid)
    ds = pydicom.dcmread(path)
    for z, frame in enumerate(ds.PerFrameFunctionalGroupsSequence):
        frame.PlanePositionSequence[0].ImagePositionPatient = [0, 0, HEAD[z]]
    ds.save_as(path)
    found = read_image(path)
    assert found.spacing[2] == pytest.approx(4.0)
    np.testing.assert_allclose(found.array[:-1, 0, 0], -900 + 8 * 4.0 * np.arange(len(found.array) - 1), atol=1)


def test_validate_notes_two_spacings_and_the_store_keeps_the_acquisition(tmp_path: Path) -> None:
    folder = head(tmp_path / "ct", HEAD)
    csv = tmp_path / "cohort.csv"
    csv.write_text("case_id,patient_id,image_path\na,p,ct\n")
    report = read_cohort(csv)
    assert [(p.severity, p.reason) for p in report.problems] == [
        ("warning", "its slices are 4 and 7 mm apart: resampled to 4 mm")
    ]
    summary = job.run(csv, tmp_path / "out.duckdb", encoder=TinyEncoder(), view="volume", workers=1)
    assert summary.n_embedded == 1
    assert Store(tmp_path / "out.duckdb").acquisitions()["n_slices"].tolist() == [28]
    assert acquisition_of("a", inspect(folder)).spacing_z_mm == 4.0


@pytest.mark.parametrize("text", [b"inf   ", b"1.5   ", b"\0\0\0\0\0\0", b"1\\2\\3 "])
def test_an_unreadable_instance_number_is_ignored(tmp_path: Path, text: bytes) -> None:
    folder = head(tmp_path / "ct", HEAD, InstanceNumber=12345)
    before = read_image(folder)
    for file in list(folder.iterdir())[:3]:
        raw = file.read_bytes()
        assert raw.count(b"12345 ") == 1
        file.write_bytes(raw.replace(b"12345 ", text))
    np.testing.assert_array_equal(read_image(folder).array, before.array)


# What slices that are missing look like


def spaced(at: np.ndarray, evidence: Evidence) -> float | UnevenSlices:
    return spacing_of(Path("f/ct"), at, lambda: evidence)


def test_slices_that_are_even_are_asked_for_no_evidence() -> None:
    assert spacing_of(Path("f/ct"), heights((20, 2.5)), lambda: pytest.fail("asked")) == 2.5


def refusal(at: np.ndarray, evidence: Evidence = NO_EVIDENCE) -> str:
    with pytest.raises(ImageError) as caught:
        spaced(at, evidence)
    return str(caught.value)


def evidence_of(numbers: Sequence[int] | None, thickness: Sequence[float]) -> Evidence:
    return Evidence(None if numbers is None else tuple(numbers), tuple(thickness))


DOUBLE = heights((14, 4.0), (13, 8.0))
UNKNOWN = [float("nan")] * 28


def test_a_spacing_that_missing_slices_explain_needs_evidence() -> None:
    assert "4 mm apart and others 8 mm apart, and it is not known whether slices are missing" in refusal(DOUBLE)
    complete = [
        evidence_of(range(28), UNKNOWN),
        evidence_of(range(90, 62, -1), UNKNOWN),
        evidence_of(None, [4.0] * 15 + [8.0] * 13),
    ]
    for evidence in complete:
        found = spaced(DOUBLE, evidence)
        assert isinstance(found, UnevenSlices)
        assert found.spacings_mm == (4.0, 8.0)
    lacking = evidence_of([*range(15), *range(16, 41, 2)], UNKNOWN)
    assert "lacks 13 slices (the first gap is at 56.0 mm)" in refusal(DOUBLE, lacking)
    assert "it is not known" in refusal(DOUBLE, evidence_of(None, [4.0] * 28))


def test_gaps_in_instance_numbers_mean_missing_slices_at_any_spacing() -> None:
    numbers = [*range(15), *range(16, 41, 2)]
    assert "lacks 13 slices" in refusal(HEAD, evidence_of(numbers, UNKNOWN))


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (np.delete(HEAD, 5), "lacks 1 slice "),
        (np.delete(HEAD, 20), "lacks 1 slice (the first gap is at 91.0 mm)"),
        (np.delete(HEAD, [5, 20, 21]), "lacks 3 slices"),
        (heights((10, 1.0), (10, 6.0)), "unevenly spaced slices (1.00 to 6.00 mm)"),
        (heights((10, 15.0), (10, 25.0)), "unevenly spaced"),
        (heights((5, 2.0), (1, 2.5), (5, 2.0)), "unevenly spaced"),
        (heights((2, 2.0), (2, 3.0)), "unevenly spaced"),
        (np.insert(HEAD, 3, HEAD[3]), "two different slices at the same position"),
        (np.where(np.arange(28) == 3, np.nan, HEAD), "without a finite position"),
    ],
)
def test_incomplete_or_irregular_stacks_are_refused(at: np.ndarray, said: str) -> None:
    assert said in refusal(at)


@settings(max_examples=150, deadline=None)
@given(
    parts=st.lists(st.tuples(st.integers(3, 9), st.sampled_from([1.25, 3.0, 4.5, 5.0])), min_size=1, max_size=4),
    start=st.floats(-500, 500),
    noise=st.integers(0, 2**32 - 1),
)
@example(parts=[(3, 3.0), (5, 4.5), (3, 3.0), (3, 3.0)], start=0.0, noise=6764)  # midway, in a spacing of 3.0008
def test_every_acquired_slice_lies_within_half_a_spacing_of_the_grid(
    parts: list[tuple[int, float]], start: float, noise: int
) -> None:
    at = start + heights(*parts)
    at += np.random.default_rng(noise).uniform(-0.01, 0.01, len(at))  # as headers round
    found = spaced(at, evidence_of(range(len(at)), [float("nan")] * len(at)))
    if isinstance(found, float):
        assert len({mm for _, mm in parts}) == 1
        return
    finest = min(mm for _, mm in parts)
    assert found.spacing_mm == pytest.approx(finest, abs=0.02)
    half = found.spacing_mm / 2 + 1e-6  # of the spacing as measured, which the rounding changes
    grid = found.first_mm + found.spacing_mm * np.arange(found.n_slices)
    assert np.abs(grid[None, :] - np.array(found.heights_mm)[:, None]).min(axis=1).max() <= half
    assert np.abs(grid[[0, -1]] - np.array(found.heights_mm)[[0, -1]]).max() <= half


# Lesions that are drawn on the acquired slices

DRAWN = {"in the fine part": range(4, 10), "in the wide part": range(18, 24), "in both": range(11, 20)}


def acquired_blocks(slices: range) -> tuple[np.ndarray, np.ndarray]:
    """A block on each of some acquired slices `[n, y, x]`, and its outline in index x, y."""
    drawn = np.zeros((len(slices), ROWS, COLUMNS), bool)
    drawn[:, 10:20, 8:18] = True
    return drawn, np.array([[7.5, 9.5], [17.5, 9.5], [17.5, 19.5], [7.5, 19.5]])


@pytest.mark.parametrize("where", DRAWN)
@pytest.mark.parametrize("name", ["LPS", "oblique"])
@pytest.mark.parametrize("kind", ["SEG", "RTSTRUCT"])
def test_a_lesion_drawn_on_the_acquired_slices_is_placed_on_them(
    tmp_path: Path, kind: str, where: str, name: str
) -> None:
    direction, slices = DIRECTIONS[name], DRAWN[where]
    volume, header, _ = read_scan(head(tmp_path / "ct", HEAD, direction))
    drawn, outline = acquired_blocks(slices)
    # A grid of 1 mm, whose index z is a height.
    places = Volume(np.zeros((1, ROWS, COLUMNS)), (*PIXEL_MM, 1.0), tuple(START), direction)
    if kind == "SEG":
        path = write_seg(tmp_path / "m.dcm", places, drawn, [(HEAD[k], 0, 0) for k in slices])
    else:
        rings = [places.lps_of(np.column_stack([np.full(4, HEAD[k]), outline[:, ::-1]])) for k in slices]
        path = write_rtstruct(tmp_path / "m.dcm", {"GTV": rings})
    mask = read_mask(path, volume, header=header)
    assert mask.same_grid(volume)
    z, y, x = np.nonzero(mask.array)
    assert (y.min(), y.max(), x.min(), x.max()) == (10, 19, 8, 17)
    # Each slice stands for what is nearer to it than to its neighbours.
    low = (HEAD[slices[0] - 1] + HEAD[slices[0]]) / 2
    high = (HEAD[slices[-1]] + HEAD[slices[-1] + 1]) / 2
    made = np.unique(z) * 4.0
    assert list(np.unique(z)) == list(range(z.min(), z.max() + 1))
    assert made[0] == pytest.approx(low, abs=4.0)
    assert made[-1] == pytest.approx(high, abs=4.0)
    true_ml = (high - low) * 10 * PIXEL_MM[0] * 10 * PIXEL_MM[1] / 1000
    assert measure(mask).volume_ml == pytest.approx(true_ml, rel=0.12)
    centre = measure(mask).centroid_lps
    assert ((np.array(centre) - START) @ direction)[2] == pytest.approx((low + high) / 2, abs=2.0)


def test_validate_and_embed_accept_a_mask_of_the_acquired_slices(tmp_path: Path) -> None:
    folder = head(tmp_path / "ct", HEAD)
    drawn, _ = acquired_blocks(DRAWN["in the wide part"])
    places = Volume(np.zeros((1, ROWS, COLUMNS)), (*PIXEL_MM, 1.0), tuple(START), np.eye(3))
    write_seg(tmp_path / "m.dcm", places, drawn, [(HEAD[k], 0, 0) for k in DRAWN["in the wide part"]])
    between = [(HEAD[k] + 2, 0, 0) for k in DRAWN["in the wide part"]]
    write_seg(tmp_path / "between.dcm", places, drawn, between)
    csv = tmp_path / "cohort.csv"
    csv.write_text("case_id,patient_id,image_path,mask_path\na,p,ct,m.dcm\n")
    report = read_cohort(csv)
    assert report.ok
    summary = job.run(csv, tmp_path / "out.duckdb", encoder=TinyEncoder(), view="lesion", workers=1)
    assert (summary.n_embedded, summary.n_failed) == (1, 0)
    csv.write_text("case_id,patient_id,image_path,mask_path\na,p,ct,between.dcm\n")
    report = read_cohort(csv)
    assert report.ok
    assert any("another grid" in one.reason for one in report.problems if one.column == "mask_path")
    volume, header, _ = read_scan(folder)
    taken = measure(read_mask(tmp_path / "between.dcm", volume, header=header))
    whole = measure(read_mask(tmp_path / "m.dcm", volume, header=header))
    assert taken.volume_ml == pytest.approx(whole.volume_ml, rel=0.35)


def test_an_outline_beyond_the_slices_is_refused(tmp_path: Path) -> None:
    volume, header, _ = read_scan(head(tmp_path / "ct", HEAD))
    _, outline = acquired_blocks(range(1))
    places = Volume(np.zeros((1, ROWS, COLUMNS)), (*PIXEL_MM, 1.0), tuple(START), np.eye(3))
    for height in (-4.0, HEAD[-1] + 7.0):
        ring = places.lps_of(np.column_stack([np.full(4, height), outline[:, ::-1]]))
        with pytest.raises(ImageError, match="1 of 1 outlines outside its CT"):
            read_mask(write_rtstruct(tmp_path / "m.dcm", {"GTV": [ring]}), volume, header=header)


def test_padding_is_not_mixed_into_tissue_where_slices_are_resampled(tmp_path: Path) -> None:
    folder = head(tmp_path / "ct", HEAD)
    for number, file in enumerate(sorted(folder.iterdir())):
        ds = pydicom.dcmread(file)
        pixels = ds.pixel_array.copy()
        pixels[: 3 + number % 2] = -2000  # -3024 HU, not declared
        ds.PixelData = pixels.tobytes()
        ds.save_as(file)
    volume, _, doubt = read_scan(folder)
    assert doubt is None
    assert (volume.array[:, :3] == -1024).all()
