"""From a CSV to a running embedding job: upload, map columns, check, choose, start."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard.components.cohort_form.column_mapping import column_mapping
from dashboard.components.cohort_form.job_progress import start_job
from dashboard.components.cohort_form.uploads import MAX_CSV_MB, keep_csv, safe_stem
from dashboard.components.downloads import table_download
from dashboard.compute import jobs
from dashboard.session.settings import Settings
from dashboard.wording.escaping import plain
from embeddings.cohort.read import CohortReport, read_cohort
from embeddings.cohort.table import read_table
from embeddings.imaging.masks.mask_labels import normal_label
from flexict import REGISTRY
from flexict.errors import FlexiCTError

ROOT = Path(__file__).resolve().parents[3]
MAX_PROBLEMS_SHOWN = 500
MAX_ROWS = 200_000
THREE_LINES_PX = 76
# Its vocabulary of sizes fits crops of a fixed size, not crops scaled to the lesion.
SIZES_IN_WORDS = "flexict-nano-vlm"
VIEW_NAMES = {
    "lesion": "Lesion crops (mask or seed)",
    "volume": "Whole volumes",
    "slices": "Axial slices",
}


def new_cohort(settings: Settings) -> None:
    """The whole form."""
    uploaded = st.file_uploader(
        "Upload a cohort CSV: one row per scan, with the path of the CT and, if known, patient, stage and mask",
        type=["csv", "tsv", "txt"],
        max_upload_size=MAX_CSV_MB,
        key="new.csv",
    )
    folder = st.text_input(
        "Folder of the CTs",
        value=str(settings.data_roots[0]),
        key="new.folder",
        help="Paths in the CSV are relative to this folder. No file outside it is read.",
    )
    if uploaded is None:
        st.caption("The first line names the columns. Common names are recognised; you can correct them below.")
        return
    try:
        data_root = _checked_folder(folder, settings)
        path = keep_csv(uploaded.name, uploaded.getvalue(), settings.workspace, data_root.name)
        label = normal_label(st.session_state.get("new.mask_label") or "") or None
        first = _report(str(path), path.stat().st_mtime_ns, str(data_root), (), label)
        header = _header(str(path), path.stat().st_mtime_ns)
        with st.expander("Columns", expanded="image_path" not in first.columns):
            mapping = column_mapping(header, first.columns, key=f"map.{path.parents[1].name}")
            st.text_input(
                "Label of the lesion (number or name), if the masks have several and no column names it",
                key="new.mask_label",
            )
        report = _report(str(path), path.stat().st_mtime_ns, str(data_root), tuple(sorted(mapping.items())), label)
        _check_paths(report, settings)
    except (FlexiCTError, OSError) as error:
        st.error(plain(error))
        return
    _show_report(report)
    if report.cases:
        _start_form(report, path, data_root, mapping, label, uploaded.name, settings)


def _checked_folder(text: str, settings: Settings) -> Path:
    folder = Path(text).expanduser()
    if not folder.is_dir():
        raise FlexiCTError(f"there is no folder {text}: type the folder that contains the CTs")
    if not settings.allows(folder):
        roots = ", ".join(str(r) for r in settings.data_roots)
        raise FlexiCTError(
            f"{text} is outside the data root ({roots}): start the app with `-- --data-root {text}` to allow it"
        )
    return folder.resolve()


def _check_paths(report: CohortReport, settings: Settings) -> None:
    """Refuse a CSV with a path into the folder of another user, which may be below a data root."""
    for case in report.cases:
        for path in (case.image_path, case.mask_path):
            if path is not None and not settings.allows(path):
                raise FlexiCTError(f"row {case.row}: this app may not read {path}: correct the path")


@st.cache_data(max_entries=8, show_spinner=False)
def _header(path: str, modified_ns: int) -> list[str]:
    return read_table(Path(path), MAX_ROWS).header


@st.cache_data(max_entries=8, show_spinner="Checking every row and every file header ...")
def _report(
    path: str, modified_ns: int, data_root: str, mapping: tuple[tuple[str, str], ...], mask_label: str | None
) -> CohortReport:
    roles = {role: column or None for role, column in mapping}
    return read_cohort(Path(path), data_root=Path(data_root), mapping=roles or None, mask_label=mask_label)


def _show_report(report: CohortReport) -> None:
    errors = [p for p in report.problems if p.severity == "error"]
    figures = st.columns(4)
    figures[0].metric("Rows", report.n_rows)
    figures[1].metric("Scans to embed", len(report.cases))
    figures[2].metric("Patients", len({c.patient_id for c in report.cases}))
    figures[3].metric("Rows with errors", len({p.row for p in errors if p.row is not None}))
    if report.stage_order:
        st.caption("Stages in order: " + plain(" < ".join(report.stage_order)))
    missing = [f"{header} {n:,}" for header, n in report.covariate_missing.items() if 0 < n < report.n_rows]
    if missing:
        st.caption("Missing values: " + plain(", ".join(missing)))
    if not report.problems:
        st.success("Every row can be used.")
        return
    shown = _problems(report).head(MAX_PROBLEMS_SHOWN)
    narrow = {name: st.column_config.Column(width="small") for name in shown.columns[:-1]}
    st.dataframe(
        shown,
        hide_index=True,
        row_height=THREE_LINES_PX,
        column_config={**narrow, "What is wrong": st.column_config.TextColumn(width="large")},
    )
    if len(report.problems) > MAX_PROBLEMS_SHOWN:
        st.caption(f"The first {MAX_PROBLEMS_SHOWN} of {len(report.problems)} are shown; the CSV has all of them.")
    table_download("cohort-problems", lambda: _problems(report))
    if errors and report.cases:
        st.caption("Rows with errors are recorded and left out; the others can be embedded now.")


def _problems(report: CohortReport) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"Row": p.row, "Case": p.case_id, "Column": p.column, "Kind": p.severity, "What is wrong": p.reason}
            for p in report.problems
        ]
    )


def _start_form(
    report: CohortReport,
    path: Path,
    data_root: Path,
    mapping: dict[str, str],
    mask_label: str | None,
    name: str,
    settings: Settings,
) -> None:
    has_lesions = any(c.mask_path or c.seed_lps for c in report.cases)
    left, middle, right = st.columns([3, 4, 3])
    encoder = left.selectbox(
        "Encoder",
        list(REGISTRY),
        index=list(REGISTRY).index("flexict-nano"),
        key="new.encoder",
        help="flexict-nano comes with this program. flexict-2d and flexict-3d need the published weights (see README).",
    )
    views = [v for v in VIEW_NAMES if v in REGISTRY[encoder].views and (v != "lesion" or has_lesions)]
    # When a column mapped by hand adds lesions, they become the default again, whatever was chosen without them.
    key = "new.view" if has_lesions else "new.view_without_lesions"
    view = middle.selectbox("What to embed", views, format_func=VIEW_NAMES.__getitem__, key=key)
    step = right.number_input(
        "Every n-th slice", 1, 100, 5, key="new.step", disabled=view != "slices", help="Only for axial slices"
    )
    request = jobs.JobRequest(
        csv=path,
        db=settings.workspace / f"{safe_stem(name)}-{path.parents[1].name[:6]}.duckdb",
        encoder=encoder,
        view=view,
        data_root=data_root,
        mapping=mapping,
        slice_step=int(step),
        mask_label=mask_label,
        preset="lesion_seed" if encoder == SIZES_IN_WORDS and view == "lesion" else None,
    )
    if st.button("Start embedding", type="primary", icon=":material/play_arrow:", key="new.start"):
        start_job(request, ROOT)
    with st.expander("The same on the command line, for a cluster or a machine with a GPU"):
        st.code(request.command_line(), language="bash", wrap_lines=True)
