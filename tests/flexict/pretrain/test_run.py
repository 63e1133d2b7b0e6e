"""The recipe: it learns, it can be stopped and resumed, and it ends in an encoder that loads."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from flexict import FlexiCTBackbone
from flexict.checkpoints import load_into, read_tensors
from flexict.pretrain import __main__ as command
from flexict.pretrain import run as run_module
from flexict.pretrain.crops import CropPlan, multi_crop
from flexict.pretrain.distil import draw_batch
from flexict.pretrain.run import run_stage
from flexict.pretrain.scans import Scans, load_scans
from flexict.pretrain.stage import Stage, read_stage

SHAPE = {"embed_dim": 72, "depth": 1, "num_heads": 1}


def stage(n_axes: int, **changes: object) -> Stage:
    base = read_stage(command.STAGES[n_axes - 2])
    small = {"steps": 4, "batch_size": 2, "global_edge": 16, "local_edge": 8, "n_local": 1, "n_prototypes": 16}
    return replace(base, **{**small, "slice_global_edge": 16, "slice_local_edge": 8, **changes})


@pytest.fixture(scope="module")
def scans() -> Scans:
    generator = torch.Generator().manual_seed(0)
    return Scans([torch.randn(20, 24, 24, generator=generator).half() for _ in range(4)], [], [])


def weights(path: Path) -> dict[str, torch.Tensor]:
    return read_tensors(path)


def test_a_stopped_run_goes_on_to_the_same_weights_and_curve(
    scans: Scans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = stage(2)
    whole = run_stage(plan, scans, SHAPE, tmp_path / "whole")
    monkeypatch.setattr(run_module, "SAVE_EVERY_S", 0.0)
    steps = []
    original = run_module._step

    def interrupted(*arguments: object) -> list[float]:
        steps.append(arguments[4])
        if len(steps) == 3:
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(run_module, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_stage(plan, scans, SHAPE, tmp_path / "stopped")
    resumed = run_stage(plan, scans, SHAPE, tmp_path / "stopped")
    assert steps == [0, 1, 2, 2, 3]
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(resumed)[name]), name
    losses = [
        [row[:4] for row in csv.reader((tmp_path / run / "nano-2d.loss.csv").open())] for run in ("whole", "stopped")
    ]
    assert losses[0] == losses[1]


def test_a_checkpoint_of_other_settings_is_not_overwritten(scans: Scans, tmp_path: Path) -> None:
    run_stage(stage(2), scans, SHAPE, tmp_path)
    with pytest.raises(ValueError, match="other settings"):
        run_stage(stage(2, batch_size=3), scans, SHAPE, tmp_path)


def test_the_3d_stage_starts_from_the_inflated_2d_kernel(scans: Scans, tmp_path: Path) -> None:
    first = run_stage(stage(2), scans, SHAPE, tmp_path)
    second = run_stage(stage(3, steps=1, learning_rate=0.0), scans, SHAPE, tmp_path, init=first)
    flat = weights(first)["patch_embed_2D.proj.weight"].float()
    deep = weights(second)["patch_embed_3D.proj.weight"].float()
    assert torch.allclose(deep, flat[:, :, None].expand_as(deep) / 8, atol=1e-3)


def test_training_lowers_the_loss_on_its_own_batch(scans: Scans, tmp_path: Path) -> None:
    plan = stage(2, steps=60, batch_size=4, learning_rate=3e-3)
    run_stage(plan, scans, SHAPE, tmp_path)
    with (tmp_path / "nano-2d.loss.csv").open() as stream:
        patch = [float(row["ibot"]) for row in csv.DictReader(stream)]
    assert np.mean(patch[-10:]) < np.mean(patch[:10])


def test_a_step_draws_the_same_batch_whenever_it_is_drawn(scans: Scans) -> None:
    first, _, masks = draw_batch(scans, stage(3), 7, seed=1)
    again, _, same = draw_batch(scans, stage(3), 7, seed=1)
    other, _, _ = draw_batch(scans, stage(3), 8, seed=1)
    assert torch.equal(first[0], again[0])
    assert torch.equal(masks, same)
    assert first[0].shape != other[0].shape or not torch.equal(first[0], other[0])


@pytest.mark.parametrize("n_axes", [2, 3])
def test_crops_have_the_shapes_asked_for(n_axes: int) -> None:
    scan = torch.randn(10, 40, 30).half()
    generator = torch.Generator().manual_seed(0)
    large, small = multi_crop(scan, [CropPlan(16, (0.4, 1.0), 2), CropPlan(8, (0.2, 0.4), 3)], n_axes, generator)
    assert [tuple(c.shape) for c in large] == [(1,) + (16,) * n_axes] * 2
    assert [tuple(c.shape) for c in small] == [(1,) + (8,) * n_axes] * 3
    assert all(torch.isfinite(c).all() for c in [*large, *small])


def test_masks_are_left_out_of_the_training_scans(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(np.random.default_rng(0).integers(-1000, 400, (6, 8, 9)).astype(np.int16))
    for name in ("a_ct.nii.gz", "a_gtv.nii.gz", "b_seg.nii.gz"):
        sitk.WriteImage(image, str(tmp_path / name))
    found = load_scans([tmp_path], n_phantoms=0, seed=0)
    assert found.real_names == ["a_ct.nii.gz"]
    assert found.real[0].shape == (6, 8, 9)


def test_a_scan_comes_in_lps_order_and_a_cut_one_is_refused(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(-1000, 400, (6, 8, 9)).astype(np.int16)
    image = sitk.GetImageFromArray(array)
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    path = tmp_path / "a.nii.gz"
    sitk.WriteImage(image, str(path))
    found = load_scans([tmp_path], n_phantoms=0, seed=0).real[0].float().numpy()
    assert np.corrcoef(found.ravel(), array[:, ::-1, ::-1].ravel())[0, 1] > 0.999
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"a\.nii\.gz cannot be read"):
        load_scans([tmp_path], n_phantoms=0, seed=0)


def test_the_command_runs_both_stages_and_installs_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = sitk.GetImageFromArray(np.random.default_rng(0).integers(-1000, 400, (24, 24, 24)).astype(np.int16))
    sitk.WriteImage(image, str(tmp_path / "a_ct.nii.gz"))
    monkeypatch.setattr(command, "read_stage", lambda path: stage(3 if "3d" in path.name else 2, steps=2))
    monkeypatch.setattr(command, "NANO_SHAPE", SHAPE)
    target = tmp_path / "nano.safetensors"
    words = ["--data", str(tmp_path), "--phantoms", "0", "--out", str(tmp_path / "run"), "--install", str(target)]
    assert command.main([*words, "--device", "cpu"]) == 0
    load_into(FlexiCTBackbone(**SHAPE), read_tensors(target), "nano")


def test_nothing_to_train_on_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", str(tmp_path), "--phantoms", "0", "--out", str(tmp_path / "run"), "--device", "cpu"]
    assert command.main(words) == 2
    assert "nothing to train on" in capsys.readouterr().err


def test_an_unknown_setting_in_a_stage_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "stage.toml"
    path.write_text(command.STAGES[0].read_text() + "\nlearning_rat = 1\n")
    with pytest.raises(ValueError, match="learning_rat"):
        read_stage(path)
