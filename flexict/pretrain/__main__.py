"""`python -m flexict.pretrain`: train flexict-nano and flexict-nano-vlm, or resume a run."""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from pathlib import Path

from flexict.errors import FlexiCTError
from flexict.hub.devices import pick_device
from flexict.hub.registry import NANO_SHAPE, REGISTRY
from flexict.pretrain.align import run_align_stage
from flexict.pretrain.run import run_stage
from flexict.pretrain.scans import load_scans
from flexict.pretrain.stages import read_align_stage, read_stage

HERE = Path(__file__).parent
STAGES = tuple(HERE / f"{name}.toml" for name in ("nano-1-slices", "nano-2-gram", "nano-3-volumes"))
REPORTS = HERE / "nano-4-reports.toml"


def main(arguments: list[str] | None = None) -> int:
    """Run the stages in order; each starts from the weights of the one before."""
    parser = argparse.ArgumentParser(prog="python -m flexict.pretrain", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="folders of CTs (NIfTI)")
    parser.add_argument("--phantoms", type=int, default=64, help="simulated chest CTs to add")
    parser.add_argument("--stages", type=Path, nargs="+", default=list(STAGES), help="stage files, in order")
    parser.add_argument("--reports", type=Path, default=REPORTS, help="file of the stage on report text")
    parser.add_argument("--no-reports", action="store_true", help="end before the stage on report text")
    parser.add_argument("--out", type=Path, required=True, help="run folder; give it again to resume")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bfloat16", action="store_true", help="autocast the forward passes")
    parser.add_argument("--install", type=Path, metavar="DIR", help="copy the weights there, named as the package's")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        stages = [read_stage(path) for path in options.stages]
        reports = None if options.no_reports else read_align_stage(options.reports)
        device = pick_device(options.device)
        how = {"device": device, "seed": options.seed, "bfloat16": options.bfloat16}
        scans = load_scans(options.data, options.phantoms, options.seed)
        checkpoint: Path | None = None
        for stage in stages:
            checkpoint = run_stage(stage, scans, NANO_SHAPE, options.out, init=checkpoint, **how)
        weights = options.out / f"{stages[-1].name}.safetensors"
        if reports is not None:
            run_align_stage(reports, NANO_SHAPE, options.out, init=weights, **how)
    except (FlexiCTError, OSError) as error:
        print(f"pretraining stopped: {error}", file=sys.stderr)
        return 2
    print(f"weights: {weights}")
    if options.install:
        _install(options.install, weights, None if reports is None else options.out / reports.name)
    return 0


def _install(folder: Path, weights: Path, aligned: Path | None) -> None:
    """Copy weights, and what the text tower needs, under the names that the registry looks for."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(weights, folder / "flexict-nano.safetensors")
    text = REGISTRY["flexict-nano-vlm"].text
    if aligned is not None and text is not None and text.bundled is not None:
        shutil.copyfile(aligned.with_suffix(".safetensors"), folder / "flexict-nano-vlm.safetensors")
        shutil.copytree(aligned.with_name(f"{aligned.name}-text"), folder / text.bundled.name, dirs_exist_ok=True)


if __name__ == "__main__":
    raise SystemExit(main())
