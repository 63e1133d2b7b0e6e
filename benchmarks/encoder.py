"""Milliseconds and memory of the published network on this machine, in PyTorch and OpenVINO, in two precisions.

The weights are random, of the published size, with a LayerScale that lets every block count. The share of peak is the
network's arithmetic rate beside that of a large matrix product: the best one that any of the ways reached in this run,
in the same precision and on the same device. "Per core" compares processor time, which others on the machine disturb
less than the clock. Their noise is in all of it: compare within one run only.

    python -m benchmarks.encoder                                    all ways there are, 512 x 512 and 160^3, patch 8
    python -m benchmarks.encoder --sizes 512x512 --batches 1 --rounds 3
    python -m benchmarks.encoder --ct /data/*.nii.gz                and flexict-nano's vectors of real CTs
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    # At run time the workers alone import torch: the peak memory of a process begins with its parent's.
    from torch import Tensor

    from flexict.model.backbone import FlexiCTBackbone

BASELINE = "torch-float32"
CPU_WAYS = (BASELINE, "torch-bfloat16", "openvino-float32", "openvino-bfloat16")
CUDA_WAYS = ("cuda-bfloat16", "cuda-bfloat16-compiled")
LAYER_SCALE = 0.3
PRODUCT = 2048
CUDA_PRODUCT = 8192


@dataclass(frozen=True)
class Task:
    """What one process times."""

    way: str
    space: tuple[int, ...]
    batch: int

    @property
    def device(self) -> str:
        return "cuda" if self.way.startswith("cuda") else "cpu"

    @property
    def precision(self) -> str:
        return self.way.split("-")[1]


@dataclass(frozen=True)
class Timing:
    """One timed batch.

    Attributes:
        first_seconds: from a backbone with weights to the vector of one item; holds any conversion or compilation.
        peak: FLOP a second of a large matrix product.
        gigabytes: most resident memory of the process, or most that was allocated on the GPU.
    """

    task: Task
    seconds: float
    core_seconds: float
    first_seconds: float
    tflop: float
    peak: float
    gigabytes: float

    @property
    def rate(self) -> float:
        """FLOP a second."""
        return self.tflop * 1e12 / self.seconds


def network() -> FlexiCTBackbone:
    """The published architecture, ready for inference."""
    import torch

    from flexict import FlexiCTBackbone

    torch.manual_seed(0)
    return FlexiCTBackbone(layer_scale=LAYER_SCALE).requires_grad_(False).eval()


def tera_flop(backbone: FlexiCTBackbone, space: tuple[int, ...]) -> float:
    """Multiplications and additions of one forward of one item, in 10^12: the linear layers and the attention."""
    from torch import nn

    embed = backbone.patch_embed_2D if len(space) == 2 else backbone.patch_embed_3D
    length = 1 + backbone.n_registers + int(np.prod([n // p for n, p in zip(space, embed.size, strict=True)]))
    weights = sum(module.weight.numel() for module in backbone.blocks.modules() if isinstance(module, nn.Linear))
    attention = 4 * length**2 * backbone.embed_dim * len(backbone.blocks)
    return (2 * length * weights + attention) / 1e12


def forward_of(way: str, backbone: FlexiCTBackbone) -> Callable[[Tensor], Tensor]:
    """`[B, 1, *space]` -> pooled vectors `[B, 1728]`."""
    import torch

    from flexict.model.openvino_backend import OpenVINOBackbone

    library, precision = way.split("-")[:2]
    last = [len(backbone.blocks) - 1]
    if library == "openvino":
        converted = OpenVINOBackbone(backbone, "random", precision=precision)
        return lambda x: converted.intermediate(x, last)[0].pooled()
    number = getattr(torch, precision)
    backbone.to(library if library == "cuda" else "cpu", number)

    def forward(x: Tensor) -> Tensor:
        return backbone(x).pooled()

    inner = torch.compile(forward) if way.endswith("compiled") else forward
    return lambda x: inner(x.to(backbone.cls_token.device, number)).float().cpu()


def product_of(way: str) -> tuple[Callable[[], object], int]:
    """One large matrix product in the library of this way, and its FLOP."""
    import torch

    library, precision = way.split("-")[:2]
    n = CUDA_PRODUCT if library == "cuda" else PRODUCT
    if library != "openvino":
        device = library if library == "cuda" else "cpu"
        a, b = (torch.randn(n, n, dtype=getattr(torch, precision), device=device) for _ in range(2))
        return (lambda: (a @ b)[0, 0].item()), 2 * n**3
    import openvino
    from openvino import opset13 as op

    x = op.parameter([n, n], np.float32)
    y = op.matmul(x, op.constant(np.random.default_rng(0).standard_normal((n, n), np.float32)), False, True)
    hint = {"INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32"}
    settings = hint | {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "NUM_STREAMS": 1}
    request = openvino.Core().compile_model(openvino.Model([y], [x]), "CPU", settings).create_infer_request()
    request.get_input_tensor().data[:] = 1.0
    return request.infer, 2 * n**3


def peak(way: str, rounds: int = 6) -> float:
    """FLOP a second of the best of some products."""
    product, flop = product_of(way)
    seconds = [_seconds(product) for _ in range(rounds)]
    return flop / min(seconds)


def timed(task: Task) -> tuple[Timing, NDArray[np.float32]]:
    """Time one batch in this process, after one item that is not counted. Returns the vector of the first item too."""
    import torch

    best = peak(task.way)
    backbone = network()
    x = torch.randn(task.batch, 1, *task.space, generator=torch.Generator().manual_seed(0))
    work = task.batch * tera_flop(backbone, task.space)
    with torch.inference_mode():
        began = time.perf_counter()
        forward = forward_of(task.way, backbone)
        # A compiled network is compiled for one number of items.
        forward(x if task.way.endswith("compiled") else x[:1])
        first = time.perf_counter() - began
        began, processor = time.perf_counter(), time.process_time()
        vectors = forward(x).numpy()
        seconds, core_seconds = time.perf_counter() - began, time.process_time() - processor
    if task.device == "cuda":
        memory = torch.cuda.max_memory_allocated() / 1e9
    else:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    best = max(best, peak(task.way))
    return Timing(task, seconds, core_seconds, first, work, best, memory), vectors[0]


def nano_vectors(way: str, paths: Sequence[Path]) -> list[NDArray[np.float32]]:
    """flexict-nano's vectors of the whole volume and of the middle slice of each file."""
    from embeddings.imaging.images import read_image
    from flexict import load_encoder
    from flexict.presets.presets import axial_slice, default

    library, precision = way.split("-")[:2]
    device, backend = ("cuda", "torch") if library == "cuda" else ("cpu", library)
    encoder = load_encoder("flexict-nano", device=device, precision=precision, backend=backend)
    vectors = []
    for path in paths:
        volume = read_image(path)
        crops = (default(volume), axial_slice(volume, volume.shape[0] // 2))
        vectors += [encoder.encode(crop.voxels()[None, None])[0] for crop in crops]
    return vectors


@contextmanager
def own_process() -> Iterator[ProcessPoolExecutor]:
    """A fresh process: none inherits another's memory or threads."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        yield process


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    import torch

    facts = {"processor": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}
    if find_spec("openvino"):
        import openvino

        facts |= {"processor": openvino.Core().get_property("CPU", "FULL_DEVICE_NAME"), "openvino": version("openvino")}
    facts |= {"torch": torch.__version__, "python": platform.python_version()}
    return facts | ({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {})


def table(rounds: Sequence[dict[Task, Timing]], vectors: dict[Task, NDArray[np.float32]]) -> list[dict[str, Any]]:
    """Print a row a task, each compared with the baseline of its own round."""
    heads = ("way", "input", "batch", "ms", "x baseline", "per core", "TFLOP/s", "of peak", "first, s", "GB", "cosine")
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    rows = []
    for task in rounds[0]:
        timings = [one[task] for one in rounds]
        middle = sorted(timings, key=lambda timing: timing.seconds)[len(timings) // 2]
        same = (task.device, task.precision)
        top = max(t.peak for one in rounds for t in one.values() if (t.task.device, t.task.precision) == same)
        share = middle.rate / top
        base = Task(BASELINE, task.space, task.batch)
        ratio = per_core = cosine = None
        if base in vectors:
            ratio = statistics.median(one[task].seconds / one[base].seconds for one in rounds)
            if task.device == "cpu":
                per_core = statistics.median(one[task].core_seconds / one[base].core_seconds for one in rounds)
            cosine = _cosine(vectors[task], vectors[base])
        size = "x".join(map(str, task.space))
        ratios = ["" if one is None else f"{one:.2f}" for one in (ratio, per_core)]
        cells = [task.way, size, str(task.batch), f"{1e3 * middle.seconds:.0f}", *ratios]
        cells += [f"{middle.rate / 1e12:.3f}", f"{share:.0%}", f"{middle.first_seconds:.1f}", f"{middle.gigabytes:.2f}"]
        print("| " + " | ".join([*cells, "" if cosine is None else f"{cosine:.6f}"]) + " |")
        rows.append(
            asdict(middle)
            | {"times_baseline": ratio, "times_baseline_per_core": per_core, "share_of_peak": share, "cosine": cosine}
            | {"seconds_of_rounds": [timing.seconds for timing in timings]}
        )
    return rows


def real_ct(ways: Sequence[str], paths: Sequence[Path]) -> dict[str, float]:
    """Print the smallest cosine of each way's vectors of real CTs with the baseline's."""
    vectors = {}
    for way in dict.fromkeys([BASELINE, *(way for way in ways if not way.endswith("compiled"))]):
        with own_process() as process:
            vectors[way] = process.submit(nano_vectors, way, paths).result()
    least = {
        way: min(_cosine(a, b) for a, b in zip(found, vectors[BASELINE], strict=True)) for way, found in vectors.items()
    }
    print(f"\nflexict-nano on {len(paths)} CTs, whole and middle slice: smallest cosine with {BASELINE}")
    for way, cosine in least.items():
        print(f"  {way:20s} {cosine:.6f}")
    return least


def main() -> None:
    """Print the tables, and write them as JSON."""
    with own_process() as process:
        facts = process.submit(machine).result()
    here = [way for way in CPU_WAYS if "openvino" in facts or not way.startswith("openvino")]
    here += CUDA_WAYS if "gpu" in facts else ()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=_space, nargs="+", default=[(512, 512), (160, 160, 160)])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--ways", nargs="+", choices=here, default=here)
    parser.add_argument("--rounds", type=int, default=1, help="every way is timed so often; the median counts")
    parser.add_argument("--ct", type=Path, nargs="+", default=[], help="CT files for flexict-nano")
    parser.add_argument("--out", type=Path, help="also write the figures here")
    options = parser.parse_args()
    print(", ".join(f"{name} {value}" for name, value in facts.items()), flush=True)
    tasks = [Task(way, space, n) for space in options.sizes for n in options.batches for way in options.ways]
    rounds: list[dict[Task, Timing]] = []
    vectors: dict[Task, NDArray[np.float32]] = {}
    for _ in range(options.rounds):
        rounds.append({})
        for task in tasks:
            with own_process() as process:
                rounds[-1][task], vectors[task] = process.submit(timed, task).result()
    result: dict[str, Any] = {"machine": facts, "rows": table(rounds, vectors)}
    if options.ct:
        result["smallest_cosine_on_ct"] = real_ct(options.ways, options.ct)
    if options.out:
        options.out.write_text(json.dumps(result, indent=1))


def _space(text: str) -> tuple[int, ...]:
    edges = tuple(int(edge) for edge in text.split("x"))
    if len(edges) not in (2, 3):
        raise argparse.ArgumentTypeError(f"{text} is neither HxW nor DxHxW")
    return edges


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(a.astype(float) @ b.astype(float) / np.linalg.norm(a) / np.linalg.norm(b))


if __name__ == "__main__":
    main()
