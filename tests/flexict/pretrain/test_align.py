"""The stage on reports: its losses, that it learns and resumes, and that what it writes loads as a published file."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from flexict import load_encoder
from flexict.errors import FlexiCTError
from flexict.hub import registry as registry_module
from flexict.model.backbone import FlexiCTBackbone
from flexict.pretrain import align, loop
from flexict.pretrain.__main__ import REPORTS
from flexict.pretrain.align import contrast, opposite, run_align_stage
from flexict.pretrain.align_batches import draw_align_batch, kept_patches, varied_volumes
from flexict.pretrain.loop import save_tensors
from flexict.pretrain.phantom_views import VIEWS, PhantomViews, simulate
from flexict.pretrain.stages import AlignStage, read_align_stage
from flexict.text.text_tower import load_text_tower

SHAPE = {"embed_dim": 72, "depth": 1, "num_heads": 1}


def stage(**changes: object) -> AlignStage:
    small = {"locked_steps": 2, "locked_batch_size": 5, "steps": 4, "batch_size": 4, "n_phantoms": 6, "first_seed": 0}
    small["keep_share"] = 0.1
    return replace(read_align_stage(REPORTS), **{**small, **changes})


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with six simulated patients."""
    folder = tmp_path_factory.mktemp("phantoms")
    simulate(range(6), folder, workers=1)
    return folder


@pytest.fixture
def run_folder(simulated: Path, tmp_path: Path) -> Path:
    out = tmp_path / "run"
    out.mkdir()
    for path in simulated.iterdir():
        (out / path.name).symlink_to(path)
    return out


def unit(*rows: list[float]) -> torch.Tensor:
    return F.normalize(torch.tensor(rows), dim=1)


def test_contrast_is_the_symmetric_cross_entropy() -> None:
    images, texts = unit([1.0, 0.0], [0.0, 1.0]), unit([1.0, 0.0], [1.0, 1.0])
    logits = 3.0 * images @ texts.T
    rows = torch.arange(2)
    wanted = (F.cross_entropy(logits, rows) + F.cross_entropy(logits.T, rows)) / 2
    assert contrast(images, texts, torch.tensor(3.0)).item() == pytest.approx(wanted.item())
    assert contrast(images, images, torch.tensor(50.0)) < 1e-6


def test_opposite_is_the_cross_entropy_of_the_true_sentence() -> None:
    image, right, wrong = unit([1.0, 0.0]), unit([1.0, 1.0]), unit([0.0, 1.0])
    logits = 2.0 * torch.stack([(image * right).sum(1), (image * wrong).sum(1)], dim=1)
    wanted = F.cross_entropy(logits, torch.zeros(1, dtype=torch.long))
    assert opposite(image, right, wrong, torch.tensor(2.0)).item() == pytest.approx(wanted.item())
    assert opposite(image, right, right, torch.tensor(2.0)).item() == pytest.approx(np.log(2))


def test_images_start_apart_in_the_joint_space(simulated: Path) -> None:
    from transformers import Qwen3Config

    torch.manual_seed(0)
    data = simulate(range(6), simulated, workers=1)
    model = align.Aligner(SHAPE, Qwen3Config(vocab_size=8, hidden_size=16, intermediate_size=8, num_hidden_layers=1))
    with torch.no_grad():
        pooled = align.pooled_vectors(model, data, "cpu")["volume"]
        before = model.joint(pooled)
        align.spread_images(model, pooled)
        after = model.joint(pooled)
    apart = [1 - (vectors @ vectors.T)[~torch.eye(6, dtype=torch.bool)].mean().item() for vectors in (before, after)]
    assert apart[0] < 0.2
    assert apart[1] > 0.6


def test_simulated_patients_are_made_once_and_kept(simulated: Path) -> None:
    (path,) = simulated.glob("*.safetensors")
    before = path.stat().st_mtime_ns
    data = simulate(range(6), simulated, workers=1)
    assert path.stat().st_mtime_ns == before
    assert [truth["seed"] for truth in data.truths] == list(range(6))
    assert {view: tuple(x.shape) for view, x in data.inputs.items()} == dict.fromkeys(VIEWS, (6, 80, 80, 80))


def test_a_batch_is_the_same_whenever_it_is_drawn_and_true_sentences_come_first(simulated: Path) -> None:
    data = simulate(range(6), simulated, workers=1)
    first, again, other = (draw_align_batch(data, stage(), 4, step, 0) for step in (3, 3, 4))
    assert torch.equal(varied_volumes(data, first), varied_volumes(data, again))
    assert first.reports == again.reports
    assert first.reports != other.reports
    keep = kept_patches(1000, 0.1, first.rng)
    assert len(keep) == 100
    assert all(torch.diff(keep) > 0)
    assert len(draw_align_batch(data, stage(), 99, 0, 0).rows) == 6
    seen = set()
    for step in range(40):
        batch = draw_align_batch(data, stage(lesion_share=0.0), 4, step, 0)
        for report, right, wrong in zip(batch.reports, batch.right, batch.wrong, strict=True):
            assert {right.startswith("No "), wrong.startswith("No ")} == {True, False}
            seen.add(right.startswith("No "))
            if right == "pleural effusion ." and "effusion" in report.lower():
                assert "no effusion" not in report.lower()
    assert seen == {True, False}


def test_looking_at_some_patches_alone_equals_a_network_that_sees_no_others() -> None:
    torch.manual_seed(0)
    backbone = FlexiCTBackbone(embed_dim=72, depth=2, num_heads=1, layer_scale=0.5).eval()
    x = torch.randn(1, 1, 24, 24, 24)
    with torch.no_grad():
        whole = backbone(x)
        all_kept = backbone(x, keep=torch.arange(27))
        some = backbone(x, keep=torch.tensor([0, 5, 26]))
    assert torch.allclose(whole.patches, all_kept.patches, atol=1e-6)
    assert some.patches.shape == (1, 3, 72)
    assert not torch.allclose(some.cls, whole.cls, atol=1e-4)
    # Patches keep the place that they had: the last one alone turns as position 26 of 27.
    with torch.no_grad():
        other = backbone(x.flip(2), keep=torch.tensor([0, 5, 26]))
    assert not torch.allclose(some.patches, other.patches, atol=1e-4)


def test_a_stopped_run_goes_on_to_the_same_weights(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = load_file(run_align_stage(stage(), SHAPE, run_folder, init=None))
    for checkpoint in run_folder.glob("*.checkpoint.pt"):
        checkpoint.unlink()
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    original, calls = align.draw_align_batch, []

    def interrupted(*arguments):
        calls.append(arguments[3])
        if len(calls) in (2, 5):
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(align, "draw_align_batch", interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run_align_stage(stage(), SHAPE, run_folder, init=None)
    found = load_file(run_align_stage(stage(), SHAPE, run_folder, init=None))
    assert calls == [0, 1, 1, 2, 3, 3, 4, 5]
    for name, tensor in wanted.items():
        assert torch.equal(tensor, found[name]), name


def test_it_learns_to_tell_its_own_patients_apart_and_loads_with_published_names(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    init = tmp_path / "backbone.safetensors"
    save_tensors(FlexiCTBackbone(**SHAPE, layer_scale=0.1).state_dict(), init)
    plan = stage(locked_steps=40, locked_batch_size=6, steps=1, learning_rate=3e-3, lesion_share=0.0)
    run_align_stage(plan, SHAPE, run_folder, init=init)
    locked = load_file(run_folder / f"{plan.name}-locked.safetensors")
    for name, tensor in load_file(init).items():
        assert torch.equal(tensor, locked[f"vision_model.{name}"]), name
    with (run_folder / f"{plan.name}-locked.loss.csv").open() as stream:
        curve = [float(row["contrast"]) for row in csv.DictReader(stream)]
    assert np.mean(curve[-8:]) < np.mean(curve[:8])

    nano = registry_module.REGISTRY["flexict-nano-vlm"]
    monkeypatch.setitem(registry_module.REGISTRY, nano.name, replace(nano, shape=SHAPE))
    file, folder = run_folder / f"{plan.name}.safetensors", run_folder / f"{plan.name}-text"
    encoder = load_encoder(nano.name, weights=file)
    assert encoder.encode(np.zeros((1, 1, 32, 32, 32), np.float32)).shape == (1, encoder.width)
    tower = load_text_tower(nano.name, weights=file, text_folder=folder)
    assert tower.encode(["Spiculated mass.", "something else entirely: ü"]).shape == (2, tower.width)


def test_without_further_steps_the_locked_weights_are_the_result(run_folder: Path) -> None:
    plan = stage(steps=0)
    result = load_file(run_align_stage(plan, SHAPE, run_folder, init=None))
    locked = load_file(run_folder / f"{plan.name}-locked.safetensors")
    assert set(result) == set(locked)
    assert all(torch.equal(tensor, locked[name]) for name, tensor in result.items())


def test_other_later_steps_keep_the_locked_ones(run_folder: Path) -> None:
    run_align_stage(stage(steps=0), SHAPE, run_folder, init=None)
    checkpoint = run_folder / f"{stage().name}-locked.checkpoint.pt"
    before = checkpoint.stat().st_mtime_ns
    run_align_stage(stage(steps=1, rate_scale=0.1), SHAPE, run_folder, init=None)
    assert checkpoint.stat().st_mtime_ns == before


def test_a_checkpoint_of_other_settings_is_not_overwritten(run_folder: Path) -> None:
    run_align_stage(stage(locked_steps=1, steps=1), SHAPE, run_folder, init=None)
    with pytest.raises(FlexiCTError, match="other settings"):
        run_align_stage(stage(locked_steps=1, locked_batch_size=3), SHAPE, run_folder, init=None)


def test_an_unknown_setting_is_named(tmp_path: Path) -> None:
    path = tmp_path / "stage.toml"
    path.write_text(REPORTS.read_text(encoding="utf-8") + "\nsteps_more = 1\n")
    with pytest.raises(FlexiCTError, match="steps_more"):
        read_align_stage(path)
    path.write_text('name = "x"\n')
    with pytest.raises(FlexiCTError, match="incomplete"):
        read_align_stage(path)


def test_inputs_and_truths_stay_together(simulated: Path) -> None:
    data: PhantomViews = simulate(range(6), simulated, workers=1)
    for number, truth in enumerate(data.truths):
        volume = data.inputs["lesion, 64 mm"][number].float()
        centre = volume[35:45, 35:45, 35:45].mean()
        assert centre > volume.mean() or truth["density"] == "ground-glass"
