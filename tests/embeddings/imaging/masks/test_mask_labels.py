"""Masks with several labels: the lesion's is given by number or name; an error lists the labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from embeddings.__main__ import main
from embeddings.cohort.read import read_cohort
from embeddings.imaging.images import ImageError, read_mask, read_noted_mask
from embeddings.imaging.masks.mask_labels import normal_label
from flexict.volume import Volume
from tests.embeddings.dicom_files import DIRECTIONS, OBLIQUE, box, grid_of, on_plane, write_rtstruct

KITS = np.random.default_rng(5).choice([0, 1, 2, 3], size=(9, 13, 11)).astype(np.uint8)  # kidney, tumour, cyst


def write(path: Path, grid: Volume, array: NDArray[np.generic], keys: dict[str, str] | None = None) -> Path:
    """An image file on the grid; of `[layers, z, y, x]` an NRRD whose first axis is a list, as 3D Slicer writes it."""
    if array.ndim == 4:
        image = sitk.GetImageFromArray(np.ascontiguousarray(np.moveaxis(array, 0, -1)), isVector=True)
        image.CopyInformation(grid.to_sitk())
    else:
        image = Volume(array, grid.spacing, grid.origin, grid.direction).to_sitk()
    sitk.WriteImage(image, str(path))
    if keys is not None:
        head, _, voxels = path.read_bytes().partition(b"\n\n")
        lines = "".join(f"\n{name}:={value}" for name, value in keys.items())
        path.write_bytes(head + lines.encode() + b"\n\n" + voxels)
    return path


def slicer_keys(*segments: tuple[str, int | None, int | None]) -> dict[str, str]:
    """The keys of segments, each a name, a label value and a layer."""
    found = {}
    for number, (name, value, layer) in enumerate(segments):
        found |= {f"Segment{number}_ID": f"Segment_{number + 1}", f"Segment{number}_Name": name}
        found |= {} if value is None else {f"Segment{number}_LabelValue": str(value)}
        found |= {} if layer is None else {f"Segment{number}_Layer": str(layer)}
    return found


class TestPlainMasks:
    @pytest.mark.parametrize("ending", ["nii.gz", "nrrd", "mha"])
    @pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
    def test_a_number_chooses_the_label(self, tmp_path: Path, ending: str, dtype: type) -> None:
        grid = grid_of(direction=OBLIQUE)
        path = write(tmp_path / f"m.{ending}", grid, KITS.astype(dtype))
        for label in ("1", "2", "3"):
            np.testing.assert_array_equal(read_mask(path, grid, label).array, int(label) == KITS)

    def test_without_a_label_all_labels_are_listed(self, tmp_path: Path) -> None:
        grid = grid_of()
        many = np.arange(np.prod(grid.shape)).reshape(grid.shape) % 105  # TotalSegmentator has 104
        with pytest.raises(ImageError, match=r"contains 3 labels \(1, 2, 3\): give the lesion's .* --mask-label"):
            read_mask(write(tmp_path / "k.nii.gz", grid, KITS), grid)
        with pytest.raises(ImageError, match=r"contains 104 labels \(1, 2, .*, 12 and 92 more\)"):
            read_mask(write(tmp_path / "t.nii.gz", grid, many.astype(np.uint8)), grid)

    @pytest.mark.parametrize("label", ["4", "0", "-1", "1.5", "tumour", "1e999", "nan"])
    def test_an_unknown_label_lists_the_known_ones(self, tmp_path: Path, label: str) -> None:
        grid = grid_of()
        with pytest.raises(
            ImageError, match=f"contains no label '{label}', its labels are 1, 2, 3: correct mask_label"
        ):
            read_mask(write(tmp_path / "k.nii.gz", grid, KITS), grid, label)

    def test_the_only_label_of_a_mask_needs_no_choice(self, tmp_path: Path) -> None:
        grid = grid_of()
        path = write(tmp_path / "m.nii.gz", grid, (KITS == 2) * np.uint8(255))
        for label in (None, "255"):
            np.testing.assert_array_equal(read_mask(path, grid, label).array, KITS == 2)
        with pytest.raises(ImageError, match="no label '1', its labels are 255"):
            read_mask(path, grid, "1")

    def test_fractions_are_of_label_1(self, tmp_path: Path) -> None:
        grid = grid_of()
        path = write(tmp_path / "m.nii.gz", grid, (KITS / 3).astype(np.float32))
        for label in (None, "1"):
            np.testing.assert_array_equal(read_mask(path, grid, label).array, KITS >= 2)


class TestSlicerSegmentations:
    def test_segments_of_one_layer_are_chosen_by_value_or_name(self, tmp_path: Path) -> None:
        grid = grid_of(direction=DIRECTIONS["RAS"])
        keys = slicer_keys(("Kidney", 1, 0), ("Tumour", 2, 0), ("Cyst", 3, 0))
        path = write(tmp_path / "m.seg.nrrd", grid, KITS, keys)
        for label in ("2", "tumour", " TUMOUR"):
            np.testing.assert_array_equal(read_mask(path, grid, label).array, KITS == 2)
        with pytest.raises(
            ImageError, match=r"contains 3 segments \(1 'Kidney', 2 'Tumour', 3 'Cyst'\): give the lesion's"
        ):
            read_mask(path, grid)
        with pytest.raises(ImageError, match="no segment 'liver', its segments are 1 'Kidney', 2 'Tumour', 3 'Cyst'"):
            read_mask(path, grid, "liver")

    @pytest.mark.parametrize("n_layers", [2, 3])
    def test_segments_in_layers_may_overlap_and_share_a_value(self, tmp_path: Path, n_layers: int) -> None:
        grid = grid_of(direction=OBLIQUE)
        layers = np.random.default_rng(6).choice([0, 1, 2], size=(n_layers, *grid.shape)).astype(np.uint8)
        keys = slicer_keys(("Lung", 1, 0), ("Nodule", 2, 0), ("Rim", 1, n_layers - 1))
        path = write(tmp_path / "m.seg.nrrd", grid, layers, keys)
        np.testing.assert_array_equal(read_mask(path, grid, "Rim").array, layers[-1] == 1)
        np.testing.assert_array_equal(read_mask(path, grid, "Nodule").array, layers[0] == 2)
        np.testing.assert_array_equal(read_mask(path, grid, "2").array, layers[0] == 2)
        with pytest.raises(
            ImageError, match=r"2 segments '1' \(1 'Lung', 2 'Nodule', 1 'Rim'\): give the lesion's name"
        ):
            read_mask(path, grid, "1")

    def test_files_of_older_versions_give_each_segment_a_layer(self, tmp_path: Path) -> None:
        grid = grid_of()
        layers = np.stack([KITS == 1, KITS >= 2]).astype(np.uint8)
        keys = slicer_keys(("Kidney", None, None), ("Tumour", None, None))
        path = write(tmp_path / "m.seg.nrrd", grid, layers, keys)
        np.testing.assert_array_equal(read_mask(path, grid, "tumour").array, KITS >= 2)
        np.testing.assert_array_equal(read_mask(path, grid, "1").array, KITS == 1)

    def test_the_only_segment_with_voxels_needs_no_label(self, tmp_path: Path) -> None:
        grid = grid_of()
        keys = slicer_keys(("Tumour", 1, 0), ("Nothing yet", 2, 0))
        path = write(tmp_path / "m.seg.nrrd", grid, (KITS == 1).astype(np.uint8), keys)
        np.testing.assert_array_equal(read_mask(path, grid).array, KITS == 1)
        with pytest.raises(ImageError, match="mask without voxels"):
            read_mask(path, grid, "Nothing yet")

    def test_a_single_label_missing_from_the_header_is_read_as_in_a_plain_mask(self, tmp_path: Path) -> None:
        grid = grid_of()
        path = write(tmp_path / "m.seg.nrrd", grid, (KITS == 1) * np.uint8(5), slicer_keys(("Tumour", 1, 0)))
        np.testing.assert_array_equal(read_mask(path, grid).array, KITS == 1)

    def test_a_segmentation_cropped_to_its_segments_lies_where_it_was_drawn(self, tmp_path: Path) -> None:
        grid = grid_of()
        start = grid.lps_of((2.0, 4.0, 3.0))
        part = Volume(np.zeros((4, 6, 5), np.uint8), grid.spacing, (start[0], start[1], start[2]), grid.direction)
        layers = np.stack([KITS[:4, :6, :5] == 1, KITS[:4, :6, :5] == 2]).astype(np.uint8)
        path = write(tmp_path / "m.seg.nrrd", part, layers, slicer_keys(("A", 1, 0), ("B", 1, 1)))
        expected = np.zeros(grid.shape, bool)
        expected[2:6, 4:10, 3:8] = layers[1]
        mask, notes = read_noted_mask(path, grid, "B")
        np.testing.assert_array_equal(mask.array, expected)
        assert notes == ()

    def test_a_layer_that_the_file_lacks_and_a_cut_off_file_are_refused(self, tmp_path: Path) -> None:
        grid = grid_of()
        layers = np.stack([KITS, KITS])
        path = write(tmp_path / "m.seg.nrrd", grid, layers, slicer_keys(("Tumour", 2, 7)))
        with pytest.raises(ImageError, match="mask without voxels"):
            read_mask(path, grid)
        path = write(tmp_path / "n.seg.nrrd", grid, layers, slicer_keys(("Tumour", 2, 1)))
        path.write_bytes(path.read_bytes()[:-400])
        with pytest.raises(ImageError, match="cut off or damaged"):
            read_mask(path, grid)


class TestCohorts:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        grid = grid_of()
        hu = np.random.default_rng(1).integers(-900, 200, grid.shape).astype(np.int16)
        write(tmp_path / "ct.nii.gz", grid, hu)
        write(tmp_path / "kits.nii.gz", grid, KITS)
        write(tmp_path / "one.nii.gz", grid, (KITS == 2).astype(np.uint8))
        write(tmp_path / "empty.nii.gz", grid, np.zeros_like(KITS))
        write(tmp_path / "m.seg.nrrd", grid, KITS, slicer_keys(("Kidney", 1, 0), ("Tumour", 2, 0), ("Cyst", 3, 0)))
        return tmp_path

    def test_a_column_gives_each_row_its_label(self, folder: Path) -> None:
        rows = ["a,p,ct.nii.gz,kits.nii.gz,2.0", "b,p,ct.nii.gz,m.seg.nrrd,Tumour", "c,p,ct.nii.gz,one.nii.gz,"]
        rows += ["d,p,ct.nii.gz,kits.nii.gz,1"]  # another lesion of the same mask
        (folder / "c.csv").write_text("\n".join(["case,patient,image,mask,Mask label", *rows]))
        report = read_cohort(folder / "c.csv")
        assert report.ok, report.problems
        assert [case.mask_label for case in report.cases] == ["2", "Tumour", None, "1"]
        assert report.columns["mask_label"] == "Mask label"
        assert report.covariate_types == {}
        assert report.to_dict()["cases"][1]["mask_label"] == "Tumour"

    def test_the_label_of_a_row_overrides_that_for_all_masks(self, folder: Path) -> None:
        rows = ["a,p,ct.nii.gz,kits.nii.gz,", "b,q,ct.nii.gz,m.seg.nrrd,Cyst", "c,r,ct.nii.gz,,"]
        (folder / "c.csv").write_text("\n".join(["case,patient,image,mask,mask_label", *rows]))
        report = read_cohort(folder / "c.csv", mask_label="2", check_images=False)
        assert [row.mask_label for row in report.cases] == ["2"]  # the others are the same image of other patients
        report = read_cohort(folder / "c.csv", mask_label="2")
        assert not [p for p in report.problems if p.column == "mask"]

    def test_validate_finds_masks_without_voxels_and_unknown_labels(self, folder: Path) -> None:
        for name in "abcde":
            (folder / f"{name}.nii.gz").write_bytes((folder / "ct.nii.gz").read_bytes())
        rows = ["a,1,a.nii.gz,empty.nii.gz,", "b,2,b.nii.gz,kits.nii.gz,", "c,3,c.nii.gz,kits.nii.gz,7"]
        rows += ["d,4,d.nii.gz,m.seg.nrrd,liver", "e,5,e.nii.gz,one.nii.gz,"]
        (folder / "c.csv").write_text("\n".join(["case,patient,image,mask,mask_label", *rows]))
        report = read_cohort(folder / "c.csv")
        assert [case.case_id for case in report.cases] == ["e"]
        reasons = {p.case_id: p.reason for p in report.problems if p.column == "mask"}
        assert sorted(reasons) == ["a", "b", "c", "d"]
        assert "mask without voxels" in reasons["a"]
        assert "contains 3 labels (1, 2, 3)" in reasons["b"]
        assert "no label '7'" in reasons["c"]
        assert "no segment 'liver'" in reasons["d"]
        for case_id, mask, label in (
            ("a", "empty.nii.gz", None),
            ("b", "kits.nii.gz", None),
            ("c", "kits.nii.gz", "7"),
            ("d", "m.seg.nrrd", "liver"),
        ):
            with pytest.raises(ImageError) as said:  # what the job records of the case
                read_mask(folder / mask, grid_of(), label)
            assert str(said.value) == reasons[case_id]

    def test_validate_finds_what_the_outlines_of_a_structure_set_leave_out(self, folder: Path) -> None:
        grid = grid_of()
        square, speck = box(2.5, 9.5, 1.5, 7.5), box(5.2, 5.8, 5.2, 5.8)
        write_rtstruct(folder / "gap.dcm", {"GTV": [on_plane(grid, z, square) for z in (2, 3, 5)]})
        write_rtstruct(folder / "speck.dcm", {"GTV": [on_plane(grid, 4, speck)]})
        (folder / "b.nii.gz").write_bytes((folder / "ct.nii.gz").read_bytes())
        (folder / "c.csv").write_text("case,patient,image,mask\na,1,ct.nii.gz,gap.dcm\nb,2,b.nii.gz,speck.dcm\n")
        report = read_cohort(folder / "c.csv")
        found = {p.case_id: (p.severity, p.reason) for p in report.problems if p.column == "mask"}
        assert found["a"][0] == "warning"
        assert "no outline on 1 slice between outlined ones" in found["a"][1]
        assert found["b"][0] == "error"
        assert "mask without voxels" in found["b"][1]

    def test_the_command_line_accepts_a_label_for_all_masks(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "c.csv").write_text("case,patient,image,mask\na,1,ct.nii.gz,kits.nii.gz\n")
        assert main(["validate", str(folder / "c.csv")]) == 2
        assert "contains 3 labels (1, 2, 3)" in capsys.readouterr().out
        assert main(["validate", str(folder / "c.csv"), "--mask-label", "2.0"]) == 0
        assert main(["validate", str(folder / "c.csv"), "--mask-label", ""]) == 2

    def test_a_large_mask_is_checked_by_its_header_alone(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("embeddings.cohort.images._MOST_READ", KITS.size - 1)
        (folder / "c.csv").write_text("case,patient,image,mask\na,1,ct.nii.gz,empty.nii.gz\n")
        assert read_cohort(folder / "c.csv").ok

    def test_a_resampled_mask_is_a_warning_of_its_row(self, folder: Path) -> None:
        grid = grid_of()
        coarse = Volume(np.ones((4, 6, 5), np.uint8), (1.4, 1.8, 5.0), grid.origin, grid.direction)
        write(folder / "coarse.nii.gz", coarse, coarse.array)
        (folder / "c.csv").write_text("case,patient,image,mask\na,1,ct.nii.gz,coarse.nii.gz\n")
        report = read_cohort(folder / "c.csv")
        assert report.ok
        (note,) = [p for p in report.problems if p.column == "mask"]
        assert note.severity == "warning"
        assert "1.4 x 1.8 x 5 mm against 11 x 13 x 9 voxels of 0.7 x 0.9 x 2.5 mm" in note.reason


@pytest.mark.parametrize(
    ("text", "kept"), [("2", "2"), ("2.0", "2"), (" 02 ", "2"), ("2e0", "2"), ("2.5", "2.5"), (" GTV p ", "GTV p")]
)
def test_label_numbers_are_stored_as_integers(text: str, kept: str) -> None:
    assert normal_label(text) == kept
    assert normal_label("2,0", decimal_comma=True) == "2"
