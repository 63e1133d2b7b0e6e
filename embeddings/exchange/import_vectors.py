"""Imports vectors that were made elsewhere into a cohort file, joined to their labels by case id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.cohort.labels import label_mapping, read_labels
from embeddings.cohort.report import printable
from embeddings.cohort.table import check_name, read_table
from embeddings.exchange.vector_table import MOST_ROWS, VectorTableError, read_vectors
from embeddings.formatting import counted, first_few
from embeddings.records import IMPORT_VIEWS, CaseOutcome, EmbeddedItem, Failure, RunProgress, SetIdentity
from embeddings.store.store import Store
from flexict.errors import FlexiCTError

# Part of an embedding set's identity: raise it when the same table gives other vectors.
IMPORT_VERSION = "import 1"
PATIENCE_S = 600.0
_LONGEST_NAME = 100


@dataclass(frozen=True)
class ImportSummary:
    """The result of an import.

    Attributes:
        unlabelled: ids of vectors without a row in the labels; they are not stored.
        without_vector: cases of the labels without a vector in the table.
        not_finite: cases whose vectors contain NaN or infinite numbers; they are not stored.
        all_zero: cases whose vectors contain only zeros, which have no direction; they are not stored.
        n_present: vectors that the set had before, which are unchanged; `n_imported` does not count them.
        notes: what was assumed in reading the labels, or left out of them.
    """

    set_id: str
    n_imported: int
    n_patients: int
    width: int
    unlabelled: tuple[str, ...] = ()
    without_vector: tuple[str, ...] = ()
    not_finite: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    all_zero: tuple[str, ...] = ()
    n_present: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values for JSON."""
        return asdict(self)

    def text(self) -> str:
        """The import for a terminal, one line per finding."""
        new = counted(self.n_imported, "new vector" if self.n_present else "vector")
        present = f" ({self.n_present} more were already there)" if self.n_present else ""
        lines = [
            f"{new} of {counted(self.width, 'dimension')}{present}, of {counted(self.n_patients, 'patient')}. "
            f"Set: {self.set_id}"
        ]
        for ids, what in (
            (self.unlabelled, "without a row in the labels, left out"),
            (self.without_vector, "in the labels without a vector"),
            (self.not_finite, "with NaN or infinite numbers in their vectors, left out"),
            (self.all_zero, "with vectors of only zeros, left out"),
        ):
            if ids:
                lines.append(f"{len(ids)} {what}: {first_few(ids)}")
        lines += [f"note: {note}" for note in self.notes[:10]]
        if len(self.notes) > 10:
            lines.append(f"note: and {len(self.notes) - 10} more")
        return "\n".join(map(printable, lines))


def import_vectors(
    db: Path | str,
    vectors: Path | str,
    labels: Path | str,
    *,
    name: str | None = None,
    view: str = "volume",
    id_column: str | None = None,
    stage: str | None = None,
    patient: str | None = None,
    mapping: Mapping[str, str | None] | None = None,
) -> ImportSummary:
    """Store the vectors of a table as an embedding set of a new or an existing cohort file.

    Vectors and labels are joined by case id, never by the order of their rows. Everything is checked before
    anything is written. Importing the same table again changes only labels.

    Args:
        db: the store, created where missing; its cases keep what the labels have no column for.
        vectors: see `embeddings.exchange.vector_table.read_vectors`, as for `id_column`.
        labels: a CSV by the cohort's contract; the column of the CT may be missing.
        name: the model name (default: the table's file name without its ending).
        view: what a vector is of, `volume` or `lesion`.
        stage, patient: columns of the labels; short for these roles in `mapping`.
        mapping: role -> column of the labels, as for `embeddings.cohort.read.read_cohort`.

    Raises:
        VectorTableError: the table cannot be used, or shares no id with the labels.
        CohortError: the labels cannot be used.
        StoreError: the store cannot be used.
        FlexiCTError: an unknown view, role or column.
    """
    vectors, labels = Path(vectors), Path(labels)
    encoder = (name if name is not None else vectors.stem).strip()
    if not encoder or not encoder.isprintable() or len(encoder) > _LONGEST_NAME:
        raise FlexiCTError(f"{encoder!r} is not a usable model name: give 1 to {_LONGEST_NAME} printable characters")
    if view not in IMPORT_VIEWS:
        raise FlexiCTError(f"there is no view {view!r} to import: choose {' or '.join(IMPORT_VIEWS)}")
    roles = label_mapping(mapping, stage=stage, patient=patient)
    check_name(labels.resolve())
    text = read_table(labels, MOST_ROWS)
    table = read_vectors(vectors, id_column, text.header)
    found = read_labels(labels, text, roles, table.id_column)

    position = {case_id: number for number, case_id in enumerate(table.ids)}
    labelled = {case.case_id for case in found.cases}
    joined = [case for case in found.cases if case.case_id in position]
    if not joined:
        raise VectorTableError(
            f"no id of {vectors.name} ({first_few(table.ids, 3)}) is in {found.columns['case_id']!r} of {labels.name} "
            f"({first_few([case.case_id for case in found.cases], 3)}): say with --id and --map case_id=COLUMN which "
            "columns name the case"
        )
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(table.vectors).all(axis=1))
    zero: NDArray[np.bool_] = np.asarray(~table.vectors.any(axis=1))
    good = [case for case in joined if finite[position[case.case_id]] and not zero[position[case.case_id]]]
    if not good:
        raise VectorTableError(
            f"every vector of {vectors.name} contains NaN, infinite numbers or only zeros: make the table again"
        )
    not_finite = tuple(case.case_id for case in joined if not finite[position[case.case_id]])
    all_zero = tuple(case.case_id for case in joined if zero[position[case.case_id]])
    unlabelled = tuple(case_id for case_id in table.ids if case_id not in labelled)
    without_vector = tuple(case.case_id for case in found.cases if case.case_id not in position)

    failures = [
        *(Failure(c, "import", f"its vector in {vectors.name} contains NaN or infinite numbers") for c in not_finite),
        *(Failure(c, "import", f"its vector in {vectors.name} contains only zeros") for c in all_zero),
        *(Failure(c, "import", f"{vectors.name} has no vector for it") for c in without_vector),
    ]
    identity = SetIdentity(
        encoder=encoder,
        weights_sha256=table.sha256,
        view=view,
        preset=f"imported by {table.id_column}",
        pooling="as imported",
        width=table.vectors.shape[1],
        code_version=IMPORT_VERSION,
        weights_source=f"the table {vectors.name}",
        is_published=False,
    )
    store = Store(db, read_only=False, patience_s=PATIENCE_S)
    store.register_labels(found)
    set_id = store.open_set(identity)
    items = [EmbeddedItem(f"{c.case_id}/{view}", c.case_id, table.vectors[position[c.case_id]]) for c in good]
    present = {item.item_id for item in items}.intersection(store.items(set_id)["item_id"])
    settings = {
        "vectors": str(vectors.resolve()),
        "labels": str(labels.resolve()),
        "view": view,
        "n_without_label": len(unlabelled),
    }
    run_id = store.start_run(set_id, settings, len(found.cases))
    store.commit(
        set_id,
        items,
        failures=failures,
        outcomes=[CaseOutcome(case.case_id, complete=True) for case in good],
        run_id=run_id,
        progress=RunProgress(len(found.cases), len(good), len(found.cases) - len(good), len(good)),
    )
    store.finish_run(run_id, "finished")
    return ImportSummary(
        set_id=set_id,
        n_imported=len(good) - len(present),
        n_patients=len({case.patient_id for case in good}),
        width=table.vectors.shape[1],
        unlabelled=unlabelled,
        without_vector=without_vector,
        not_finite=not_finite,
        notes=found.notes,
        all_zero=all_zero,
        n_present=len(present),
    )
