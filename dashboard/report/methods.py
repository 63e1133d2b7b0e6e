"""The methods text of a report: what was done, with the true settings, numbers, versions and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dashboard.data import caveats
from dashboard.data.columns import label
from dashboard.report.analysis_plan import FUSED, FUSION_K, Findings
from dashboard.report.arguments import ReportSettings
from dashboard.report.cohort_selection import EMBEDDED, AnalysedCohort, FlowStep
from dashboard.report.provenance import ORACLE, statements
from dashboard.wording.escaping import in_markdown_file
from embeddings.analysis import FALSE_DISCOVERY, AxisEvidence, ShortcutColumn, p_words
from embeddings.analysis.verdicts import auc_difference, event_reading
from embeddings.formatting import counted, of_patients
from embeddings.versions import PRODUCT

_REFERENCES = {
    "flexict": "Universal CT Representations from Anatomy to Disease Phenotype through Agglomerative Pretraining. "
    "arXiv 2605.21906.",
    "ledoit": "Ledoit O, Wolf M. A well-conditioned estimator for large-dimensional covariance matrices. "
    "J Multivar Anal 2004;88:365-411.",
    "trend": "Jonckheere AR. A distribution-free k-sample test against ordered alternatives. "
    "Biometrika 1954;41:133-145.",
    "mannwhitney": "Mann HB, Whitney DR. On a test of whether one of two random variables is stochastically larger "
    "than the other. Ann Math Stat 1947;18:50-60.",
    "permutation": "Ojala M, Garriga GC. Permutation tests for studying classifier performance. "
    "J Mach Learn Res 2010;11:1833-1863.",
    "fusion": "Cormack GV, Clarke CLA, Büttcher S. Reciprocal rank fusion outperforms Condorcet and individual rank "
    "learning methods. SIGIR 2009:758-759.",
    "fdr": "Benjamini Y, Hochberg Y. Controlling the false discovery rate. J R Stat Soc B 1995;57:289-300.",
    "holm": "Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65-70.",
    "pseudotime": "Haghverdi L, Büttner M, Wolf FA, Buettner F, Theis FJ. Diffusion pseudotime robustly reconstructs "
    "lineage branching. Nat Methods 2016;13:845-848.",
    "kaplan": "Kaplan EL, Meier P. Nonparametric estimation from incomplete observations. "
    "J Am Stat Assoc 1958;53:457-481.",
    "cox": "Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187-220.",
    "harrell": "Harrell FE, Califf RM, Pryor DB, Lee KL, Rosati RA. Evaluating the yield of medical tests. "
    "JAMA 1982;247:2543-2546.",
    "schoenfeld": "Grambsch PM, Therneau TM. Proportional hazards tests and diagnostics based on weighted residuals. "
    "Biometrika 1994;81:515-526.",
    "freedman": "Freedman D, Lane D. A nonstochastic interpretation of reported significance levels. "
    "J Bus Econ Stat 1983;1:292-298.",
    "scipy": "Virtanen P et al. SciPy 1.0: fundamental algorithms for scientific computing in Python. "
    "Nat Methods 2020;17:261-272.",
    "lifelines": "Davidson-Pilon C. lifelines: survival analysis in Python. J Open Source Softw 2019;4:1317.",
}


class _Citations:
    """Numbers references in the order in which they are cited."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def __call__(self, *keys: str) -> str:
        self.keys += [key for key in keys if key not in self.keys]
        return "[" + ", ".join(str(self.keys.index(key) + 1) for key in keys) + "]"


def methods(
    cohort: AnalysedCohort, findings: Findings, settings: ReportSettings, versions: Mapping[str, str | None]
) -> tuple[list[str], list[str]]:
    """The paragraphs and the list of references, as plain text."""
    cite = _Citations()
    paragraphs = [_cases(cohort, settings, cite)]
    paragraphs += [
        text
        for text in (
            _gradient(cohort, findings, cite),
            _retrieval(findings, cite),
            _probe(cohort, findings, cite),
            _audit(findings, cite),
            _survival(cohort, findings, cite),
            _pseudotime(findings, cite),
        )
        if text
    ]
    sources = ("scipy", "lifelines") if findings.survival else ("scipy",)
    paragraphs.append(_software(settings, versions, cite(*sources)))
    for name, sentence in findings.refused.items():
        paragraphs.append(f"Not done, {name}: {sentence}")
    return paragraphs, [f"{number}. {_REFERENCES[key]}" for number, key in enumerate(cite.keys, start=1)]


def markdown(paragraphs: list[str], references: list[str]) -> str:
    """The methods text as a Markdown file."""
    body = "\n\n".join(map(in_markdown_file, paragraphs))
    return f"# Methods\n\n{body}\n\n## References\n\n" + "\n".join(references) + "\n"


def _cases(cohort: AnalysedCohort, settings: ReportSettings, cite: _Citations) -> str:
    record = cohort.record
    patients = len(set(cohort.patients))
    lost = "; ".join(_lost(step) for step in cohort.flow if step.lost)
    counts = ", ".join(f"{name} {int((cohort.stage == code).sum())}" for code, name in enumerate(cohort.stage_names))
    said = " ".join(f"{one}." for one in statements(cohort)[:-1])
    grouped = "; ".join(f"{name}: {', '.join(stages)}" for name, stages in settings.groups)
    encoder = str(record["encoder"])
    source = f"{encoder} {cite('flexict')}" if encoder.startswith("flexict") else encoder
    analysed = f"{of_patients(cohort.n, patients, 'scan')} {'was' if cohort.n == 1 else 'were'} analysed"
    return (
        f"Cohort {cohort.info.name}: of {counted(cohort.info.n_cases, 'CT scan')}, {analysed}"
        f"{f' ({lost})' if lost else ''}. {said} Vectors of {record['width']} numbers came from {source} "
        f"(weights SHA-256 {str(record['weights_sha256'])[:12]}, view {record['view']}, preset {record['preset']}, "
        f"pooling {record['pooling']}). The stage was read from the column {cohort.stage_column}"
        f"{f', grouped as {grouped}' if grouped else ''} and ordered {' < '.join(cohort.stage_names)} "
        f"(cases: {counts}).{_by_definition(cohort)}"
    )


def _by_definition(cohort: AnalysedCohort) -> str:
    """What T stage and size have to do with each other, where the report has both."""
    others = (*cohort.covariate_columns, *cohort.baseline_columns)
    sentence = caveats.t_stage_and_size(cohort.frame, cohort.stage_column, others, size=cohort.size_column)
    return f" {sentence}" if sentence else ""


def _lost(step: FlowStep) -> str:
    """How many cases a step lost and why; of failures only how many, since their sentences name files."""
    total = sum(n for _, n in step.lost)
    if step.name == EMBEDDED:
        return f"{total} without a vector"
    reasons = ", ".join(f"{n} {why}" for why, n in step.lost)
    return f"{total} excluded because only cases {step.name} are kept ({reasons})"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _gradient(cohort: AnalysedCohort, findings: Findings, cite: _Citations) -> str:
    result = findings.gradient
    if result is None:
        return ""
    discriminants, permutation, holm = cite("ledoit"), cite("permutation"), cite("holm")
    two = len(np.unique(result.stage)) == 2
    test = f"the Mann-Whitney test {cite('mannwhitney')}" if two else f"the Jonckheere-Terpstra test {cite('trend')}"
    text = (
        f"Stage axis: ordinal ridge regression of the stage on the standardised vectors (penalty at a third of n "
        f"effective degrees of freedom), in {result.n_folds}-fold cross-validation by patient repeated "
        f"{result.n_repeats} times, so that no case is scored by an axis fitted to its own patient; and shrinkage "
        f"linear discriminants {discriminants} on the same folds. Agreement with stage is Spearman's rho "
        f"(n = {of_patients(result.n, result.n_patients)}) with a 95 % bootstrap interval over patients "
        f"({result.n_bootstrap} resamples given the fits), tested one-sided by {result.n_permutations} permutations "
        f"of the stage between patients, the whole fit repeated in each {permutation}: an interval and a p that "
        f"seem to disagree answer different questions. The p-values of the {result.n_tests} tests of the axis were "
        f"adjusted for each other by Holm's method {holm}. Out of fold, {_numbers(result)}; the trend over "
        f"stages by {test} on the same permutations, {p_words(result.trend_p_permutation, 'one-sided')} (not "
        "adjusted). The axis scored on the cases it was fitted to would have shown "
        f"rho = {result.rho_in_sample:z.3f}."
    )
    if result.residual is not None:
        size = f"tumour size ({label(cohort.size_column or '')}, as a restricted cubic spline of its logarithm)"
        names = [*([size] if cohort.size_column else []), *map(label, cohort.covariate_columns)]
        they, them = ("it was", "it") if len(names) == 1 else ("they were", "them")
        text += (
            f" To account for {_listed(names)}, {they} regressed out of the vectors with coefficients of the "
            f"training folds, and the permuted stages kept their relation with {them} "
            f"{cite('freedman')}: {_numbers(result.residual)}."
        )
    if result.size_matched is not None:
        text += (
            " At similar size, cases were compared and stages exchanged only within bins of three patients of similar "
            f"size: {_numbers(result.size_matched)}."
        )
    text += f" The discriminant, out of fold: {_numbers(result.lda)}"
    if result.lda_residual is not None:
        text += f"; after the same regression {_numbers(result.lda_residual)}"
    return f"{text}."


def _numbers(part: AxisEvidence) -> str:
    return (
        f"rho = {part.rho:z.3f} [{part.rho_low:z.3f}, {part.rho_high:z.3f}], "
        f"{p_words(part.p_permutation, 'one-sided', part.adjusted)}"
    )


def _retrieval(findings: Findings, cite: _Citations) -> str:
    if not findings.retrieval:
        return ""
    first = findings.retrieval[0].result
    halves = next((one.result for one in findings.retrieval if one.result.protocol == "halves"), None)
    text = (
        "Retrieval: cosine similarity, never between scans of one patient; Recall@k is the share of queries with a "
        f"case of the same stage among the k nearest, beside its chance level by formula and a 95 % patient bootstrap "
        f"interval ({first.n_bootstrap} resamples), with every case searching all other patients (n = {first.n})"
    )
    if halves is not None:
        text += f", and half of the patients searching the other half, mean of {halves.n_splits} stratified splits"
    if any(one.label == FUSED for one in findings.retrieval):
        text += f"; sets were fused by reciprocal rank, k = {FUSION_K} {cite('fusion')}"
    return text + "."


def _probe(cohort: AnalysedCohort, findings: Findings, cite: _Citations) -> str:
    result = findings.probe
    if result is None:
        return ""
    auc = result.embedding.auc
    text = (
        f"Linear probe: logistic regression in {result.n_folds}-fold cross-validation stratified by stage and grouped "
        f"by patient, repeated {result.n_repeats} times, the penalty chosen by an inner cross-validation of the "
        f"training folds; {'AUC' if len(result.classes) == 2 else 'macro one-against-rest AUC'} {auc.value:.3f} "
        f"[{auc.low:.3f}, {auc.high:.3f}] (n = {of_patients(result.n, result.n_patients)}, "
        f"{result.n_bootstrap} patient bootstrap resamples)"
    )
    if np.isfinite(result.p_chance):
        p = p_words(result.p_chance, "one-sided", result.chance_adjusted)
        text += f", against chance by {result.n_permutations} permutations with refitting {p}"
    if result.baseline is not None:
        names = {"embedding": "embedding", "combined": "combined model", "baseline": "the baseline"}
        gains = "; ".join(auc_difference(*pair, names).replace("\u00a0", " ") for pair in result.adjusted_differences)
        text += f". The clinical baseline ({cohort.baseline_name}) and the combined model used the same folds: {gains}"
    return text + "."


def _audited(column: ShortcutColumn) -> str:
    return f"{column.name} (the mean rank of {_listed(column.parts)})" if column.parts else column.name


def _audit(findings: Findings, cite: _Citations) -> str:
    result = findings.audit
    if result is None:
        return ""
    axis = result.axis
    return (
        "Shortcut audit: for each of "
        + _listed([_audited(one) for one in result.columns])
        + ", the concordance (AUC) with stage of an axis from the column alone, out of fold like that of the vectors; "
        "how well the vectors predict the column (AUC, or Spearman's rho for numbers); and the correlation with stage "
        f"of an axis from vectors out of which the column was regressed; tested one-sided by {result.n_permutations} "
        f"permutations, each kind of p-value adjusted over the columns ({FALSE_DISCOVERY} {cite('fdr')}; n = "
        f"{of_patients(result.n, result.n_patients)}). A column was said to explain the stage axis where the "
        f"axis of the vectors follows stage ({p_words(axis.p_permutation, 'one-sided', axis.adjusted)}), the column "
        "is associated with stage, the vectors predict it, and the axis is not shown to follow stage without it."
    )


def _survival(cohort: AnalysedCohort, findings: Findings, cite: _Citations) -> str:
    result = findings.survival
    if result is None:
        return ""
    return (
        f"Survival (column {cohort.time_column}) by tertile of the out-of-fold stage axis: Kaplan-Meier "
        f"curves {cite('kaplan')} with a log-rank test "
        f"({p_words(result.logrank_p, 'two-sided')}), Cox's model {cite('cox')} with a test of proportional hazards "
        f"{cite('schoenfeld')}, Harrell's C {cite('harrell')} {result.c_index:.3f} [{result.c_index_low:.3f}, "
        f"{result.c_index_high:.3f}] (n = {counted(result.n, 'patient')}, "
        f"{counted(result.n_events, 'event')}; left out as outcome unknown or not a patient's first scan: "
        f"{counted(result.n_excluded, 'scan')}; {result.n_bootstrap} resamples). {event_reading(result)}"
    )


def _pseudotime(findings: Findings, cite: _Citations) -> str:
    result = findings.trajectory
    if result is None:
        return ""
    return (
        f"Diffusion pseudotime {cite('pseudotime')} on a graph of {result.n_neighbours} neighbours from the root "
        f"({result.root_rule}): rho with stage {result.rho:z.3f} [{result.rho_low:z.3f}, "
        f"{result.rho_high:z.3f}], {p_words(result.p_permutation, 'one-sided')} by {result.n_permutations} "
        "permutations, the root chosen again in each; the first principal component reaches "
        f"{result.pc1_rho:z.3f} (n = {result.n})."
    )


def _software(settings: ReportSettings, versions: Mapping[str, str | None], sources: str) -> str:
    parts = ", ".join(f"{name} {number}" for name, number in versions.items() if name not in (PRODUCT, ORACLE))
    return (
        "Where one analysis makes several tests, their p-values are adjusted over these, not across analyses. "
        f"Seed {settings.seed}. "
        f"Software: FlexiCT Phenotype Explorer {versions[PRODUCT]}, with {parts} {sources}."
    )
