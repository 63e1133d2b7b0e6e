"""A bright blob lights up where it is: tokens, patches and boxes of a tilted, anisotropic scan."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.components.viewer.patch_encoder import EncoderUnavailableError, SetEncoder, available_encoder
from dashboard.components.viewer.patch_maps import PatchTokens, component_colours, scaled, similarity
from dashboard.data.planes import lps_to_place
from dashboard.data.scans import box_of
from flexict import PreprocessError, load_encoder
from flexict.presets.preprocess import Scan, in_lps_order
from flexict.presets.presets import PRESETS, Subject, crop_of, read_label
from flexict.volume import Volume

LABELS = ("default", "local_path", "lesion_seed@48mm", "lesion_mask@2", "slice")
PATCH = 16


def cell_centres(tokens: PatchTokens) -> np.ndarray:
    """LPS mm `[d, h, w, 3]` of the middles of the patches."""
    cells = np.moveaxis(np.indices(tokens.tokens.shape[:3]), 0, -1)
    return tokens.placement.lps_of((cells + 0.5) * np.asarray(tokens.patch) - 0.5)


def with_blob(volume: Volume, index_zyx: tuple[float, float, float], radius_mm: float = 5.0) -> tuple[Volume, Volume]:
    """The scan with a ball of 600 HU, and the ball as a mask."""
    points = volume.lps_of(np.moveaxis(np.indices(volume.shape), 0, -1).astype(float))
    inside = np.linalg.norm(points - volume.lps_of(index_zyx), axis=-1) <= radius_mm
    array = np.where(inside, 600, volume.array).astype(np.float32)
    return (
        Volume(array, volume.spacing, volume.origin, volume.direction),
        Volume(inside.astype(np.uint8), volume.spacing, volume.origin, volume.direction),
    )


def subject_of(volume: Volume, blob: tuple[float, float, float], seed_off_mm: tuple[float, float, float]) -> Subject:
    ct, mask = with_blob(volume, blob)
    x, y, z = (float(v) for v in volume.lps_of(blob) + np.array(seed_off_mm))
    oriented = in_lps_order(volume)
    index = round(float(oriented.index_of(volume.lps_of(blob))[0]))
    return Subject(Scan(ct), mask, (x, y, z), index)


def mean_of_patches(pixels: np.ndarray) -> np.ndarray:
    """What stands in for an encoder: the brightness of each patch, `[d, h, w, 1]`."""
    if pixels.ndim == 2:
        h, w = (n // PATCH for n in pixels.shape)
        return pixels.reshape(1, h, PATCH, w, PATCH, 1).mean(axis=(2, 4))
    d, h, w = (n // PATCH for n in pixels.shape)
    return pixels.reshape(d, PATCH, h, PATCH, w, PATCH, 1).mean(axis=(1, 3, 5))


@pytest.mark.parametrize("blob", [(22.0, 26.0, 30.0), (14.2, 33.6, 38.1)])
@pytest.mark.parametrize("preset", LABELS)
def test_the_brightest_patch_lies_where_the_blob_is(
    tilted: Volume, preset: str, blob: tuple[float, float, float]
) -> None:
    subject = subject_of(tilted, blob, (6.0, -5.0, 7.0))
    brightness = mean_of_patches(crop_of(preset, subject).voxels())
    patch = (1 if preset == "slice" else PATCH, PATCH, PATCH)
    tokens = PatchTokens(brightness.astype(np.float16), patch, crop_of(preset, subject).placement)
    brightest = np.unravel_index(int(brightness.argmax()), brightness.shape[:3])
    truth = tilted.lps_of(blob)
    middle = cell_centres(tokens)[brightest]
    # The blob may lie on the border of two patches.
    apart = np.abs(tokens.placement.direction.T @ (middle - truth))
    assert (apart <= np.array(tokens.cell_mm) * 0.5 + 2.5).all()

    # As the browser draws it: item mm from any centre, in all three planes.
    oriented = in_lps_order(tilted)
    centre = (11.0, 17.5, 9.0)
    place = np.array(lps_to_place(oriented, centre, tuple(middle)))
    drawn = np.floor((place - np.array(tokens.corner(oriented, centre))) / np.array(tokens.cell_mm)).astype(int)
    assert tuple(drawn[::-1]) == tuple(int(v) for v in brightest)
    assert tokens.cell_at(tuple(middle)) == tuple(int(v) for v in brightest)


@pytest.mark.parametrize("preset", LABELS)
def test_the_box_on_the_screen_is_that_of_the_patches(tilted: Volume, preset: str) -> None:
    subject = subject_of(tilted, (22.0, 26.0, 30.0), (0.0, 0.0, 0.0))
    where = crop_of(preset, subject).placement
    oriented, centre = in_lps_order(tilted), (11.0, 17.5, 9.0)
    low, high = box_of(where, oriented, centre)
    patch = (min(PATCH, where.shape[0]), PATCH, PATCH)
    cells = tuple(n // edge for n, edge in zip(where.shape, patch, strict=True))
    tokens = PatchTokens(np.zeros((*cells, 1), np.float16), patch, where)
    corner = np.array(tokens.corner(oriented, centre))
    end = corner + np.array(tokens.cell_mm) * np.array(tokens.tokens.shape[:3])[::-1]
    # lesion_mask puts the outermost voxels on the crop's outermost voxels, half a 2 mm voxel within the box.
    most = 1.0 if preset.startswith("lesion_mask") else 1e-6
    assert np.abs(corner - low).max() <= most
    assert np.abs(end - high).max() <= most
    assert np.array(high) - np.array(low) == pytest.approx(where.box_mm)


@pytest.fixture(scope="module")
def nano() -> SetEncoder:
    return SetEncoder("flexict-nano", load_encoder("flexict-nano").weights_sha256, "pooled")


def test_a_patch_of_a_blob_is_most_like_the_blob_of_another_scan(tilted: Volume, nano: SetEncoder) -> None:
    encoder = available_encoder(nano)
    found = []
    for blob, off in (((22.0, 26.0, 30.0), (3.0, 2.0, -4.0)), ((25.0, 22.0, 33.0), (-9.0, 8.0, 6.0))):
        subject = subject_of(tilted, blob, off)
        pixels = crop_of("lesion_seed@48mm", subject).voxels()
        grid = encoder.patch_grid(pixels[None, None])
        tokens = PatchTokens(
            grid.tokens[0].astype(np.float16), (16, 16, 16), crop_of("lesion_seed@48mm", subject).placement
        )
        found.append((tokens, tuple(float(v) for v in tilted.lps_of(blob))))
    (query, at), (other, there) = found
    cell = query.cell_at(at)
    assert cell is not None
    own, across = similarity(query, cell, [query, other])
    assert own[cell] == pytest.approx(1, abs=1e-3)
    best = np.unravel_index(int(across.argmax()), across.shape)
    apart = other.placement.direction.T @ (cell_centres(other)[best] - np.array(there))
    assert (np.abs(apart) <= 1.5 * np.array(other.cell_mm)).all()


def test_a_point_beside_the_input_is_in_no_patch(tilted: Volume) -> None:
    subject = subject_of(tilted, (22.0, 26.0, 30.0), (0.0, 0.0, 0.0))
    tokens = PatchTokens(
        np.zeros((10, 10, 10, 1), np.float16), (16, 16, 16), crop_of("lesion_seed@48mm", subject).placement
    )
    assert tokens.cell_at((1000.0, 0.0, 0.0)) is None


def test_a_scale_of_similarity_is_shared_and_ends_at_one() -> None:
    maps = [np.linspace(-0.2, 0.6, 500).reshape(5, 10, 10), np.linspace(0.1, 1.0, 500).reshape(5, 10, 10)]
    steps, low = scaled([one.astype(np.float32) for one in maps])
    assert -0.2 < low < -0.15
    assert steps[1].max() == 255
    assert steps[0].min() == 0
    back = low + steps[0] / 255 * (1 - low)
    assert np.abs(back - maps[0])[steps[0] > 0].max() < 0.005


def test_component_colours_are_the_same_for_the_same_tokens_of_two_scans(tilted: Volume) -> None:
    where = crop_of("default", subject_of(tilted, (22.0, 26.0, 30.0), (0.0, 0.0, 0.0))).placement
    generator = np.random.default_rng(0)
    tokens = generator.normal(size=(2, 3, 4, 8)).astype(np.float16)
    items = [PatchTokens(tokens, (16, 16, 16), where), PatchTokens(tokens[::-1].copy(), (16, 16, 16), where)]
    first, second = component_colours(items)
    assert first.shape == (2, 3, 4, 3)
    assert (first == second[::-1]).all()
    assert np.ptp(first[..., 0].astype(int)) == 255


def test_labels_of_presets_are_read_and_others_refused() -> None:
    for label, name, parameter in (
        ("lesion_mask@1.5", "lesion_mask", 1.5),
        ("lesion_seed@64mm", "lesion_seed", 64.0),
        ("slice", "slice", 0.0),
    ):
        assert read_label(label) == (PRESETS[name], parameter)
    for label in ("lesion_mask", "lesion_mask@", "lesion_seed@x mm", "as the encoder gives it", ""):
        with pytest.raises(PreprocessError, match="not known here"):
            read_label(label)


def test_weights_that_are_not_those_of_the_set_are_refused() -> None:
    with pytest.raises(EncoderUnavailableError, match="differ from those of the set"):
        available_encoder(SetEncoder("flexict-nano", "0" * 64, "pooled"))


def test_an_encoder_of_another_program_is_named() -> None:
    with pytest.raises(EncoderUnavailableError, match="radiomics-net"):
        available_encoder(SetEncoder("radiomics-net", "0" * 64, "pooled"))


def test_published_weights_are_not_fetched_for_a_picture(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    for name in ("FLEXICT_CHECKPOINT", "FLEXICT_3D_CHECKPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(EncoderUnavailableError, match="FLEXICT_3D_CHECKPOINT"):
        available_encoder(SetEncoder("flexict-3d", "0" * 64, "pooled"))
