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
    top = argparse.ArgumentParser(prog="python -m embeddings", description="A cohort of CTs becomes vectors.")
    sub = top.add_subparsers(required=True, metavar="COMMAND")

    validate = sub.add_parser("validate", help="report every bad row of a cohort CSV")
    validate.add_argument("cohort", type=Path, metavar="COHORT.csv")
    add_options(validate, CsvSettings)
    validate.add_argument("--json", action="store_true", help="print the report as JSON")
    validate.set_defaults(command=commands.run_validate)

    embed = sub.add_parser("embed", help="embed what a store lacks of a cohort")
    embed.add_argument("cohort", type=Path, metavar="COHORT.csv")
    embed.add_argument("--db", type=Path, required=True, metavar="FILE.duckdb", help="the store, made if missing")
    add_options(embed, JobSettings)
    embed.add_argument("--dry-run", action="store_true", help="estimate time and disk from a sample, and store nothing")
    embed.set_defaults(command=commands.run_embed)

    bring = sub.add_parser("import", help="bring in what `export` wrote, or vectors made elsewhere with their labels")
    bring.add_argument("db", type=Path, metavar="FILE.duckdb", help="the store, made if missing")
    bring.add_argument(
        "--vectors", type=Path, required=True, metavar="TABLE", help="a .csv, .parquet or .npz; or an export, .h5ad too"
    )
    bring.add_argument(
        "--labels", type=Path, metavar="L.csv", help="a row a case; no CT needed (an export brings its own)"
    )
    bring.add_argument("--name", help="of what made the vectors (default: the name of the table)")
    bring.add_argument("--view", choices=IMPORT_VIEWS, default=IMPORT_VIEWS[0], help="what a vector is of")
    bring.add_argument("--id", metavar="COLUMN", help="the case ids of the vectors, and of the labels if called alike")
    bring.add_argument("--stage", metavar="COLUMN", help="the labels' stage")
    bring.add_argument("--patient", metavar="COLUMN", help="the labels' patient")
    add_options(bring, CsvSettings, ["mapping"])
    bring.set_defaults(command=commands.run_import)

    status = sub.add_parser("status", help="say what a store holds, what failed, and how the last run fares")
    status.add_argument("db", type=Path, metavar="FILE.duckdb")
    how = status.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print it as JSON")
    how.add_argument(
        "--watch",
        type=float,
        nargs="?",
        const=commands.WATCH_S,
        metavar="SECONDS",
        help=f"show how a run fares, every so many seconds ({commands.WATCH_S:g}), until it ends",
    )
    status.set_defaults(command=commands.run_status)

    export = sub.add_parser("export", help="write a row an item: vector, case and lesion")
    export.add_argument("db", type=Path, metavar="FILE.duckdb")
    export.add_argument("--format", required=True, choices=FORMATS)
    export.add_argument("--out", type=Path, required=True, metavar="FILE")
    export.add_argument("--set", metavar="ID", help="one embedding set (default: all)")
    export.set_defaults(command=commands.run_export)

    search = sub.add_parser("search", help="rank the scans of a store by how well a sentence fits them")
    _add_text(search)
    search.add_argument("sentence", help='such as "spiculated mass in the right upper lobe"')
    search.add_argument("--top", type=int, default=10, metavar="N", help="show the first N (10)")
    search.set_defaults(command=commands.run_search)

    scores = sub.add_parser("zero-shot", help="score findings for every scan of a store, against their negations")
    _add_text(scores)
    scores.add_argument("finding", nargs="+", help='such as "pleural effusion" "emphysema"')
    scores.add_argument("--out", type=Path, required=True, metavar="FILE.csv", help="a row a scan, a column a finding")
    scores.set_defaults(command=commands.run_zero_shot)

    look_up = sub.add_parser("look-up", help="embed one scan as a set was, store nothing, and say what is most like it")
    look_up.add_argument("db", type=Path, metavar="FILE.duckdb")
    look_up.add_argument("image", type=Path, metavar="CT", help="a file, or a folder with a DICOM series")
    look_up.add_argument("--set", metavar="ID", help="the embedding set (needed where there are several)")
    look_up.add_argument("--mask", type=Path, metavar="FILE", help="the lesion")
    add_options(look_up, CsvSettings, ["mask_label"])
    look_up.add_argument("--point", type=float, nargs=3, metavar=("X", "Y", "Z"), help="or a point in it, LPS mm")
    look_up.add_argument("--weights", help="file, folder or hub name of the weights")
    look_up.add_argument("--k", type=int, default=10, metavar="N", help="show the first N (10)")
    look_up.add_argument("--out", type=Path, metavar="FILE.npy", help="write the vector too")
    look_up.set_defaults(command=commands.run_look_up)

    merged = sub.add_parser("merge", help="bring the stores of several jobs of one cohort into one")
    merged.add_argument("out", type=Path, metavar="OUT.duckdb", help="made if missing")
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
    # Readers and encoder share the cores: threads that spin while they wait make a job on a busy machine take twice
    # as long. Read by OpenMP when torch is imported, which the commands do.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # A name that is no UTF-8, or that the terminal cannot show, must not end a command.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return run_command(parser().parse_args(words), when_interrupted="run the same command again to go on")


def _add_text(command: argparse.ArgumentParser) -> None:
    command.add_argument("db", type=Path, metavar="FILE.duckdb")
    command.add_argument("--set", metavar="ID", help="a set of an encoder aligned with text (default: the largest)")
    command.add_argument("--weights", help="file, folder or hub name of the encoder's weights")
    command.add_argument("--text-tower", metavar="DIR", help="folder with config.json and tokenizer of the text tower")
    command.add_argument("--device", default="auto")


if __name__ == "__main__":
    sys.exit(main())
