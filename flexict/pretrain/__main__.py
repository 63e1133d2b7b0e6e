"""`python -m flexict.pretrain`: train flexict-nano, or go on with a run that was stopped."""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from pathlib import Path

from flexict.encoders import NANO_SHAPE, pick_device
from flexict.pretrain.run import run_stage
from flexict.pretrain.scans import load_scans
from flexict.pretrain.stage import read_stage

HERE = Path(__file__).parent
STAGES = (HERE / "nano-2d.toml", HERE / "nano-3d.toml")


def main(arguments: list[str] | None = None) -> int:
    """Run the stages in order; each starts from the weights of the one before."""
    parser = argparse.ArgumentParser(prog="python -m flexict.pretrain", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="folders of CTs (NIfTI)")
    parser.add_argument("--phantoms", type=int, default=48, help="simulated chest CTs to add")
    parser.add_argument("--stages", type=Path, nargs="+", default=list(STAGES), help="stage files, in order")
    parser.add_argument("--out", type=Path, required=True, help="run folder; give it again to resume")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bfloat16", action="store_true", help="autocast the forward passes")
    parser.add_argument("--install", type=Path, help="copy the last stage's weights to this file")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        stages = [read_stage(path) for path in options.stages]
        device = pick_device(options.device)
        scans = load_scans(options.data, options.phantoms, options.seed)
        weights: Path | None = None
        for stage in stages:
            weights = run_stage(
                stage,
                scans,
                NANO_SHAPE,
                options.out,
                init=weights,
                device=device,
                seed=options.seed,
                bfloat16=options.bfloat16,
            )
    except (ValueError, OSError) as error:
        print(f"pretraining stopped: {error}", file=sys.stderr)
        return 2
    if options.install and weights:
        shutil.copyfile(weights, options.install)
    print(f"weights: {weights}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
