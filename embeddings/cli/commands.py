"""The commands of `python -m embeddings`; each takes parsed arguments and returns an exit status.

A command imports what it needs itself: `status` must not wait for torch.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from embeddings import job
from embeddings.cli.watch import watch
from embeddings.exchange.export import export
from embeddings.exit_codes import DONE, INTERRUPTED
from embeddings.formatting import counted
from embeddings.job.engines.allocation import keep_large_blocks
from embeddings.job.settings import CsvSettings
from embeddings.job.summary import exit_code_of
from embeddings.options import settings_from
from embeddings.records import RunProgress
from embeddings.store.status import status, status_text
from embeddings.store.store import Store
from flexict.errors import FlexiCTError

WATCH_S = 5.0
LEAST_WATCH_S = 0.2
# Encoder, view, preset (None: by whether there are masks) and slice step of each set.
DEMO_SETS = (
    ("flexict-nano", "lesion", None, 1),
    ("flexict-nano", "volume", None, 1),
    ("flexict-nano", "slices", None, 20),
    ("flexict-nano-vlm", "lesion", "lesion_seed", 1),
)


def run_validate(arguments: argparse.Namespace) -> int:
    """Report every bad row: 0 without errors, 1 with errors in some rows, 2 if no row can be used."""
    from embeddings.cohort.read import read_cohort, validate_text

    how = settings_from(CsvSettings, arguments)
    report = read_cohort(arguments.cohort, how.data_root, how.mapping, mask_label=how.mask_label)
    if arguments.json:
        print(json.dumps(report.to_dict(), indent=1, default=str))
    else:
        print(validate_text(report))
    return 0 if report.ok else (1 if report.cases else 2)


def run_embed(arguments: argparse.Namespace) -> int:
    """Embed what is missing, or with `--dry-run` estimate what that would take; see `exit_codes` for the codes."""
    settings = settings_from(job.JobSettings, arguments)
    if arguments.dry_run:
        from embeddings.job.dry_run import dry_run

        print(dry_run(arguments.cohort, arguments.db, settings).text())
        return DONE
    make_folder(arguments.db.parent)
    keep_large_blocks()
    with _bar(f"{settings.encoder} {' '.join(settings.views)}") as show:
        summaries = job.run_views(arguments.cohort, arguments.db, settings, progress=show)
    for summary in summaries:
        print(summary.sentence())
    if summaries[0].pace is not None and summaries[0].n_items:
        print(summaries[0].pace.sentence())
    if any(s.n_failed or s.n_failed_before or s.n_refused or s.n_unmeasured or s.doubtful for s in summaries):
        print(f"Why: python -m embeddings status {arguments.db}")
    return exit_code_of(summaries)


def run_import(arguments: argparse.Namespace) -> int:
    """Import vectors, of another program or exported by this one: 0 if any are in the store."""
    make_folder(arguments.db.parent)
    if arguments.labels is None:
        from embeddings.exchange.import_export import import_export

        for summary in import_export(arguments.db, arguments.vectors):
            print(summary.text())
        return DONE
    from embeddings.exchange.import_vectors import import_vectors

    summary = import_vectors(
        arguments.db,
        arguments.vectors,
        arguments.labels,
        name=arguments.name,
        view=arguments.view,
        id_column=arguments.id,
        stage=arguments.stage,
        patient=arguments.patient,
        mapping=settings_from(CsvSettings, arguments).mapping,
    )
    print(summary.text())
    return DONE


def run_status(arguments: argparse.Namespace) -> int:
    """Show what a store contains; with `--watch` the progress of its runs: 0 once they have ended, 1 if one died."""
    if arguments.watch is not None:
        if not LEAST_WATCH_S <= arguments.watch < math.inf:
            raise FlexiCTError(f"--watch takes {LEAST_WATCH_S:g} seconds or more, not {arguments.watch:g}")
        try:
            return watch(arguments.db, arguments.watch, sys.stdout)
        except KeyboardInterrupt:
            print()
            return INTERRUPTED
    found = status(Store(arguments.db))
    print(json.dumps(found, indent=1) if arguments.json else status_text(found))
    return 0


def run_export(arguments: argparse.Namespace) -> int:
    """Write a store's items as one table."""
    n_rows = export(Store(arguments.db), arguments.out, arguments.format, arguments.set)
    print(f"{counted(n_rows, 'row')} in {arguments.out}")
    return 0


def run_search(arguments: argparse.Namespace) -> int:
    """Rank the scans by a sentence."""
    from embeddings.text_search import SCORE, open_tower, search

    if arguments.top < 1:
        raise FlexiCTError(f"--top must be 1 or more, not {arguments.top}")
    store = Store(arguments.db)
    tower, set_id = open_tower(store, arguments.set, arguments.weights, arguments.text_tower, arguments.device)
    found = search(store, arguments.sentence, tower, set_id)
    shown = found.head(arguments.top)
    print(f"{counted(len(found), 'scan')} of {set_id} by similarity to: {arguments.sentence}")
    for rank, (case, score) in enumerate(zip(shown["item_id"], shown[SCORE], strict=True), start=1):
        print(f"{rank:4d}  {score:8.2f}  {case}")
    return DONE


def run_zero_shot(arguments: argparse.Namespace) -> int:
    """Write the scores of findings."""
    from embeddings.exchange.export import defused
    from embeddings.text_search import open_tower, score_findings

    store = Store(arguments.db)
    tower, set_id = open_tower(store, arguments.set, arguments.weights, arguments.text_tower, arguments.device)
    table = score_findings(store, arguments.finding, tower, set_id)
    for column in ("item_id", "case_id"):
        table[column] = table[column].map(defused)
    make_folder(arguments.out.parent)
    table.rename(columns=defused).to_csv(arguments.out, index=False)
    print(f"{counted(len(table), 'scan')} of {set_id}, {counted(len(arguments.finding), 'finding')} in {arguments.out}")
    return DONE


def run_look_up(arguments: argparse.Namespace) -> int:
    """Embed one scan like those of a set, store nothing, and print the most similar cases."""
    import numpy as np

    from embeddings.analysis import nearest
    from embeddings.job.one_scan import Scan, embed_scan, open_encoder_of, recipe_of, usual_slice_step
    from embeddings.store.case_vectors import one_row_a_case

    if arguments.k < 1:
        raise FlexiCTError(f"--k must be 1 or more, not {arguments.k}")
    store = Store(arguments.db)
    sets = store.sets()
    sets = sets[sets["n_items"] > 0]
    if arguments.set is not None:
        sets = sets[sets["set_id"] == arguments.set]
    if len(sets) != 1:
        raise FlexiCTError(f"{arguments.db} has {len(sets)} such embedding sets: choose one with --set")
    chosen = {str(name): value for name, value in sets.iloc[0].items()}
    recipe = recipe_of(chosen, usual_slice_step(store, str(chosen["set_id"])))
    print("loading the encoder", file=sys.stderr, flush=True)
    encoder = open_encoder_of(chosen, recipe, arguments.weights)
    print("reading and encoding the scan", file=sys.stderr, flush=True)
    seed = None if arguments.point is None else (arguments.point[0], arguments.point[1], arguments.point[2])
    scan = Scan(arguments.image, arguments.mask, seed, settings_from(CsvSettings, arguments).mask_label)
    vector = embed_scan(scan, encoder, recipe)
    frame, vectors = one_row_a_case(*store.table(str(chosen["set_id"])))
    answer = nearest(np.vstack([vectors, vector]), len(vectors), k=arguments.k)
    if arguments.out is not None:
        np.save(arguments.out, vector, allow_pickle=False)
    for rank, (row, cosine) in enumerate(zip(answer.index, answer.similarity, strict=True), start=1):
        print(f"{rank:4d}  {cosine:8.5f}  {frame['case_id'].iloc[int(row)]}")
    return DONE


def run_merge(arguments: argparse.Namespace) -> int:
    """Merge the stores of several jobs into one."""
    from embeddings.store.merge import merge

    make_folder(arguments.out.parent)
    print(merge(arguments.out, arguments.parts).text(arguments.out))
    return DONE


def run_demo(arguments: argparse.Namespace) -> int:
    """Write the simulated cohort and embed it as `DEMO_SETS` lists."""
    from embeddings import demo

    make_folder(arguments.out)
    with tqdm(desc="simulated scans", unit="scan", file=sys.stderr) as bar:

        def show_scans(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        cohort = demo.write_demo_cohort(arguments.out, n_patients=arguments.patients, progress=show_scans)
    db = arguments.out / "demo.duckdb"
    for encoder, view, preset, step in DEMO_SETS:
        with _bar(f"{encoder} {view}") as show:
            summary = job.run(
                cohort,
                db,
                encoder=encoder,
                view=view,
                preset=preset,
                slice_step=step,
                simulated=True,
                progress=show,
            )
        print(summary.sentence())
        if summary.state == "interrupted":
            return INTERRUPTED
    print(f"The demonstration cohort is simulated. Open it with: streamlit run dashboard/app.py -- --cohort {db}")
    return 0


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        FlexiCTError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlexiCTError(
            f"the folder {folder} cannot be created ({error.strerror}): choose a writable place"
        ) from error


@contextmanager
def _bar(title: str) -> Iterator[Callable[[RunProgress], None]]:
    """A progress bar of cases with the rate, the time left, and the numbers of vectors and failures."""
    with tqdm(desc=title, unit="case", file=sys.stderr, dynamic_ncols=True) as bar:

        def show(progress: RunProgress) -> None:
            if bar.total is None:
                bar.reset(progress.n_planned)
            bar.set_postfix(vectors=progress.n_items, failed=progress.n_failed, refresh=False)
            bar.update(progress.n_done + progress.n_failed - bar.n)

        yield show
