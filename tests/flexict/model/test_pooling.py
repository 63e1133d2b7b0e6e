"""Kinds of vector against the tokens they are made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flexict import load_encoder
from flexict.hub.registry import NANO_SHAPE, PUBLISHED_SHAPE, REGISTRY
from flexict.kinds import TOKEN_KINDS, blocks_of, width_of
from flexict.model.pooling import touched_cells, vectors


def test_published_widths_and_blocks_are_those_of_the_paper() -> None:
    assert blocks_of("hierarchical", 16) == [3, 7, 11, 15]
    widths = {kind: width_of(kind, PUBLISHED_SHAPE, 1024) for kind in (*TOKEN_KINDS, "vlm")}
    assert widths == {"pooled": 1728, "cls": 864, "hierarchical": 6912, "mask_pooled": 864, "vlm": 1024}


def test_a_shallow_network_gives_the_end_of_every_quarter() -> None:
    assert blocks_of("hierarchical", NANO_SHAPE["depth"]) == [1, 2, 4, 5]


@pytest.mark.parametrize("shape", [(2, 1, 64, 48), (1, 1, 48, 32, 32)])
def test_every_kind_follows_from_the_tokens(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(shape[0], *shape[2:])
    mask[:, 5:20, 17:18] = 1
    backbone = load_encoder("flexict-nano").backbone
    with torch.no_grad():
        levels = backbone.intermediate(x, [1, 2, 4, 5])
    last = levels[-1]
    pooled = [torch.cat((level.cls, level.patches.mean(dim=1)), dim=1) for level in levels]
    joined = torch.cat(pooled, dim=1)
    cells = np.zeros(last.grid, dtype=bool)
    cells[0:2, 1] = True  # rows 5 to 19 of patches of 16, column 17
    expected = {
        "cls": last.cls,
        "pooled": pooled[-1],
        "hierarchical": joined / joined.norm(dim=1, keepdim=True),
        "mask_pooled": last.patches[:, torch.from_numpy(cells.ravel())].mean(dim=1),
    }
    for kind, wanted in expected.items():
        encoder = load_encoder("flexict-nano", pooling=kind)
        found = encoder.encode(x, mask) if encoder.needs_mask else encoder.encode(x)
        assert found.shape == (shape[0], encoder.width), kind
        assert np.allclose(found, wanted.numpy(), atol=2e-5), kind
        assert encoder.pooling == kind


def test_a_mask_that_touches_nothing_gives_the_class_token() -> None:
    x = torch.randn(2, 1, 32, 32)
    mask = torch.zeros(2, 32, 32)
    mask[1, 0, 0] = 7
    masked = load_encoder("flexict-nano", pooling="mask_pooled").encode(x, mask)
    cls = load_encoder("flexict-nano", pooling="cls").encode(x)
    assert np.allclose(masked[0], cls[0], atol=1e-6)
    assert not np.allclose(masked[1], cls[1], atol=1e-3)


def test_a_missing_or_misshapen_mask_is_refused() -> None:
    encoder = load_encoder("flexict-nano", pooling="mask_pooled")
    x = torch.zeros(1, 1, 32, 32)
    with pytest.raises(ValueError, match="no mask"):
        encoder.encode(x)
    with pytest.raises(ValueError, match=r"mask of \[1, 16, 32\]"):
        encoder.encode(x, torch.zeros(1, 16, 32))


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 7), st.integers(0, 7), st.integers(0, 200))
def test_a_cell_is_touched_where_one_voxel_of_it_is_in_the_mask(
    rows: int, columns: int, extra_y: int, extra_x: int, place: int
) -> None:
    space = (rows * 8 + extra_y, columns * 8 + extra_x)
    y, x = divmod(place % (space[0] * space[1]), space[1])
    mask = torch.zeros(1, *space)
    mask[0, y, x] = 1
    cells = touched_cells(mask, (8, 8)).reshape(rows, columns).numpy()
    wanted = np.zeros((rows, columns), dtype=bool)
    if y // 8 < rows and x // 8 < columns:
        wanted[y // 8, x // 8] = True
    assert np.array_equal(cells, wanted)


def test_patch_tokens_lie_on_their_grid_and_are_most_similar_to_themselves() -> None:
    encoder = load_encoder("flexict-nano", patch=(8, 16, 16))
    x = np.random.default_rng(0).standard_normal((2, 1, 32, 48, 32)).astype(np.float32)
    grid = encoder.patch_grid(x)
    assert grid.tokens.shape == (2, 4, 3, 2, 144)
    assert grid.patch == (8, 16, 16)
    with torch.no_grad():
        tokens = encoder.backbone(torch.from_numpy(x))
    assert np.allclose(grid.tokens[1, 3, 0, 1], tokens.patches[1, 3 * 6 + 1].numpy(), atol=1e-5)
    likeness = grid.similarity(1, (3, 0, 1))
    assert likeness.shape == (2, 4, 3, 2)
    assert np.unravel_index(likeness.argmax(), likeness.shape) == (1, 3, 0, 1)
    assert likeness.max() == pytest.approx(1.0, abs=1e-5)


def test_patch_and_precision_are_part_of_the_label_of_a_vector() -> None:
    assert load_encoder("flexict-nano", patch=16).pooling == "pooled"
    assert load_encoder("flexict-nano", patch=8).pooling == "pooled, patch 8x8x8"
    made = load_encoder("flexict-nano", pooling="cls", patch=(8, 16, 16), precision="bfloat16")
    assert made.pooling == "cls, patch 8x16x16, bfloat16"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"pooling": "mean"}, "no vector 'mean'"),
        ({"pooling": "vlm"}, "no vector 'vlm'"),
        ({"precision": "int8"}, "no precision 'int8'"),
        ({"backend": "tpu"}, "no back end 'tpu'"),
        ({"patch": 0}, "positive whole numbers"),
        ({"patch": (8, 8, 8, 8)}, "no patch of 4 edges"),
    ],
)
def test_options_that_do_not_exist_are_named(option: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_encoder("flexict-nano", **option)  # type: ignore[arg-type]


def test_an_encoder_of_volumes_refuses_a_patch_of_two_edges() -> None:
    assert set(REGISTRY["flexict-nano-vlm"].views) == {"volume", "lesion"}
    with pytest.raises(ValueError, match="no patch of 2 edges"):
        load_encoder("flexict-nano-vlm", patch=(8, 8))


def test_an_unknown_kind_has_no_vector() -> None:
    with torch.no_grad():
        levels = [load_encoder("flexict-nano").backbone(torch.zeros(1, 1, 16, 16))]
    with pytest.raises(ValueError, match="'mask_pooled' is unknown, or its mask"):
        vectors("mask_pooled", levels)


@pytest.mark.parametrize("view", ["slices", "volume"])
def test_bfloat16_agrees_with_float32_on_real_ct(view: str, real_ct, reading) -> None:
    x = reading(real_ct / "whole_volume" / "LIDC-IDRI-0314_CT_2mm.nii.gz", view)[None, None]
    exact = load_encoder("flexict-nano").encode(x)[0].astype(float)
    rough = load_encoder("flexict-nano", precision="bfloat16").encode(x)[0].astype(float)
    assert exact @ rough / np.linalg.norm(exact) / np.linalg.norm(rough) >= 0.999
