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
from flexict.errors import FlexiCTError
from flexict.hub.checkpoints import load_into, read_tensors
from flexict.pretrain import __main__ as command
from flexict.pretrain import loop, run
from flexict.pretrain.crops import CropPlan, multi_crop
from flexict.pretrain.distil import Distiller, draw_batch
from flexict.pretrain.run import run_stage
from flexict.pretrain.scans import Scans, load_scans
from flexict.pretrain.stages import Stage, read_stage

SHAPE = {"embed_dim": 72, "depth": 1, "num_heads": 1}
SLICES, VOLUMES = "nano-1-slices.safetensors", "nano-3-volumes.safetensors"


def stage(n_axes: int, **changes: object) -> Stage:
    base = read_stage(command.STAGES[2 if n_axes == 3 else 0])
    small = {
        "steps": 4,
        "batch_size": 2,
        "global_edge": 16,
        "local_edge": 8,
        "n_local": 1,
        "n_prototypes": 16,
        "coarse_share": 0.0,
    }
    return replace(base, **{**small, "slice_global_edge": 16, "slice_local_edge": 8, **changes})


@pytest.fixture(scope="module")
def scans() -> Scans:
    generator = torch.Generator().manual_seed(0)
    return Scans([torch.randn(20, 24, 24, generator=generator).half() for _ in range(4)], [])


def weights(path: Path) -> dict[str, torch.Tensor]:
    return read_tensors(path)


def test_a_stopped_run_goes_on_to_the_same_weights_and_curve(
    scans: Scans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = stage(2)
    run_stage(plan, scans, SHAPE, tmp_path / "whole")
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    steps = []
    original = run._step

    def interrupted(*arguments: object) -> list[float]:
        steps.append(arguments[4])
        if len(steps) == 3:
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_stage(plan, scans, SHAPE, tmp_path / "stopped")
    run_stage(plan, scans, SHAPE, tmp_path / "stopped")
    assert steps == [0, 1, 2, 2, 3]
    for name, tensor in weights(tmp_path / "whole" / SLICES).items():
        assert torch.equal(tensor, weights(tmp_path / "stopped" / SLICES)[name]), name
    curve = SLICES.replace(".safetensors", ".loss.csv")
    losses = [[row[:5] for row in csv.reader((tmp_path / one / curve).open())] for one in ("whole", "stopped")]
    assert losses[0] == losses[1]


def test_a_checkpoint_of_other_settings_is_not_overwritten(scans: Scans, tmp_path: Path) -> None:
    run_stage(stage(2), scans, SHAPE, tmp_path)
    with pytest.raises(FlexiCTError, match="other settings"):
        run_stage(stage(2, batch_size=3), scans, SHAPE, tmp_path)


def test_the_3d_stage_starts_from_the_inflated_2d_kernel_and_the_heads_of_the_stage_before(
    scans: Scans, tmp_path: Path
) -> None:
    first = run_stage(stage(2), scans, SHAPE, tmp_path)
    run_stage(stage(3, steps=1, learning_rate=0.0), scans, SHAPE, tmp_path, init=first)
    flat = weights(tmp_path / SLICES)["patch_embed_2D.proj.weight"].float()
    for file in (SLICES, VOLUMES):
        deep = weights(tmp_path / file)["patch_embed_3D.proj.weight"].float()
        assert torch.allclose(deep, flat[:, :, None].expand_as(deep) / 8, atol=1e-3)
    before, after = (
        torch.load(tmp_path / f.replace(".safetensors", ".checkpoint.pt"), weights_only=True)["model"]
        for f in (SLICES, VOLUMES)
    )
    head = "teacher.class_head.prototypes"
    assert torch.allclose(before[head], after[head], atol=1e-3)


def test_the_gram_loss_pulls_patches_back_to_the_start_of_the_stage(scans: Scans, tmp_path: Path) -> None:
    plan = stage(2, gram_weight=1.0)
    torch.manual_seed(0)
    model = Distiller(SHAPE, plan)
    model.drop_anchor()
    batch = draw_batch(scans, plan, 0, seed=0)
    assert model.losses(batch)["gram"] < 1e-10
    student = model.backbones()[0]
    with torch.no_grad():
        student.patch_embed_2D.proj.weight.add_(0.05 * torch.randn_like(student.patch_embed_2D.proj.weight))
    optimiser = torch.optim.SGD(student.parameters(), lr=1.0)
    drift = []
    for _ in range(30):
        loss = model.losses(batch)["gram"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        drift.append(loss.item())
    assert drift[0] > 1e-4
    assert drift[-1] < 0.7 * drift[0]
    assert not any("anchor" in name for name in model.state_dict())


def test_a_run_with_gram_writes_its_curve(scans: Scans, tmp_path: Path) -> None:
    first = run_stage(stage(2), scans, SHAPE, tmp_path)
    run_stage(stage(2, name="gram", gram_weight=1.0), scans, SHAPE, tmp_path, init=first)
    with (tmp_path / "gram.loss.csv").open() as stream:
        curve = [float(row["gram"]) for row in csv.DictReader(stream)]
    assert curve[0] < 1e-3
    assert max(curve) > 0


def test_a_stage_without_gram_has_no_anchor(scans: Scans, tmp_path: Path) -> None:
    run_stage(stage(2, steps=2), scans, SHAPE, tmp_path)
    with (tmp_path / SLICES.replace(".safetensors", ".loss.csv")).open() as stream:
        assert {row["gram"] for row in csv.DictReader(stream)} == {"0.00000"}


def test_coarse_steps_cut_crops_of_twice_the_edge_into_patches_of_16(scans: Scans) -> None:
    fine, coarse = (draw_batch(scans, stage(2, coarse_share=share), 0, seed=0) for share in (0.0, 1.0))
    assert (fine.patch, coarse.patch) == (8, 16)
    assert [one.shape[-1] for one in (fine.crops[0], coarse.crops[0])] == [16, 32]
    assert fine.masks.shape == coarse.masks.shape


def test_larger_scans_are_drawn_more_often() -> None:
    small, large = torch.zeros(4, 4, 4), torch.zeros(4, 4, 36)
    scans = Scans([small, large], [])
    generator = torch.Generator().manual_seed(0)
    drawn = [scans.draw(generator, 0.0).numel() for _ in range(400)]
    assert np.mean([n == large.numel() for n in drawn]) == pytest.approx(0.9, abs=0.06)


def test_training_lowers_the_loss_on_its_own_batch(scans: Scans, tmp_path: Path) -> None:
    plan = stage(2, steps=60, batch_size=4, learning_rate=3e-3)
    run_stage(plan, scans, SHAPE, tmp_path)
    with (tmp_path / SLICES.replace(".safetensors", ".loss.csv")).open() as stream:
        patch = [float(row["ibot"]) for row in csv.DictReader(stream)]
    assert np.mean(patch[-10:]) < np.mean(patch[:10])


def test_a_step_draws_the_same_batch_whenever_it_is_drawn(scans: Scans) -> None:
    first, again, other = (draw_batch(scans, stage(3), step, seed=1) for step in (7, 7, 8))
    assert torch.equal(first.crops[0], again.crops[0])
    assert torch.equal(first.masks, again.masks)
    assert first.crops[0].shape != other.crops[0].shape or not torch.equal(first.crops[0], other.crops[0])


@pytest.mark.parametrize("n_axes", [2, 3])
def test_crops_have_the_shapes_asked_for(n_axes: int) -> None:
    scan = torch.randn(10, 40, 30).half()
    generator = torch.Generator().manual_seed(0)
    large, small = multi_crop(scan, [CropPlan(16, (0.4, 1.0), 2), CropPlan(8, (0.2, 0.4), 3)], n_axes, generator)
    assert [tuple(c.shape) for c in large] == [(1,) + (16,) * n_axes] * 2
    assert [tuple(c.shape) for c in small] == [(1,) + (8,) * n_axes] * 3
    assert all(torch.isfinite(c).all() for c in [*large, *small])


def test_masks_are_left_out_of_the_training_scans(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for depth, name in ((6, "a_ct.nii.gz"), (7, "a_gtv.nii.gz"), (5, "b_seg.nii.gz")):
        image = sitk.GetImageFromArray(rng.integers(-1000, 400, (depth, 8, 9)).astype(np.int16))
        sitk.WriteImage(image, str(tmp_path / name))
    found = load_scans([tmp_path], n_phantoms=0, seed=0)
    assert [scan.shape for scan in found.real] == [(6, 8, 9)]


def test_a_scan_comes_in_lps_order_and_a_cut_one_is_refused(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(-1000, 400, (6, 8, 9)).astype(np.int16)
    image = sitk.GetImageFromArray(array)
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    path = tmp_path / "a.nii.gz"
    sitk.WriteImage(image, str(path))
    found = load_scans([tmp_path], n_phantoms=0, seed=0).real[0].float().numpy()
    assert np.corrcoef(found.ravel(), array[:, ::-1, ::-1].ravel())[0, 1] > 0.999
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FlexiCTError, match=r"a\.nii\.gz cannot be read"):
        load_scans([tmp_path], n_phantoms=0, seed=0)


def test_the_command_runs_the_stages_and_installs_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = sitk.GetImageFromArray(np.random.default_rng(0).integers(-1000, 400, (24, 24, 24)).astype(np.int16))
    sitk.WriteImage(image, str(tmp_path / "a_ct.nii.gz"))

    def tiny(path: Path) -> Stage:
        found = read_stage(path)
        return stage(found.n_axes, name=found.name, steps=2, gram_weight=found.gram_weight)

    monkeypatch.setattr(command, "read_stage", tiny)
    monkeypatch.setattr(command, "NANO_SHAPE", SHAPE)
    target = tmp_path / "weights"
    words = ["--data", str(tmp_path), "--phantoms", "0", "--out", str(tmp_path / "run"), "--install", str(target)]
    assert command.main([*words, "--device", "cpu", "--no-reports"]) == 0
    load_into(FlexiCTBackbone(**SHAPE), read_tensors(target / "flexict-nano.safetensors"), "nano")
    assert not (target / "flexict-nano-vlm.safetensors").exists()
    assert len(list((tmp_path / "run").glob("*.loss.csv"))) == 3


def test_missing_training_data_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", str(tmp_path), "--phantoms", "0", "--out", str(tmp_path / "run"), "--device", "cpu"]
    assert command.main(words) == 2
    assert "nothing to train on" in capsys.readouterr().err


def test_an_unknown_setting_in_a_stage_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "stage.toml"
    path.write_text(command.STAGES[0].read_text(encoding="utf-8") + "\nlearning_rat = 1\n")
    with pytest.raises(FlexiCTError, match="learning_rat"):
        read_stage(path)
