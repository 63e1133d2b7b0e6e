"""SEG and RTSTRUCT files as masks on a CT's grid: placed by position, with the correct volume, or refused."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from embeddings.cohort.read import read_cohort
from embeddings.imaging.images import ImageError, read_image, read_mask, read_noted_mask
from embeddings.imaging.masks.dicom_mask import find_dicom_mask
from flexict.volume import Volume
from tests.embeddings.dicom_files import (
    DIRECTIONS,
    OBLIQUE,
    blob,
    box,
    grid_of,
    named,
    on_plane,
    write_ct_series,
    write_labelmap,
    write_rtstruct,
    write_seg,
)


@pytest.fixture(params=list(DIRECTIONS))
def grid(request: pytest.FixtureRequest) -> Volume:
    return grid_of(direction=DIRECTIONS[request.param])


class TestSegmentations:
    def test_frames_come_back_where_they_lie(self, tmp_path: Path, grid: Volume) -> None:
        drawn = blob(grid.shape)
        mask = read_mask(write_seg(tmp_path / "m.dcm", grid, drawn), grid)
        np.testing.assert_array_equal(mask.array, drawn)
        assert mask.array.dtype == np.uint8
        assert mask.same_grid(grid)

    def test_order_and_number_of_the_frames_do_not_matter(self, tmp_path: Path, grid: Volume) -> None:
        drawn = blob(grid.shape)
        chosen = [6, 2, 4, 3]
        path = write_seg(tmp_path / "m.dcm", grid, drawn[chosen], [(z, 0, 0) for z in chosen])
        expected = np.zeros_like(drawn)
        expected[chosen] = drawn[chosen]
        np.testing.assert_array_equal(read_mask(path, grid).array, expected)

    def test_frames_may_start_elsewhere_in_the_plane(self, tmp_path: Path, grid: Volume) -> None:
        part = blob((4, 5, 3))
        path = write_seg(tmp_path / "m.dcm", grid, part, [(z + 2, 7, 1) for z in range(4)])
        expected = np.zeros(grid.shape, bool)
        expected[2:6, 7:12, 1:4] = part
        np.testing.assert_array_equal(read_mask(path, grid).array, expected)

    def test_frames_larger_than_the_scan_may_be_empty_outside(self, tmp_path: Path) -> None:
        grid = grid_of()
        z, y, x = grid.shape
        part = np.zeros((z, y + 4, x + 6), bool)
        part[:, 2:-2, 3:-3] = blob(grid.shape)
        places = [(i, -2, -3) for i in range(z)]
        np.testing.assert_array_equal(
            read_mask(write_seg(tmp_path / "m.dcm", grid, part, places), grid).array, blob(grid.shape)
        )
        part[3, 0, :5] = True
        mask, notes = read_noted_mask(write_seg(tmp_path / "m.dcm", grid, part, places), grid)
        np.testing.assert_array_equal(mask.array, blob(grid.shape))
        assert notes == ("5 voxels of the mask lie outside the CT: left out",)
        part[:, 2:-2, 3:-3] = False
        with pytest.raises(ImageError, match="marks no voxel of its CT"):
            read_mask(write_seg(tmp_path / "m.dcm", grid, part, places), grid)

    @pytest.mark.parametrize("signs", [(1, -1), (-1, 1), (-1, -1)])
    def test_mirrored_rows_and_columns_are_turned_back(
        self, tmp_path: Path, grid: Volume, signs: tuple[int, int]
    ) -> None:
        drawn = blob(grid.shape)
        column, row = signs
        axes = np.concatenate([column * grid.direction[:, 0], row * grid.direction[:, 1]])
        first = (0 if row > 0 else grid.shape[1] - 1, 0 if column > 0 else grid.shape[2] - 1)
        path = write_seg(
            tmp_path / "m.dcm", grid, drawn[:, ::row, ::column], [(z, *first) for z in range(9)], axes=axes
        )
        np.testing.assert_array_equal(read_mask(path, grid).array, drawn)

    def test_sagittal_frames_of_the_same_voxels_are_placed(self, tmp_path: Path, grid: Volume) -> None:
        drawn = blob(grid.shape)
        path = write_seg(
            tmp_path / "m.dcm",
            grid,
            drawn.transpose(2, 0, 1),
            [(0, 0, x) for x in range(grid.shape[2])],
            axes=np.concatenate([grid.direction[:, 1], grid.direction[:, 2]]),
            pixel_mm=(2.5, 0.9),
        )
        np.testing.assert_array_equal(read_mask(path, grid).array, drawn)

    @pytest.mark.parametrize("highest", [1, 100, 255])
    def test_fractions_are_inside_from_one_half(self, tmp_path: Path, highest: int) -> None:
        grid = grid_of()
        stored = np.random.default_rng(1).integers(0, highest + 1, grid.shape)
        mask = read_mask(write_seg(tmp_path / "m.dcm", grid, stored, highest=highest), grid)
        np.testing.assert_array_equal(mask.array, stored / highest >= 0.5)

    def test_run_length_coded_fractions_are_read(self, tmp_path: Path) -> None:
        grid = grid_of()
        drawn = blob(grid.shape)
        path = write_seg(tmp_path / "m.dcm", grid, drawn * 255, highest=255, syntax=RLELossless)
        np.testing.assert_array_equal(read_mask(path, grid).array, drawn)

    def test_a_position_in_the_shared_groups_is_used_for_a_single_frame(self, tmp_path: Path) -> None:
        grid = grid_of()

        def share(ds: Dataset) -> None:
            frame = ds.PerFrameFunctionalGroupsSequence[0]
            shared = ds.SharedFunctionalGroupsSequence[0]
            for name in ("PlanePositionSequence", "SegmentIdentificationSequence"):
                shared[name] = frame[name]
                del frame[name]

        path = write_seg(tmp_path / "m.dcm", grid, blob((1, 13, 11)), [(4, 0, 0)], change=share)
        np.testing.assert_array_equal(read_mask(path, grid).array[4], blob((1, 13, 11))[0])

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_any_part_of_any_grid_comes_back(self, tmp_path: Path, data: st.DataObject) -> None:
        angles = data.draw(st.tuples(*[st.floats(-3.1, 3.1)] * 3))
        turned = sitk.Euler3DTransform((0, 0, 0), *angles).GetMatrix()
        shape = data.draw(st.tuples(*[st.integers(2, 7)] * 3))
        spacing = data.draw(st.tuples(*[st.floats(0.3, 6)] * 3))
        origin = data.draw(st.tuples(*[st.floats(-900, 900)] * 3))
        grid = Volume(np.zeros(shape, np.int16), spacing, origin, np.array(turned).reshape(3, 3))
        z0 = data.draw(st.integers(0, shape[0] - 1))
        order = data.draw(st.permutations(range(z0, shape[0])))
        drawn = np.zeros(shape, bool)
        drawn[z0:] = blob((shape[0] - z0, *shape[1:]))
        drawn[z0, 0, 0] = True
        path = write_seg(tmp_path / "m.dcm", grid, drawn[list(order)], [(z, 0, 0) for z in order])
        np.testing.assert_array_equal(read_mask(path, grid).array, drawn)


class TestSegmentationsOnOtherGrids:
    @pytest.mark.parametrize("direction", ["LPS", "RAS", "oblique"])  # frames have no handedness of their own
    @pytest.mark.parametrize(
        ("spacing", "start"),
        [((1.5, 1.7, 2.5), (0, 0, 0)), ((0.7, 0.9, 4.7), (0, 0, 0)), ((0.7, 0.9, 2.5), (0.4, 0.3, 0))],
        ids=["larger pixels", "thicker slices", "between the voxels"],
    )
    def test_the_voxels_of_the_ct_take_the_nearest_pixel(
        self, tmp_path: Path, direction: str, spacing: tuple[float, float, float], start: tuple[float, float, float]
    ) -> None:
        grid = grid_of(direction=DIRECTIONS[direction])
        x, y, z = grid.lps_of(start)
        own = Volume(blob((4, 6, 5)).astype(np.uint8), spacing, (x, y, z), grid.direction)
        path = write_seg(tmp_path / "m.dcm", own, own.array[::-1], [(i, 0, 0) for i in (3, 2, 1, 0)])
        mask, notes = read_noted_mask(path, grid)
        asked = sitk.Resample(own.to_sitk(), grid.to_sitk(), sitk.Transform(), sitk.sitkNearestNeighbor, 0)
        np.testing.assert_array_equal(mask.array, sitk.GetArrayFromImage(asked))
        assert len(notes) == 1
        assert f"{spacing[0]:g} x {spacing[1]:g} x {spacing[2]:g} mm" in notes[0]
        assert "0.7 x 0.9 x 2.5 mm" in notes[0]

    def test_frames_of_twice_the_thickness_fill_the_slices_between(self, tmp_path: Path) -> None:
        grid = grid_of()
        own = Volume(blob((4, 13, 11)).astype(np.uint8), (0.7, 0.9, 5.0), grid.origin, grid.direction)
        mask, notes = read_noted_mask(write_seg(tmp_path / "m.dcm", own, own.array), grid)
        np.testing.assert_array_equal(mask.array[0:8:2], own.array)
        np.testing.assert_array_equal(mask.array[1:7:2], own.array[1:])  # half-way, always to the next
        assert "another grid" in notes[0]

    def test_frames_far_apart_on_another_grid_do_not_fill_what_lies_between(self, tmp_path: Path) -> None:
        grid = grid_of()
        own = Volume(np.ones((9, 6, 5), np.uint8), (1.5, 1.7, 2.5), grid.origin, grid.direction)
        path = write_seg(tmp_path / "m.dcm", own, own.array[:2], [(1, 0, 0), (5, 0, 0)])
        assert list(np.flatnonzero(read_mask(path, grid).array.any(axis=(1, 2)))) == [1, 5]

        def silent(ds: Dataset) -> None:
            del ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness

        path = write_seg(tmp_path / "m.dcm", own, own.array[:2], [(1, 0, 0), (5, 0, 0)], change=silent)
        with pytest.raises(ImageError, match="does not state the spacing of its slices"):
            read_mask(path, grid)

    def test_frames_far_apart_of_thin_slices_do_not_fill_what_lies_between(self, tmp_path: Path) -> None:
        grid = grid_of()
        with pytest.raises(ImageError, match="frames 4 slices of its CT apart, with none between"):
            read_mask(write_seg(tmp_path / "m.dcm", grid, blob((2, 13, 11)), [(1, 0, 0), (5, 0, 0)]), grid)


class TestSegments:
    """One file of several segments, as binary frames of each or as a label map."""

    @pytest.mark.parametrize("label", ["2", "2.0", "Tumour", " tumour "])
    def test_a_label_chooses_the_frames_of_its_segment(self, tmp_path: Path, label: str) -> None:
        grid = grid_of()
        drawn = blob(grid.shape)
        path = write_seg(tmp_path / "m.dcm", grid, drawn, segments=(1, 2, 3), change=named("Kidney", "Tumour", "Cyst"))
        expected = np.zeros_like(drawn)
        expected[1::3] = drawn[1::3]
        np.testing.assert_array_equal(read_mask(path, grid, label).array, expected)

    @pytest.mark.parametrize(("bits", "number"), [(8, 2), (16, 300)])
    def test_a_label_map_contains_segment_numbers(self, tmp_path: Path, bits: int, number: int) -> None:
        grid = grid_of()
        stored = np.random.default_rng(2).choice([0, 1, number], size=grid.shape)
        path = write_labelmap(tmp_path / "m.dcm", grid, stored, {1: "Kidney", number: "Tumour"}, bits)
        for label in (str(number), "tumour"):
            np.testing.assert_array_equal(read_mask(path, grid, label).array, stored == number)
        with pytest.raises(ImageError, match=rf"contains 2 segments \(1 'Kidney', {number} 'Tumour'\)"):
            read_mask(path, grid)

    def test_the_background_of_a_label_map_is_not_a_segment(self, tmp_path: Path) -> None:
        grid = grid_of()
        stored = blob(grid.shape) * 4
        path = write_labelmap(tmp_path / "m.dcm", grid, stored, {0: "Background", 4: "Tumour"}, 8)
        np.testing.assert_array_equal(read_mask(path, grid).array, stored == 4)

    def test_segments_without_frames_are_ignored(self, tmp_path: Path) -> None:
        grid = grid_of()
        second = Dataset()
        second.SegmentNumber, second.SegmentLabel = 2, "Second tumour"

        def add(ds: Dataset) -> None:
            ds.SegmentSequence.append(second)

        path = write_seg(tmp_path / "m.dcm", grid, blob(grid.shape), change=add)
        np.testing.assert_array_equal(read_mask(path, grid).array, blob(grid.shape))
        with pytest.raises(ImageError, match="has no frame of the segment 2"):
            read_mask(path, grid, "second tumour")

    @pytest.mark.parametrize("label", ["4", "0", "liver"])
    def test_an_unknown_segment_label_lists_the_known_ones(self, tmp_path: Path, label: str) -> None:
        grid = grid_of()
        path = write_seg(tmp_path / "m.dcm", grid, blob(grid.shape), segments=(1, 2), change=named("Kidney", "Tumour"))
        with pytest.raises(ImageError, match=f"no segment '{label}', its segments are 1 'Kidney', 2 'Tumour': correct"):
            read_mask(path, grid, label)


class TestSegmentationsRefused:
    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            (
                {"segments": (1, 2, 5)},
                r"contains 3 segments \(1 'lesion', 2 'lesion', 5 'lesion'\): give the lesion's .* column mask_label",
            ),
            (
                {"segments": tuple(range(1, 21))},
                r"contains 20 segments \(1 'lesion', 2 'lesion', .*, 12 'lesion' and 8 more\)",
            ),
            ({"axes": OBLIQUE[:, :2].T}, "frames in no regular stack"),
            ({"axes": np.array([1, 0, 0, 1, 0, 0])}, "skewed rows and columns"),
            ({"places": [(z + z * z / 50, 0, 0) for z in range(9)]}, "frames in no regular stack"),
            ({"places": [(z + 0.4, z / 3, 0) for z in range(9)]}, "frames in no regular stack"),
            ({"pixel_mm": (1.8, 1.4), "places": [(z, 40, 0) for z in range(9)]}, "lies outside its CT"),
            ({"places": [(z + 20, 0, 0) for z in range(9)]}, "no frame inside its CT"),
            ({"places": [(z // 2, 0, 0) for z in range(9)]}, "two frames at the same position"),
            ({"places": [(z, 1e9, 0) for z in range(9)]}, "far beyond its CT|between the voxels"),
        ],
    )
    def test_another_grid_or_more_than_one_segment(self, tmp_path: Path, changes: dict[str, object], said: str) -> None:
        grid = grid_of()
        path = write_seg(tmp_path / "m.dcm", grid, blob(grid.shape), **changes)  # type: ignore[arg-type]
        with pytest.raises(ImageError, match=said):
            read_mask(path, grid)

    def test_no_voxel(self, tmp_path: Path) -> None:
        grid = grid_of()
        with pytest.raises(ImageError, match="mask without voxels"):
            read_mask(write_seg(tmp_path / "m.dcm", grid, np.zeros(grid.shape, int)), grid)

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("NumberOfFrames", 2**31 - 1, "has 2147483647 frames but positions for 9"),
            ("Rows", 65535, "cut off or damaged"),
            ("SegmentationType", "SURFACE", "not a binary, fractional or label map"),
            ("SegmentationType", "LABELMAP", "not a binary, fractional or label map"),  # of one bit
            ("BitsAllocated", 32, "not a binary, fractional or label map"),
            ("SamplesPerPixel", 3, "not a binary, fractional or label map"),
            ("Rows", None, "lacks required DICOM tags"),
            ("SegmentSequence", [], "contains no segment"),
            ("PerFrameFunctionalGroupsSequence", [], "positions for 0"),
            ("SharedFunctionalGroupsSequence", [], "lacks required DICOM tags"),
        ],
    )
    def test_wrong_headers_are_refused(self, tmp_path: Path, name: str, value: object, said: str) -> None:
        grid = grid_of()
        path = write_seg(tmp_path / "m.dcm", grid, blob(grid.shape), change=lambda ds: setattr(ds, name, value))
        with pytest.raises(ImageError, match=said):
            find_dicom_mask(path)

    def test_more_frames_than_the_scan_can_need(self, tmp_path: Path) -> None:
        path = write_seg(tmp_path / "m.dcm", grid_of(), blob((30, 13, 11)))
        with pytest.raises(ImageError, match="30 frames of 11 x 13 pixels, far beyond its CT"):
            read_mask(path, grid_of((7, 13, 11)))
        with pytest.raises(ImageError, match="30 frames of 11 x 13 pixels, far beyond its CT"):
            read_mask(path, grid_of((31, 3, 11)))

    def test_a_file_padded_to_fill_the_memory(self, tmp_path: Path) -> None:
        path = write_seg(tmp_path / "m.dcm", grid_of(), blob((9, 13, 11)))
        with path.open("r+b") as file:
            file.truncate(2**28)  # takes no room on the disk
        with pytest.raises(ImageError, match="far larger than the frames"):
            find_dicom_mask(path)
        with path.open("r+b") as file:
            file.truncate(2**31 + 1)
        with pytest.raises(ImageError, match="larger than any lesion mask"):
            find_dicom_mask(path)

    def test_frames_of_a_segment_that_is_not_there(self, tmp_path: Path) -> None:
        def another(ds: Dataset) -> None:
            ds.PerFrameFunctionalGroupsSequence[3].SegmentIdentificationSequence[0].ReferencedSegmentNumber = 7

        with pytest.raises(ImageError, match="segments that it does not describe"):
            find_dicom_mask(write_seg(tmp_path / "m.dcm", grid_of(), blob((9, 13, 11)), change=another))

    @pytest.mark.parametrize("position", [["nan", 0, 0], [1, 2], ["x", "y", "z"]])
    def test_damaged_positions(self, tmp_path: Path, position: list[object]) -> None:
        path = write_seg(tmp_path / "m.dcm", grid_of(), blob((9, 13, 11)))
        whole = path.read_bytes()
        tag = b"\x20\x00\x32\x00DS"
        at = whole.index(tag) + 8
        length = int.from_bytes(whole[at - 2 : at], "little")
        text = "\\".join(map(str, position)).encode().ljust(length)
        path.write_bytes(whole[:at] + text + whole[at + length :])
        with pytest.raises(ImageError, match=r"m\.dcm lacks required DICOM tags"):
            find_dicom_mask(path)

    @pytest.mark.filterwarnings("ignore:Invalid value:UserWarning")
    def test_a_file_cut_anywhere_is_an_image_error(self, tmp_path: Path) -> None:
        grid = grid_of()
        path = write_seg(tmp_path / "m.dcm", grid, blob(grid.shape))
        whole = path.read_bytes()
        for length in range(0, len(whole) - 2, 5):
            path.write_bytes(whole[:length])
            with pytest.raises(ImageError):
                read_mask(path, grid)

    def test_a_deflated_file_is_not_inflated(self, tmp_path: Path) -> None:
        path = write_seg(tmp_path / "m.dcm", grid_of(), blob((9, 13, 11)), syntax=DeflatedExplicitVRLittleEndian)
        head = path.read_bytes()[:330]
        bomb = zlib.compressobj(9, wbits=-15)
        path.write_bytes(head + bomb.compress(b"\0" * 2**24) + bomb.flush())
        with pytest.raises(ImageError, match="deflated"):
            find_dicom_mask(path)


class TestDamage:
    @pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom says what it doubts
    @pytest.mark.parametrize("kind", ["seg", "rtstruct"])
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_any_damage_ends_in_a_mask_or_an_image_error(self, tmp_path: Path, kind: str, data: st.DataObject) -> None:
        grid = grid_of()
        if kind == "seg":
            path = write_seg(tmp_path / "m.dcm", grid, blob(grid.shape))
        else:
            path = write_rtstruct(tmp_path / "m.dcm", {"l": [on_plane(grid, 4, box(2.5, 9.5, 1.5, 7.5))]})
        whole = bytearray(path.read_bytes())
        for at, value in data.draw(
            st.lists(st.tuples(st.integers(132, len(whole) - 1), st.integers(0, 255)), min_size=1, max_size=6)
        ):
            whole[at] = value
        path.write_bytes(whole)
        try:
            mask = read_mask(path, grid)
        except ImageError as error:
            assert str(error).startswith(f"{tmp_path.name}/m.dcm ")  # noqa: PT017
        else:
            assert mask.same_grid(grid)


class TestPaths:
    def test_a_folder_with_one_mask_is_that_mask(self, tmp_path: Path) -> None:
        grid = grid_of()
        folder = write_ct_series(tmp_path / "study", grid)
        write_seg(folder / "drawn", grid, blob(grid.shape))
        (folder / "LICENCE").write_text("CC BY")
        np.testing.assert_array_equal(read_mask(folder, grid).array, blob(grid.shape))
        write_rtstruct(folder / "drawn too", {"lesion": []})
        with pytest.raises(ImageError, match="study is a folder with 2 DICOM SEG or RTSTRUCT files"):
            read_mask(folder, grid)

    def test_other_dicom_is_refused(self, tmp_path: Path) -> None:
        grid = grid_of()
        folder = write_ct_series(tmp_path / "study", grid)
        with pytest.raises(ImageError, match="study is a folder with no DICOM SEG or RTSTRUCT file"):
            read_mask(folder, grid)
        with pytest.raises(ImageError, match="is not a DICOM SEG or RTSTRUCT file"):
            read_mask(folder / "000.dcm", grid)
        with pytest.raises(ImageError, match="does not exist"):
            read_mask(folder / "none.dcm", grid)

    def test_a_mask_without_extension_is_recognised_by_its_content(self, tmp_path: Path) -> None:
        grid = grid_of()
        path = write_seg(tmp_path / "1.2.840.1", grid, blob(grid.shape))
        np.testing.assert_array_equal(read_mask(path, grid).array, blob(grid.shape))

    @pytest.mark.parametrize("kind", ["seg", "rtstruct"])
    def test_a_cohort_is_checked_by_headers_alone(
        self, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A mask of another scan is that row's error before anything is decoded."""
        grid = grid_of()
        hu = np.random.default_rng(3).integers(-900, 200, grid.shape).astype(np.int16)
        write_ct_series(tmp_path / "ct", Volume(hu, grid.spacing, grid.origin, grid.direction))
        for name, z in (("good.dcm", 2), ("bad.dcm", 30)):
            if kind == "seg":
                write_seg(tmp_path / name, grid, blob((2, 13, 11)), [(z, 0, 0), (z + 1, 0, 0)])
            else:
                outlines = [on_plane(grid, i, box(2.5, 9.5, 1.5, 7.5)) for i in (z, z + 1)]
                write_rtstruct(tmp_path / name, {"lesion": outlines})
        (tmp_path / "c.csv").write_text("case,patient,image,mask\na,p,ct,good.dcm\nb,p,ct,bad.dcm\n")

        def decoded(*_: object) -> None:
            raise AssertionError("pixels were decoded")

        monkeypatch.setattr("embeddings.imaging.masks.dicom_seg.iter_pixels", decoded)
        report = read_cohort(tmp_path / "c.csv")
        assert [case.case_id for case in report.cases] == ["a"]
        (problem,) = [p for p in report.problems if p.severity == "error"]
        assert problem.case_id == "b"
        assert problem.column == "mask"
        assert "CT" in problem.reason


def test_a_ball_outlined_on_a_real_series_has_its_volume(real_ct: Path, tmp_path: Path) -> None:
    folder = real_ct / "dicom" / "CRLM-CT-1004" / "image"
    if not folder.is_dir():
        pytest.skip(f"no DICOM series at {folder}")
    scan = read_image(folder)
    centre = np.array(scan.shape) / 2
    radius, (dx, dy, dz) = 30.0, scan.spacing
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    outlines = []
    for z in range(scan.shape[0]):
        if abs(z - centre[0]) * dz < radius - 0.1:
            chord = np.sqrt(radius**2 - ((z - centre[0]) * dz) ** 2)
            y, x = centre[1] + chord / dy * np.sin(angle), centre[2] + chord / dx * np.cos(angle)
            outlines.append(on_plane(scan, z, np.column_stack([y, x])))
    mask = read_mask(write_rtstruct(tmp_path / "m.dcm", {"lesion": outlines}), scan)
    assert mask.array.sum() * mask.voxel_ml == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=0.02)
    assert mask.same_grid(scan)
    shown = write_seg(tmp_path / "s.dcm", scan, mask.array[::-1], [(z, 0, 0) for z in reversed(range(scan.shape[0]))])
    np.testing.assert_array_equal(read_mask(shown, scan).array, mask.array)
