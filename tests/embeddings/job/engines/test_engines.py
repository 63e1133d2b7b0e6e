"""Which devices and workers a run takes, and what a worker leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from embeddings.__main__ import main
from embeddings.job.engines import choice
from embeddings.job.engines.choice import choose_engine
from embeddings.job.engines.local_engine import LocalEngine, cores
from embeddings.job.preparation.prepare import Preparation
from embeddings.job.settings import JobSettings
from flexict.errors import FlexiCTError
from flexict.hub.devices import devices_of

MakeCohort = Callable[..., Path]


def test_auto_and_cuda_mean_every_gpu_that_is_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices_of("cpu") == ["cpu"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert devices_of("auto") == devices_of("cuda") == ["cuda:0", "cuda:1", "cuda:2"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_auto_is_the_cpu_and_cuda_is_refused() -> None:
    assert devices_of("auto") == ["cpu"]
    with pytest.raises(FlexiCTError, match="torch finds none here"):
        devices_of("cpu,cuda:1")


def test_every_gpu_gets_an_encoder_and_full_batches(monkeypatch: pytest.MonkeyPatch, make_encoder: Any) -> None:
    monkeypatch.setattr(choice, "devices_of", lambda device: ["cuda:0", "cuda:1"])
    monkeypatch.setattr(choice, "open_encoder", lambda name, weights, device, **options: make_encoder(device=device))
    chosen = choose_engine(JobSettings(views=("volume",)), Preparation())
    assert isinstance(chosen.engine, LocalEngine)
    assert [encoder.device for encoder in chosen.engine.encoders] == ["cuda:0", "cuda:1"]
    assert chosen.engine.batch_size == 8
    assert chosen.settings["device"] == "cuda:0,cuda:1"
    slices = choose_engine(JobSettings(views=("slices",)), Preparation()).engine
    assert isinstance(slices, LocalEngine)
    assert slices.batch_size == 32


def test_on_a_cpu_every_core_encodes_one_item_at_a_time(make_encoder: Any) -> None:
    engine = choose_engine(JobSettings(encoder=make_encoder(), views=("volume",)), Preparation()).engine
    assert isinstance(engine, LocalEngine)
    assert (engine.batch_size, engine.readers, len(engine.encoders)) == (1, cores(), cores())


def test_a_run_leaves_the_number_of_threads_as_it_was(make_cohort: MakeCohort, make_encoder: Any) -> None:
    from embeddings import job

    before = torch.get_num_threads()
    csv = make_cohort(2)
    job.run(csv, csv.parent / "out.duckdb", encoder=make_encoder(), view="volume")
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("shard", ["1", "a/2", "1/2/3", "-1/2"])
def test_a_shard_that_is_none_is_refused(
    make_cohort: MakeCohort, capsys: pytest.CaptureFixture[str], shard: str
) -> None:
    csv = make_cohort(1)
    words = ["embed", str(csv), "--db", str(csv.parent / "x.duckdb"), "--view", "volume", f"--shard={shard}"]
    assert main(words) == 2
    assert "--shard takes I/N" in capsys.readouterr().err


def test_keeping_large_blocks_is_asked_of_glibc_alone() -> None:
    script = "from embeddings.job.engines.allocation import keep_large_blocks; print(keep_large_blocks())"
    root = str(Path(__file__).resolve().parents[4])
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONPATH": root},
        check=True,
    )
    assert done.stdout.strip() == str(sys.platform == "linux" and "glibc" in os.confstr("CS_GNU_LIBC_VERSION"))
