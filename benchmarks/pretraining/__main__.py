"""Each stage of pretraining beside the one before, on tasks that none was trained for.

    python -m benchmarks.pretraining --stage untrained --stage slices=RUN/nano-1-slices.safetensors ... \
        --tumours COHORT.csv --scans FOLDER --vlm reports=RUN/nano-4-reports.safetensors --out results.json

T stage of real tumours, body region of real slices, and reports of simulated patients (of `--vlm` weights alone).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.pretraining import body_region, t_stage, text_recall
from benchmarks.pretraining.stages import UNTRAINED, encoder_of

MASK_WORDS = ("GTV", "seg")


def main() -> None:
    """Print a row a task and encoder, and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", action="append", default=[], metavar="NAME=FILE", help="in order; or 'untrained'")
    parser.add_argument("--vlm", action="append", default=[], metavar="NAME=FILE", help="aligned weights")
    parser.add_argument("--text-tower", type=Path, help="folder of their configuration and tokenizer")
    parser.add_argument("--tumours", type=Path, metavar="COHORT.csv", help="real tumours with masks and T stage")
    parser.add_argument("--scans", type=Path, metavar="FOLDER", help="whole volumes")
    parser.add_argument("--unseen", nargs="*", default=[], help="scans of the folder that no stage was trained on")
    parser.add_argument("--pelvis", nargs="*", default=[], metavar="SCAN=INDEX", help="first slice above the pelvis")
    parser.add_argument("--patients", type=int, default=200, help="simulated patients for the reports")
    parser.add_argument("--first-seed", type=int, default=200_000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    encoders = {}
    for number, text in enumerate(options.stage):
        name, _, file = text.partition("=")
        encoders[name] = encoder_of(name, None if name.startswith(UNTRAINED) else Path(file), seed=number)
    rows: list[dict[str, Any]] = []
    if options.scans:
        pelvis = {name: int(index) for name, _, index in (text.partition("=") for text in options.pelvis)}
        files = [p for p in sorted(options.scans.glob("*.nii.gz")) if not any(word in p.name for word in MASK_WORDS)]
        scans = [body_region.read_slices(path, pelvis.get(path.name.split(".")[0], 0)) for path in files]
        for scan in scans:
            print(scan.scan, {region: scan.region.count(region) for region in sorted(set(scan.region))})
        rows += body_region.compare(scans, encoders, options.unseen)
    if options.vlm:
        patients = text_recall.Patients(range(options.first_seed, options.first_seed + options.patients))
        for text in options.vlm:
            name, _, file = text.partition("=")
            for view in text_recall.REPORTS:
                rows.append(text_recall.recall(patients, view, name, Path(file), options.text_tower))
    if options.tumours:
        rows += t_stage.compare(t_stage.Tumours(options.tumours), encoders)
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
