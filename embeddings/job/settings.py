"""The settings of a job, declared once: the fields of `JobSettings` are the options of `python -m embeddings embed`.

This module imports no torch: `--help` need not wait the seconds that takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from embeddings.imaging.masks.mask_labels import normal_label
from embeddings.job.planning.views import ENGINES, VIEWS, Encoder
from embeddings.options import option
from flexict.errors import FlexiCTError
from flexict.kinds import BACKENDS, PRECISIONS, TOKEN_KINDS, VLM


def parse_label(text: str) -> str | None:
    """The label of `--mask-label` as a column of the CSV would give it; None where it is empty."""
    return normal_label(text) if text.strip() else None


def parse_roles(pairs: Sequence[str]) -> Mapping[str, str | None]:
    """`ROLE=COLUMN` pairs as a mapping; nothing after the sign means that the role has no column.

    Raises:
        FlexiCTError: a pair without an equals sign.
    """
    for pair in pairs:
        if "=" not in pair:
            raise FlexiCTError(f"--map takes ROLE=COLUMN, such as patient_id=Subject, not {pair!r}")
    return {role: column or None for role, _, column in (pair.partition("=") for pair in pairs)}


def parse_shard(text: str) -> tuple[int, int]:
    """`I/N` as two numbers.

    Raises:
        FlexiCTError: anything else.
    """
    number, slash, count = text.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal()):
        raise FlexiCTError(f"--shard takes I/N, such as 1/4, not {text!r}")
    return int(number), int(count)


def parse_patch(text: str) -> int | tuple[int, ...]:
    """`N` as a number, `N,N` or `N,N,N` as several.

    Raises:
        FlexiCTError: anything else.
    """
    edges = text.split(",")
    if not 1 <= len(edges) <= 3 or not all(edge.strip().isdecimal() and int(edge) for edge in edges):
        raise FlexiCTError(f"--patch takes one edge or one per axis, such as 16 or 8,16,16, not {text!r}")
    return int(text) if len(edges) == 1 else tuple(int(edge) for edge in edges)


@dataclass(frozen=True, kw_only=True)
class CsvSettings:
    """How the CSV of a cohort is read; see `embeddings.cohort.read.read_cohort`."""

    data_root: Path | None = option("folder that contains every image", None, metavar="DIR")
    mask_label: str | None = option(
        "number or name of the lesion in masks of several labels or ROIs", None, parse=parse_label, metavar="LABEL"
    )
    mapping: Mapping[str, str | None] | None = option(
        "which column is case_id, patient_id, image_path, mask_path, mask_label, seed_x, seed_y, seed_z or stage",
        None,
        flag="--map",
        parse=parse_roles,
        action="append",
        metavar="ROLE=COLUMN",
    )


@dataclass(frozen=True, kw_only=True)
class JobSettings(CsvSettings):
    """What a job is asked to do; the text of each option describes its field.

    In Python, `encoder` may also be an encoder that is loaded already: `weights`, `pooling`, `patch`, `precision` and
    `backend` (see `flexict.load_encoder`) then have no effect. `scale` and `seed_side_mm` may be one number or several,
    and `shard` is (i, n), counted from 1.
    """

    encoder: str | Encoder = option("flexict-nano (default); `doctor` lists all of them", "flexict-nano")
    views: Sequence[str] = option(
        "one or several; each scan is read once for all of them",
        flag="--view",
        parse=tuple,
        nargs="+",
        choices=list(VIEWS),
    )
    weights: Path | str | None = option("file, folder or hub name of the weights", None)
    device: str = option("auto (default: every GPU, else the CPU), cpu, cuda, or several: cuda:0,cuda:1", "auto")
    batch_size: int | None = option("items encoded at once (default: depends on device and view)", None, metavar="N")
    workers: int | None = option(
        "threads that read and preprocess, and on a CPU as many that encode (default: one per core)", None, metavar="N"
    )
    pooling: str | None = option("kind of vector: " + ", ".join((VLM, *TOKEN_KINDS)), None, metavar="KIND")
    patch: int | tuple[int, ...] | None = option(
        "run-time patch edge, or edges of (d, h, w) or (h, w)", None, parse=parse_patch, metavar="N[,N,N]"
    )
    precision: str = option("float32 (default), or bfloat16, which is faster", "float32", choices=PRECISIONS)
    backend: str = option("on a CPU; auto (default) uses OpenVINO if it is installed", "auto", choices=BACKENDS)
    preset: str | None = option(
        "preprocessing (default: the encoder's; lesions by mask if any case has one, else by seed)",
        None,
        choices=[preset for presets in VIEWS.values() for preset in presets],
    )
    scale: float | Sequence[float] = option(
        "side of a lesion_mask crop in lesion sizes (1.5); several, such as 1.5 2.0, make linked sets", 1.5, nargs="+"
    )
    seed_side_mm: float | Sequence[float] = option(
        "side of a lesion_seed crop (64); several make linked sets", 64.0, flag="--seed-side", nargs="+", metavar="MM"
    )
    slice_step: int = option("embed every N-th axial slice (1)", 1, metavar="N")
    cache: Path | None = option(
        "keep prepared input here, so that other encoders need not read the scans", None, metavar="DIR"
    )
    retry_failed: bool = option("try failed scans again even if their files have not changed", False)
    limit: int | None = option("embed at most N cases", None, metavar="N")
    shard: tuple[int, int] | None = option(
        "embed the I-th of N parts of the cohort", None, parse=parse_shard, metavar="I/N"
    )
    engine: str = option("local (default), or ray for a cluster", "local", choices=ENGINES)
    address: str | None = option("Ray cluster (default: start one on this machine)", None, metavar="HOST:PORT")
    thumbnails: bool = option("do not store thumbnails of the items", True, flag="--no-thumbnails")
