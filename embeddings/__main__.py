"""`python -m embeddings`: validate, embed, import, status, export, search, zero-shot, look-up, merge, doctor, demo."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from embeddings.cli import commands
from embeddings.doctor.command import add_arguments as add_doctor_arguments
from embeddings.doctor.command import run_doctor
from embeddings.exchange.export import FORMATS
from embeddings.exit_codes import run_command
from embeddings.job.settings import CsvSettings, JobSettings
from embeddings.options import add_options
from embeddings.records import IMPORT_VIEWS


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python -m embeddings", description="Turns a cohort of CTs into FlexiCT embeddings."
    )
    sub = top.add_subparsers(required=True, metavar="COMMAND")

    validate = sub.add_parser("validate", help="report every bad row of a cohort CSV")
    validate.add_argument("cohort", type=Path, metavar="COHORT.csv")
    add_options(validate, CsvSettings)
    validate.add_argument("--json", action="store_true", help="print the report as JSON")
    validate.set_defaults(command=commands.run_validate)

    embed = sub.add_parser("embed", help="embed the scans of a cohort that a store lacks")
    embed.add_argument("cohort", type=Path, metavar="COHORT.csv")
    embed.add_argument("--db", type=Path, required=True, metavar="FILE.duckdb", help="the store, created if missing")
    add_options(embed, JobSettings)
    embed.add_argument("--dry-run", action="store_true", help="estimate time and disk from a sample, and store nothing")
    embed.set_defaults(command=commands.run_embed)

    imported = sub.add_parser(
        "import", help="import what `export` wrote, or vectors of another program with their labels"
    )
    imported.add_argument("db", type=Path, metavar="FILE.duckdb", help="the store, created if missing")
    imported.add_argument(
        "--vectors",
        type=Path,
        required=True,
        metavar="TABLE",
        help="a .csv, .parquet or .npz table; an export may be .h5ad too",
    )
    imported.add_argument(
        "--labels", type=Path, metavar="L.csv", help="one row per case; needs no CT (an export contains its labels)"
    )
    imported.add_argument("--name", help="model name (default: the name of the table)")
    imported.add_argument("--view", choices=IMPORT_VIEWS, default=IMPORT_VIEWS[0], help="what each vector describes")
    imported.add_argument("--id", metavar="COLUMN", help="case ids in the vectors, and in the labels if named alike")
    imported.add_argument("--stage", metavar="COLUMN", help="stage in the labels")
    imported.add_argument("--patient", metavar="COLUMN", help="patient in the labels")
    add_options(imported, CsvSettings, ["mapping"])
    imported.set_defaults(command=commands.run_import)

    status = sub.add_parser("status", help="show what a store contains, what failed, and the progress of the last run")
    status.add_argument("db", type=Path, metavar="FILE.duckdb")
    how = status.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print it as JSON")
    how.add_argument(
        "--watch",
        type=float,
        nargs="?",
        const=commands.WATCH_S,
        metavar="SECONDS",
        help=f"show the progress of a run every SECONDS ({commands.WATCH_S:g}) until it ends",
    )
    status.set_defaults(command=commands.run_status)

    export = sub.add_parser("export", help="write one row per item: vector, case and lesion")
    export.add_argument("db", type=Path, metavar="FILE.duckdb")
    export.add_argument("--format", required=True, choices=FORMATS)
    export.add_argument("--out", type=Path, required=True, metavar="FILE")
    export.add_argument("--set", metavar="ID", help="one embedding set (default: all)")
    export.set_defaults(command=commands.run_export)

    search = sub.add_parser("search", help="rank the scans of a store by similarity to a sentence")
    _add_text(search)
    search.add_argument("sentence", help='such as "spiculated mass in the right upper lobe"')
    search.add_argument("--top", type=int, default=10, metavar="N", help="show the first N (10)")
    search.set_defaults(command=commands.run_search)

    scores = sub.add_parser("zero-shot", help="score findings for every scan of a store, against their negations")
    _add_text(scores)
    scores.add_argument("finding", nargs="+", help='such as "pleural effusion" "emphysema"')
    scores.add_argument(
        "--out", type=Path, required=True, metavar="FILE.csv", help="one row per scan, one column per finding"
    )
    scores.set_defaults(command=commands.run_zero_shot)

    look_up = sub.add_parser(
        "look-up", help="embed one scan like those of a set, store nothing, list the most similar cases"
    )
    look_up.add_argument("db", type=Path, metavar="FILE.duckdb")
    look_up.add_argument("image", type=Path, metavar="CT", help="a file, or a folder with a DICOM series")
    look_up.add_argument("--set", metavar="ID", help="the embedding set (required if there are several)")
    look_up.add_argument("--mask", type=Path, metavar="FILE", help="mask of the lesion")
    add_options(look_up, CsvSettings, ["mask_label"])
    look_up.add_argument(
        "--point", type=float, nargs=3, metavar=("X", "Y", "Z"), help="or a point in the lesion, LPS mm"
    )
    look_up.add_argument("--weights", help="file, folder or hub name of the weights")
    look_up.add_argument("--k", type=int, default=10, metavar="N", help="show the first N (10)")
    look_up.add_argument("--out", type=Path, metavar="FILE.npy", help="also write the vector")
    look_up.set_defaults(command=commands.run_look_up)

    merged = sub.add_parser("merge", help="merge the stores of several jobs of one cohort into one")
    merged.add_argument("out", type=Path, metavar="OUT.duckdb", help="created if missing")
    merged.add_argument("parts", type=Path, nargs="+", metavar="PART.duckdb")
    merged.set_defaults(command=commands.run_merge)

    doctor = sub.add_parser("doctor", help="check this machine: versions, devices, disk, weights, and a self-test")
    add_doctor_arguments(doctor)
    doctor.set_defaults(command=run_doctor)

    demo = sub.add_parser("demo", help="write and embed a simulated cohort")
    demo.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR")
    demo.add_argument("--patients", type=int, default=90, metavar="N")
    demo.set_defaults(command=commands.run_demo)
    return top


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and return its status."""
    # Readers and encoders share the cores: threads that spin while they wait double the time of a job on a busy
    # machine. OpenMP reads this when the commands import torch.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # A name that is not UTF-8, or that the terminal cannot show, must not end a command.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return run_command(parser().parse_args(words), when_interrupted="run the same command again to continue")


def _add_text(command: argparse.ArgumentParser) -> None:
    command.add_argument("db", type=Path, metavar="FILE.duckdb")
    command.add_argument(
        "--set", metavar="ID", help="embedding set of an encoder aligned with text (default: the largest)"
    )
    command.add_argument("--weights", help="file, folder or hub name of the encoder's weights")
    command.add_argument("--text-tower", metavar="DIR", help="folder with config.json and tokenizer of the text tower")
    command.add_argument("--device", default="auto")


if __name__ == "__main__":
    sys.exit(main())
