"""The report as one HTML file that needs nothing else: no script, no network, light or dark as the reader has it."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pandas as pd

from dashboard.figures import audit as audit_figure
from dashboard.report.analysis_plan import Findings
from dashboard.report.cohort_selection import AnalysedCohort, FlowStep
from dashboard.report.panels import axis
from dashboard.report.panels.outcome import cox_table
from dashboard.report.panels.panel import Panel
from dashboard.report.provenance import set_record, statements
from dashboard.wording.escaping import in_html
from dashboard.wording.result_tables import as_text
from embeddings import disclosure
from embeddings.analysis import FALSE_DISCOVERY, ShortcutAudit, verdicts
from embeddings.formatting import counted, of_patients

MOST_ROWS = 60
_STYLE = """
:root { color-scheme: light dark; --ink: #1c2329; --page: #ffffff; --rule: #c9d1d6; --soft: #eef2f4; --warn: #fff1d6;
  --warn-ink: #5b3d00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ec; --page: #14191d; --rule: #3d484f; --soft: #1e262b;
  --warn: #4a3510; --warn-ink: #ffe3ac; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, "Segoe UI", Arial, sans-serif; color: var(--ink); background: var(--page);
  max-width: 70rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0; } h2 { font-size: 1.25rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
.banner { background: var(--warn); color: var(--warn-ink); padding: .7rem 1rem; border-radius: .4rem;
  font-weight: 600; }
.lead { font-size: 1.1rem; } .quiet { opacity: .8; font-size: .9rem; }
figure { margin: 1rem 0; background: #ffffff; padding: .6rem; border-radius: .4rem; border: 1px solid var(--rule); }
figure img { width: 100%; height: auto; display: block; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .7rem .25rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
th { background: var(--soft); } th:first-child, td:first-child { padding-left: .5rem; }
code, pre { font: .85rem/1.45 ui-monospace, Consolas, monospace; background: var(--soft); border-radius: .3rem; }
pre { padding: .8rem; white-space: pre-wrap; overflow-wrap: anywhere; } li { margin: .2rem 0; }
@media print { body { max-width: none; } figure, table { break-inside: avoid; } }
"""


def html_report(
    cohort: AnalysedCohort,
    findings: Findings,
    panels: Sequence[Panel],
    *,
    tests: pd.DataFrame,
    figure_png: bytes,
    methods: tuple[list[str], list[str]],
    command: str,
    versions: dict[str, str | None],
    created: str,
) -> str:
    """The whole page; every text of the cohort is escaped."""
    patients = len(set(cohort.patients))
    parts = [
        f"<h1>Stage gradient report: {in_html(cohort.info.name)}</h1>",
        f'<p class="quiet">{of_patients(cohort.n, patients)} · {in_html(cohort.label)} · {created} UTC</p>',
        "".join(f'<p class="banner">{in_html(one)}.</p>' for one in statements(cohort)[:-1]),
        f"<p>{in_html(disclosure.RESEARCH_ONLY)}. All figures describe groups of cases; they say nothing about a "
        "single patient.</p>",
        *(f'<p class="lead">{in_html(one)}</p>' for one in sentences(findings, cohort)),
        _audit(findings),
        _warnings(cohort, findings),
        "<h2>Cases</h2>",
        _flow(cohort.flow),
        _stages(cohort),
        "<h2>Figure</h2>",
        _image(figure_png, "Composed figure, panels " + ", ".join(panel.letter for panel in panels if panel.letter)),
        "<h2>Main tests</h2>",
        table_html(tests),
        '<p class="quiet">Intervals are 95 %. A p is adjusted over the tests of its own analysis, as on its page in '
        f"the app. {in_html(verdicts.TWO_QUESTIONS)}</p>",
        "<h2>Panels</h2>",
        *(_panel(panel, findings, cohort) for panel in panels),
        "<h2>Methods</h2>",
        *(f"<p>{in_html(one)}</p>" for one in methods[0]),
        "<h3>References</h3>",
        *(f'<p class="quiet">{in_html(one)}</p>' for one in methods[1]),
        "<h2>How this was made</h2>",
        f"<pre>{in_html(command)}</pre>",
        _provenance(cohort, versions),
    ]
    title = in_html(f"Stage gradient report: {cohort.info.name}")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def sentences(findings: Findings, cohort: AnalysedCohort) -> list[str]:
    """What the results say, in words."""
    said = []
    if findings.gradient is not None:
        taken_out = axis.taken_out(cohort)
        said.append(verdicts.gradient(findings.gradient, taken_out, without_size="no size was given"))
    if findings.probe is not None:
        said.append(verdicts.probe(findings.probe, cohort.baseline_name or None, without_baseline=""))
    return said


def _audit(findings: Findings) -> str:
    """What the audit says, and of every column."""
    if findings.audit is None:
        return ""
    items = "".join(f"<li>{in_html(one)}</li>" for one in findings.audit.verdicts)
    return f'<p class="lead">{in_html(verdicts.audit(findings.audit))}</p><ul>{items}</ul>'


def _warnings(cohort: AnalysedCohort, findings: Findings) -> str:
    texts = [in_html(one) for one in (*cohort.warnings, *findings.warnings)]
    texts += [f"<b>Not done, {in_html(name)}:</b> {in_html(sentence)}" for name, sentence in findings.refused.items()]
    items = "".join(f"<li>{one}</li>" for one in texts)
    return f"<h2>Warnings</h2><ul>{items}</ul>" if items else ""


def _flow(steps: Sequence[FlowStep]) -> str:
    rows = []
    for step in steps:
        lost = "<br>".join(f"{n} {in_html(why)}" for why, n in step.lost[:8])
        more = sum(n for _, n in step.lost[8:])
        lost += f"<br>{more} more for other reasons" if more else ""
        rows.append(f"<tr><td>{in_html(step.name)}</td><td>{step.n}</td><td>{lost}</td></tr>")
    head = "<tr><th>step</th><th>cases</th><th>lost here, and why</th></tr>"
    return f'<div class="wide"><table>{head}{"".join(rows)}</table></div>'


def _stages(cohort: AnalysedCohort) -> str:
    patients = cohort.patients
    rows = [
        (name, int((cohort.stage == code).sum()), len(set(patients[cohort.stage == code])))
        for code, name in enumerate(cohort.stage_names)
    ]
    return "<h3>Stages, lowest first</h3>" + table_html(pd.DataFrame(rows, columns=["stage", "cases", "patients"]))


def _image(png: bytes, alternative: str) -> str:
    data = base64.b64encode(png).decode("ascii")
    return f'<figure><img alt="{in_html(alternative)}" src="data:image/png;base64,{data}"></figure>'


def _panel(panel: Panel, findings: Findings, cohort: AnalysedCohort) -> str:
    head = f"<h3>{in_html(f'{panel.letter}  {panel.title}'.strip())}</h3>"
    if panel.missing:
        head += f"<p>{in_html(panel.missing)}</p>"
    if panel.key == "shortcuts" and findings.audit is not None:
        body = _audited(findings.audit, cohort.label)
    elif "case_id" in panel.table or "not shown because" in panel.table or panel.key == "survival":
        body = "" if panel.missing else f'<p class="quiet">Data: data/{in_html(panel.name)}.csv</p>'
    else:
        body = table_html(panel.table.drop(columns="n_splits", errors="ignore"))
    if panel.key == "stage_axis" and findings.gradient is not None:
        body = table_html(axis.group_table(findings.gradient, cohort)) + body
    if panel.key == "shortcuts" and findings.audit is not None:
        left_out = audit_figure.left_out_data(findings.audit)
        if not left_out.empty:
            body += (
                "<h3>The stage axis on the cases of one level, trained with and without its other cases</h3>"
                + table_html(left_out)
            )
    if panel.key == "survival" and findings.survival is not None:
        body += table_html(cox_table(findings.survival))
    said = _about_p(panel.key, findings)
    return head + body + (f'<p class="quiet">{in_html(said)}</p>' if said else "")


def _audited(audit: ShortcutAudit, label: str) -> str:
    """The audit as the page shows it; the CSV has every number by itself."""
    own = audit.stage_auc
    said = (
        f"Stage predicted from {label}: AUC {own.value:z.2f} [{own.low:z.2f}, {own.high:z.2f}]; stage axis: "
        f"{verdicts.axis_words(audit.axis)}"
    )
    return f"<p>{in_html(said)}</p>{table_html(audit_figure.summary(audit))}"


def _about_p(key: str, findings: Findings) -> str:
    """What the p of a panel's table are."""
    if key == "linear_probe" and findings.probe is not None:
        return (
            "p of the AUC: one-sided, against chance; of a difference: two-sided; adjusted: "
            f"{findings.probe.chance_adjusted.words}."
        )
    if key == "size_matched" and findings.gradient is not None:
        return f"p one-sided; adjusted: {findings.gradient.adjusted.words}. {verdicts.TWO_QUESTIONS}"
    if key == "shortcuts" and findings.audit is not None:
        return f"{audit_figure.about_p(findings.audit)} {verdicts.TWO_QUESTIONS}"
    if key == "survival" and findings.survival is not None:
        return f"p two-sided; adjusted: {FALSE_DISCOVERY} over the terms of a model."
    return ""


def _provenance(cohort: AnalysedCohort, versions: dict[str, str | None]) -> str:
    rows = [("cohort CSV, SHA-256", cohort.info.cohort_sha256), ("simulated", "yes" if cohort.info.simulated else "no")]
    for record in (cohort.record, *(other.record for other in cohort.compared)):
        rows += [(f"set: {name}", str(value)) for name, value in set_record(record).items()]
    rows += [(name, str(number)) for name, number in versions.items()]
    return table_html(pd.DataFrame(rows, columns=["what", "value"]), most=500)


def table_html(table: pd.DataFrame, most: int = MOST_ROWS) -> str:
    """A table of results as text; what all rows lack is left out."""
    shown = as_text(table.dropna(axis=1, how="all").head(most))
    head = "".join(f"<th>{in_html(str(column))}</th>" for column in shown.columns)
    rows = [
        "<tr>" + "".join(f"<td>{in_html(cell)}</td>" for cell in cells) + "</tr>"
        for cells in shown.itertuples(index=False)
    ]
    more = len(table) - most
    note = f'<p class="quiet">{counted(more, "more row")} in the CSV.</p>' if more > 0 else ""
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>{note}'
