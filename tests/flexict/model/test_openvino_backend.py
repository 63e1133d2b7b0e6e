"""The network through OpenVINO against the published implementation's tensors and the network itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from flexict import FlexiCTBackbone, Tokens, load_encoder
from flexict.model import openvino_backend, openvino_graph
from flexict.model.openvino_backend import OpenVINOBackbone
from flexict.model.rope import AxialRope, rotate

pytest.importorskip("openvino")

RMS_BOUND, LARGEST_BOUND = 2e-4, 2e-3
LEAST_COSINE = 0.999


@pytest.fixture
def small() -> FlexiCTBackbone:
    """Two blocks of random weights, none of them without effect."""
    torch.manual_seed(0)
    return FlexiCTBackbone(embed_dim=144, depth=2, num_heads=2, layer_scale=0.5).requires_grad_(False).eval()


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shape of every input that a graph was built for."""
    seen = []
    build = openvino_graph.build

    def counted(backbone: FlexiCTBackbone, space: tuple[int, ...], *rest: object) -> object:
        seen.append(space)
        return build(backbone, space, *rest)

    monkeypatch.setattr(openvino_graph, "build", counted)
    return seen


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def assert_close(got: torch.Tensor, expected: torch.Tensor, name: str) -> None:
    assert got.shape == expected.shape, name
    assert (got - expected).pow(2).mean().sqrt() < RMS_BOUND, name
    assert (got - expected).abs().max() < LARGEST_BOUND, name


def assert_same_tokens(got: Tokens, expected: Tokens) -> None:
    assert got.grid == expected.grid
    for name in ("cls", "registers", "patches"):
        assert_close(getattr(got, name), getattr(expected, name), name)


@pytest.mark.parametrize("kind", ["2d", "3d", "2d_patch16"])
def test_every_tensor_of_the_fixture_agrees(parity: Path, kind: str) -> None:
    tensors = load_file(parity / "small_weights.safetensors")
    fixture = load_file(parity / "small_io.safetensors")
    network = FlexiCTBackbone(embed_dim=144, depth=3, num_heads=2).requires_grad_(False).eval()
    network.load_state_dict({k.removeprefix("backbone."): v for k, v in tensors.items()}, strict=True)
    network.set_patch_size(16 if kind.endswith("16") else 8)
    first, last = OpenVINOBackbone(network, "fixture").intermediate(fixture[f"{kind[:2]}_input"], [0, 2])
    got = {"cls": last.cls, "registers": last.registers, "patches": last.patches}
    got |= {"block0_cls": first.cls, "block0_patches": first.patches}
    got |= {"block2_cls": last.cls, "block2_patches": last.patches}
    expected = {
        k.removeprefix(f"{kind}_"): v
        for k, v in fixture.items()
        if k.startswith(f"{kind}_") and not k.endswith("input") and ("patch16" in k) == ("patch16" in kind)
    }
    assert len(expected) >= 2
    for name, tensor in expected.items():
        assert_close(got[name], tensor, name)


def test_queries_and_keys_are_rounded_exactly_as_in_the_published_model(small: FlexiCTBackbone) -> None:
    from openvino import Core, Model, opset13

    heads, width, n_prefix = 2, 72, 5
    sin, cos = AxialRope(width, n_axes=2)((40, 40))
    x = torch.randn(1, heads, n_prefix + 1600, width, generator=torch.Generator().manual_seed(1)) * 3
    graph = openvino_graph._Graph(small, "float32")
    parameter = opset13.parameter([1, x.shape[2], heads, width], np.float32)
    _, cosines, sines = graph._embedded(opset13.parameter([1, 1, 320, 320], np.float32), (320, 320))
    model = Model([graph._turned(parameter, cosines, sines)], [parameter], "turned")
    compiled = Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    got = torch.from_numpy(compiled(x.transpose(1, 2).contiguous().numpy())[0]).transpose(1, 2)
    assert torch.equal(got, rotate(x, sin, cos, n_prefix))


@pytest.mark.parametrize(
    ("patch", "shape"), [((8, 16, 16), (2, 1, 16, 48, 35)), ((4, 6), (1, 1, 13, 24)), (16, (1, 1, 32, 16))]
)
def test_a_run_time_patch_and_an_input_it_does_not_divide(
    small: FlexiCTBackbone, patch: int | tuple[int, ...], shape: tuple[int, ...]
) -> None:
    converted = OpenVINOBackbone(small, "small")
    small.set_patch_size(patch)  # after the conversion, as a caller may
    x = torch.randn(shape)
    (got,), (expected,) = converted.intermediate(x, [1]), small.intermediate(x, [1])
    assert_same_tokens(got, expected)


def test_blocks_are_returned_in_the_requested_order(small: FlexiCTBackbone) -> None:
    x = torch.randn(1, 1, 16, 24)
    got = OpenVINOBackbone(small, "small").intermediate(x, [1, 0, 1])
    for one, other in zip(got, small.intermediate(x, [1, 0, 1]), strict=True):
        assert_same_tokens(one, other)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_item_has_the_same_bits_in_a_batch_and_alone(small: FlexiCTBackbone, precision: str) -> None:
    converted = OpenVINOBackbone(small, "small", precision=precision)
    x = torch.randn(3, 1, 16, 16, 24)
    (batch,) = converted.intermediate(x, [1])
    for index in range(len(x)):
        (alone,) = converted.intermediate(x[index : index + 1], [1])
        assert torch.equal(batch.cls[index], alone.cls[0])
        assert torch.equal(batch.patches[index], alone.patches[0])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_vector_does_not_depend_on_how_many_threads_call(
    small: FlexiCTBackbone, one_thread: None, precision: str
) -> None:
    inputs = [torch.randn(1, 1, 64, 72) for _ in range(8)]
    converted = OpenVINOBackbone(small, "small", precision=precision)
    alone = [converted.intermediate(x, [1])[0].pooled() for x in inputs]

    def vector(x: torch.Tensor) -> torch.Tensor:
        torch.set_num_threads(1)
        return converted.intermediate(x, [1])[0].pooled()

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(vector, inputs * 4))
    assert all(torch.equal(one, other) for one, other in zip(alone * 4, together, strict=True))


def test_the_same_weights_are_converted_once(small: FlexiCTBackbone, conversions: list[tuple[int, ...]]) -> None:
    x = torch.randn(1, 1, 16, 24)
    first, second = OpenVINOBackbone(small, "once"), OpenVINOBackbone(small, "once")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda back: back.intermediate(x, [1]), [first, second] * 4))
    assert conversions == [(16, 24)]
    OpenVINOBackbone(small, "other weights").intermediate(x, [1])
    assert len(conversions) == 2


def test_a_conversion_that_no_encoder_uses_is_released(
    small: FlexiCTBackbone, conversions: list[tuple[int, ...]]
) -> None:
    x = torch.randn(1, 1, 16, 24)
    OpenVINOBackbone(small, "let go").intermediate(x, [1])
    OpenVINOBackbone(small, "let go").intermediate(x, [1])
    assert len(conversions) == 2


def test_only_the_latest_shapes_are_kept(small: FlexiCTBackbone, conversions: list[tuple[int, ...]]) -> None:
    converted = OpenVINOBackbone(small, "shapes")
    for edge in (16, 24, 16, 32, 16, 24):
        converted.intermediate(torch.randn(1, 1, edge, 16), [1])
    assert openvino_backend.MOST_MODELS == 2
    assert [space[0] for space in conversions] == [16, 24, 32, 24]


def test_bad_inputs_are_refused_as_the_network_refuses_them(small: FlexiCTBackbone) -> None:
    converted = OpenVINOBackbone(small, "small")
    for x, blocks in (
        (torch.zeros(1, 1, 4, 16), [1]),
        (torch.zeros(1, 1, 4, 16, 16), [1]),
        (torch.zeros(1, 3, 16, 16), [1]),
        (torch.zeros(16, 16), [1]),
        (torch.zeros(1, 1, 16, 16), [2]),
    ):
        with pytest.raises(ValueError) as expected:
            small.intermediate(x, blocks)
        with pytest.raises(ValueError) as got:
            converted.intermediate(x, blocks)
        assert str(got.value) == str(expected.value)


def test_a_backbone_that_cannot_be_converted_is_refused(small: FlexiCTBackbone) -> None:
    with pytest.raises(ValueError, match="not in 'int8'"):
        OpenVINOBackbone(small, "small", precision="int8")
    with pytest.raises(ValueError, match="float32 backbone"):
        OpenVINOBackbone(small.to(torch.bfloat16), "small")


@pytest.mark.parametrize("view", ["slices", "volume"])
def test_nano_agrees_on_real_ct(view: str, real_ct: Path, reading: Callable[[Path, str], NDArray[np.float32]]) -> None:
    x = reading(real_ct / "whole_volume" / "LIDC-IDRI-0314_CT_2mm.nii.gz", view)[None, None]
    exact = load_encoder("flexict-nano", backend="torch").encode(x)[0].astype(float)
    for precision, least in (("float32", 1 - 1e-6), ("bfloat16", LEAST_COSINE)):
        got = load_encoder("flexict-nano", backend="openvino", precision=precision).encode(x)[0].astype(float)
        assert exact @ got / np.linalg.norm(exact) / np.linalg.norm(got) >= least, precision
