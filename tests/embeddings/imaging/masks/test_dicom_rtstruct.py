"""RTSTRUCT outlines as masks: correct area and volume on any grid, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from embeddings.imaging.images import ImageError, read_mask, read_noted_mask
from embeddings.imaging.masks.dicom_mask import find_dicom_mask
from flexict.volume import Volume
from tests.embeddings.dicom_files import DIRECTIONS, OBLIQUE, box, grid_of, on_plane, write_rtstruct


@pytest.fixture(params=list(DIRECTIONS))
def grid(request: pytest.FixtureRequest) -> Volume:
    return grid_of(direction=DIRECTIONS[request.param])


class TestStructureSets:
    def test_a_box_is_exact(self, tmp_path: Path, grid: Volume) -> None:
        outlines = [on_plane(grid, z, box(2.5, 9.5, 1.5, 7.5)) for z in (3, 4, 5)]
        mask = read_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": outlines}), grid)
        expected = np.zeros(grid.shape, np.uint8)
        expected[3:6, 3:10, 2:8] = 1
        np.testing.assert_array_equal(mask.array, expected)
        assert mask.same_grid(grid)

    def test_an_outline_within_another_is_a_hole(self, tmp_path: Path, grid: Volume) -> None:
        rings = [on_plane(grid, 4, box(1.5, 10.5, 1.5, 9.5)), on_plane(grid, 4, box(4.5, 7.5, 3.5, 6.5)[::-1])]
        for order in (rings, rings[::-1]):
            mask = read_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": order}), grid)
            assert mask.array.sum() == 9 * 8 - 3 * 3
            assert mask.array[4, 6, 5] == 0

    def test_a_hole_joined_to_the_outline_by_a_channel_is_a_hole(self, tmp_path: Path) -> None:
        grid = grid_of()
        keyhole = np.vstack([box(1.5, 10.5, 1.5, 9.5), [[1.5, 1.5]], box(4.5, 7.5, 3.5, 6.5)[::-1], [[7.5, 3.5]]])
        keyhole = np.vstack([keyhole[:5], [[4.5, 3.5]], box(4.5, 7.5, 3.5, 6.5)[::-1], [[7.5, 3.5]], [[4.5, 3.5]]])
        mask = read_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": [on_plane(grid, 4, keyhole)]}), grid)
        assert mask.array.sum() == 9 * 8 - 3 * 3

    @pytest.mark.parametrize("direction", list(DIRECTIONS))
    def test_volumes_are_those_of_the_closed_forms(self, tmp_path: Path, direction: str) -> None:
        grid = Volume(np.zeros((60, 90, 100), np.int16), (0.8, 0.8, 1.0), (3.3, -8.1, 70.2), DIRECTIONS[direction])
        angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
        centre = np.array([30.2, 44.7, 49.6])

        def ellipse(z: float, a_mm: float, b_mm: float) -> NDArray[np.float64]:
            y, x = centre[1] + b_mm / 0.8 * np.sin(angle), centre[2] + a_mm / 0.8 * np.cos(angle)
            return on_plane(grid, z, np.column_stack([y, x]))

        cylinder = [ellipse(z, 30.0, 20.0) for z in range(10, 50)]
        radius = 24.0
        chords = {z: np.sqrt(radius**2 - (z - centre[0]) ** 2) for z in range(60) if abs(z - centre[0]) < radius - 0.1}
        ball = [ellipse(z, chord, chord) for z, chord in chords.items()]
        for outlines, ml in ((cylinder, np.pi * 30 * 20 * 40 / 1000), (ball, 4 / 3 * np.pi * radius**3 / 1000)):
            mask = read_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": outlines}), grid)
            assert mask.array.sum() * mask.voxel_ml == pytest.approx(ml, rel=0.02)
            middle = mask.lps_of(np.argwhere(mask.array).mean(axis=0))
            expected = centre if outlines is ball else np.array([29.5, *centre[1:]])
            assert np.linalg.norm(middle - grid.lps_of(expected)) < 0.1

    def test_slices_are_matched_within_half_a_spacing(self, tmp_path: Path) -> None:
        grid = grid_of()
        for offset, first in ((0.4, 3), (-0.4, 3), (0.6, 4)):
            outlines = [on_plane(grid, z + offset, box(2.5, 9.5, 1.5, 7.5)) for z in (3, 4)]
            mask = read_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": outlines}), grid)
            assert list(np.flatnonzero(mask.array.any(axis=(1, 2)))) == [first, first + 1]

    def test_outlines_stacked_along_another_axis_of_the_file(self, tmp_path: Path) -> None:
        grid = grid_of(direction=np.array([[0.0, 0, 1], [0, 1, 0], [1, 0, 0]]))  # stored sagittally
        corners = box(2.5, 9.5, 1.5, 7.5)
        outlines = [
            grid.lps_of(np.column_stack([corners[:, 1], corners[:, 0], np.full(4, float(x))])) for x in range(4, 7)
        ]
        mask = read_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": outlines}), grid)
        expected = np.zeros(grid.shape, np.uint8)
        expected[2:8, 3:10, 4:7] = 1
        np.testing.assert_array_equal(mask.array, expected)

    @pytest.mark.parametrize(
        ("names", "chosen"),
        [(["anything"], 0), (["BODY", "gtv-1"], 1), (["GTVp", "CTV", "PTV"], 0), (["x", "y", "the Gtv of it"], 2)],
    )
    def test_the_only_roi_or_the_only_gtv_is_the_lesion(self, tmp_path: Path, names: list[str], chosen: int) -> None:
        grid = grid_of()
        rois = {name: [on_plane(grid, i + 1, box(2.5, 9.5, 1.5, 7.5))] for i, name in enumerate(names)}
        mask = read_mask(write_rtstruct(tmp_path / "m.dcm", rois), grid)
        assert list(np.flatnonzero(mask.array.any(axis=(1, 2)))) == [chosen + 1]

    def test_markers_and_outlines_of_two_points_are_left_out(self, tmp_path: Path) -> None:
        grid = grid_of()

        def mark(ds: Dataset) -> None:
            ds.ROIContourSequence[0].ContourSequence[0].ContourGeometricType = "POINT"

        outlines = [
            on_plane(grid, 0, np.array([[5.0, 5.0]])),
            on_plane(grid, 1, np.array([[5.0, 5.0], [6.0, 6.0]])),
            on_plane(grid, 4, box(2.5, 9.5, 1.5, 7.5)),
        ]
        mask = read_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": outlines}, change=mark), grid)
        assert mask.array.sum() == mask.array[4].sum() == 42

    def test_an_outline_drawn_twice_counts_once(self, tmp_path: Path) -> None:
        grid = grid_of()
        outlines = [on_plane(grid, z, box(2.5, 9.5, 1.5, 7.5)) for z in (3, 4, 4, 5)]
        expected = np.zeros(grid.shape, np.uint8)
        expected[3:6, 3:10, 2:8] = 1
        mask = read_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": outlines}), grid)
        np.testing.assert_array_equal(mask.array, expected)

    def test_outlines_that_overlap_are_one_area(self, tmp_path: Path) -> None:
        grid = grid_of()
        outlines = [on_plane(grid, 4, box(2.5, 6.5, 1.5, 7.5)), on_plane(grid, 4, box(4.5, 9.5, 3.5, 9.5))]
        expected = np.zeros(grid.shape, np.uint8)
        expected[4, 3:7, 2:8] = expected[4, 5:10, 4:10] = 1
        mask = read_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": outlines}), grid)
        np.testing.assert_array_equal(mask.array, expected)

    def test_exclusive_outlines_cancel_where_they_overlap(self, tmp_path: Path) -> None:
        grid = grid_of()
        outlines = [on_plane(grid, 4, box(2.5, 6.5, 1.5, 7.5)), on_plane(grid, 4, box(4.5, 9.5, 3.5, 9.5))]
        path = write_rtstruct(tmp_path / "m.dcm", {"lesion": outlines}, kind="CLOSEDPLANAR_XOR")
        expected = np.zeros(grid.shape, bool)
        expected[4, 3:7, 2:8] = True
        expected[4, 5:10, 4:10] ^= True
        np.testing.assert_array_equal(read_mask(path, grid).array, expected)

    def test_a_slice_that_was_skipped_stays_empty_and_is_noted(self, tmp_path: Path) -> None:
        grid = grid_of()
        outlines = [on_plane(grid, z, box(2.5, 9.5, 1.5, 7.5)) for z in (2, 3, 5, 6)]
        mask, notes = read_noted_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": outlines}), grid)
        assert list(np.flatnonzero(mask.array.any(axis=(1, 2)))) == [2, 3, 5, 6]
        assert len(notes) == 1
        assert notes[0].startswith("the lesion has no outline on 1 slice between outlined ones")

    def test_two_lesions_apart_are_not_noted_as_skipped_slices(self, tmp_path: Path) -> None:
        grid = grid_of()
        outlines = [on_plane(grid, z, box(0.5, 4.5, 0.5, 4.5)) for z in (1, 2)]
        outlines += [on_plane(grid, z, box(6.5, 9.5, 6.5, 9.5)) for z in (5, 6)]
        _, notes = read_noted_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": outlines}), grid)
        assert notes == ()

    @pytest.mark.parametrize(
        ("places", "count", "n_voxels"),
        [([(-1, 0), (0, 0), (1, 0)], "1 of 3", 2 * 42), ([(3, 8), (4, 8)], "2 of 2", 2 * 2)],
    )
    def test_outlines_beyond_the_scan_are_cut_and_noted(
        self, tmp_path: Path, places: list[tuple[int, int]], count: str, n_voxels: int
    ) -> None:
        grid = grid_of()
        outlines = [on_plane(grid, z, box(2.5, 9.5, 1.5, 7.5) + shift) for z, shift in places]
        mask, notes = read_noted_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": outlines}), grid)
        assert mask.array.sum() == n_voxels
        assert len(notes) == 1
        assert notes[0].startswith(f"{count} outlines of the lesion extend beyond the CT and are cut at its edge")

    def test_gtvs_without_outlines_are_ignored(self, tmp_path: Path) -> None:
        grid = grid_of()
        drawn = [on_plane(grid, 4, box(2.5, 9.5, 1.5, 7.5))]
        for rois in ({"GTV 1": drawn, "GTV 2": []}, {"GTV 1": [], "BODY": drawn * 2, "GTV 2": drawn}):
            mask = read_mask(write_rtstruct(tmp_path / "m.dcm", rois), grid)
            assert mask.array.sum() == 42
        with pytest.raises(ImageError, match="no closed outline in its GTVs"):
            read_mask(write_rtstruct(tmp_path / "m.dcm", {"GTV 1": [], "GTV 2": [], "BODY": drawn}), grid)

    @pytest.mark.parametrize("label", ["2", "GTVn", " gtvN ", "2.0"])
    def test_a_label_names_the_roi_by_number_or_name(self, tmp_path: Path, label: str) -> None:
        grid = grid_of()
        rois = {name: [on_plane(grid, z, box(2.5, 9.5, 1.5, 7.5))] for z, name in enumerate(("GTVp", "GTVn", "Heart"))}
        mask = read_mask(write_rtstruct(tmp_path / "m.dcm", rois), grid, label)
        assert list(np.flatnonzero(mask.array.any(axis=(1, 2)))) == [1]

    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(seed=st.integers(0, 2**32 - 1), n=st.integers(3, 40))
    def test_a_star_is_filled_as_its_angles_predict(self, tmp_path: Path, seed: int, n: int) -> None:
        """Inside a star-shaped outline is what lies nearer to its centre than the edge in that direction."""
        grid = grid_of((3, 41, 41), OBLIQUE)
        rng = np.random.default_rng(seed)
        angle = (np.arange(n) + rng.uniform(0.1, 0.9, n)) * 2 * np.pi / n
        points = 20.0137 + rng.uniform(3, 19, n)[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])
        mask = read_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": [on_plane(grid, 1, points)]}), grid)
        y, x = np.mgrid[:41, :41].astype(float)
        expected = np.zeros((41, 41), bool)
        for (y0, x0), (y1, x1) in zip(points, np.roll(points, -1, axis=0), strict=True):
            a, b = np.array([y0 - 20.0137, x0 - 20.0137]), np.array([y1 - 20.0137, x1 - 20.0137])
            turn = a[0] * b[1] - a[1] * b[0]
            s = ((y - 20.0137) * b[1] - (x - 20.0137) * b[0]) / turn
            t = (a[0] * (x - 20.0137) - a[1] * (y - 20.0137)) / turn
            expected ^= (s >= 0) & (t >= 0) & (s + t <= 1)
        assert np.count_nonzero(expected != mask.array[1]) <= 1  # written with eight digits


class TestStructureSetsRefused:
    @pytest.mark.parametrize(
        ("names", "said"),
        [
            (["Jane Roe", "CTV"], "contains 2 ROIs, 0 of them with GTV"),
            (
                ["GTV Roe 1", "GTV 2", "BODY"],
                r"contains 3 ROIs, 2 of them with GTV in the name \(1, 2 'GTV 2', 3 'BODY'\)",
            ),
            ([], "contains no ROI"),
        ],
    )
    def test_rois_are_listed_by_number_without_names_that_may_identify(
        self, tmp_path: Path, names: list[str], said: str
    ) -> None:
        rois = {name: [on_plane(grid_of(), 2, box(2.5, 9.5, 1.5, 7.5))] for name in names}
        with pytest.raises(ImageError, match=said) as error:
            find_dicom_mask(write_rtstruct(tmp_path / "m.dcm", rois))
        assert "Roe" not in str(error.value)

    @pytest.mark.parametrize("label", ["4", "GTV", "0", "lung left"])
    def test_an_unknown_roi_label_lists_the_known_ones(self, tmp_path: Path, label: str) -> None:
        rois = {name: [on_plane(grid_of(), 2, box(2.5, 9.5, 1.5, 7.5))] for name in ("GTV-1", "Jane Roe", "Lung_R")}
        with pytest.raises(ImageError, match=rf"no ROI '{label}', its ROIs are 1 'GTV-1', 2, 3 'Lung_R': correct"):
            find_dicom_mask(write_rtstruct(tmp_path / "m.dcm", rois), label)

    @pytest.mark.parametrize(
        ("places", "said"),
        [
            ([(z, 0) for z in (20, 21)], "has 2 of 2 outlines outside its CT"),
            ([(z, 0) for z in (-3, -2, -1)], "has 3 of 3 outlines outside its CT"),
            ([(z, 30) for z in (2, 3)], "has 2 of 2 outlines outside its CT"),
            ([(z, 0) for z in (2, 4, 6)], "outlines 2 slices of its CT apart"),
            ([(z, 0) for z in (2, 2.4, 2.8)], "several outlined planes within one slice"),
        ],
    )
    def test_outlines_of_another_scan(self, tmp_path: Path, places: list[tuple[float, float]], said: str) -> None:
        grid = grid_of()
        outlines = [on_plane(grid, z, box(2.5, 9.5, 1.5, 7.5) + shift) for z, shift in places]
        with pytest.raises(ImageError, match=said):
            read_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": outlines}), grid)

    def test_outlines_tilted_against_the_slices(self, tmp_path: Path) -> None:
        tilted = on_plane(grid_of(direction=OBLIQUE), 4, box(2.5, 9.5, 1.5, 7.5))
        with pytest.raises(ImageError, match="tilted against the slices"):
            read_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": [tilted]}), grid_of())

    @pytest.mark.parametrize(
        ("kind", "said"),
        [("OPEN_PLANAR", "open outlines"), ("OPEN_NONPLANAR", "open outlines"), ("POINT", "no closed outline")],
    )
    def test_outlines_that_enclose_nothing(self, tmp_path: Path, kind: str, said: str) -> None:
        outline = on_plane(grid_of(), 4, box(2.5, 9.5, 1.5, 7.5))
        with pytest.raises(ImageError, match=said):
            find_dicom_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": [outline]}, kind=kind))

    def test_an_empty_roi(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match="no closed outline"):
            find_dicom_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": []}))

    def test_an_outline_between_the_voxel_centres_is_empty(self, tmp_path: Path) -> None:
        grid = grid_of()
        small = on_plane(grid, 4, box(5.2, 5.8, 5.2, 5.8))
        with pytest.raises(ImageError, match="mask without voxels"):
            read_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": [small]}), grid)

    @pytest.mark.parametrize("text", [b"1\\2\\nan", b"1\\2", b"a\\b\\c", b"1\\2\\1e999"])
    def test_damaged_points(self, tmp_path: Path, text: bytes) -> None:
        path = write_rtstruct(tmp_path / "m.dcm", {"lesion": [on_plane(grid_of(), 4, box(2.5, 9.5, 1.5, 7.5))]})
        whole = path.read_bytes()
        at = whole.index(b"\x06\x30\x50\x00DS") + 8
        length = int.from_bytes(whole[at - 2 : at], "little")
        path.write_bytes(whole[:at] + text.ljust(length) + whole[at + length :])
        with pytest.raises(ImageError, match=r"m\.dcm lacks required DICOM tags"):
            find_dicom_mask(path)

    def test_outlines_with_too_many_points_are_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("embeddings.imaging.masks.dicom_rtstruct._MOST_TESTS", 10)
        grid = grid_of()
        path = write_rtstruct(tmp_path / "m.dcm", {"lesion": [on_plane(grid, 4, box(2.5, 9.5, 1.5, 7.5))]})
        with pytest.raises(ImageError, match="too many points"):
            read_mask(path, grid)

    @pytest.mark.filterwarnings("ignore:Invalid value:UserWarning")
    def test_a_file_cut_anywhere_gives_an_image_error(self, tmp_path: Path) -> None:
        grid = grid_of()
        outlines = [on_plane(grid, z, box(2.5, 9.5, 1.5, 7.5)) for z in (3, 4, 5)]
        path = write_rtstruct(tmp_path / "m.dcm", {"lesion": outlines})
        whole = path.read_bytes()
        for length in range(0, len(whole) - 2, 3):
            path.write_bytes(whole[:length])
            with pytest.raises(ImageError):
                read_mask(path, grid)
