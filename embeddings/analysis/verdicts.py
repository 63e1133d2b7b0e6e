"""One plain sentence for each result, so that no number is shown without its meaning."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from embeddings.formatting import counted

from .audit import ShortcutAudit
from .compare import SetComparison, SetDifference, SetSimilarity
from .display import verdict
from .gradient import AxisEvidence, AxisTest, StageGradient
from .p_values import FALSE_DISCOVERY, Adjusted, Sides, p_number, p_words
from .probe import AucDifference, Probe
from .retrieval import Retrieval
from .survival import SurvivalByScore
from .trajectory import Courses, Pseudotime, Smooth

ALPHA = 0.05
# Two vectors with a cosine above this can only come from one scan.
SAME_SCAN = 0.99999
TWO_QUESTIONS = (
    "Interval and p answer different questions: the interval resamples the patients given the fitted model; for p the "
    "model is refitted to every permutation of the labels, and p is adjusted for several tests. Verdicts rest on p."
)


def p_in_sentence(p: float, sides: Sides, adjusted: Adjusted | None = None) -> str:
    """A p-value with its sides and its adjusted value, its signs kept beside their numbers at the end of a line."""
    said = p_words(p, sides, adjusted)
    return said.replace(" = ", "\u00a0=\u00a0").replace("p < ", "p\u00a0<\u00a0").replace("< ", "<\u00a0")


def rho_words(evidence: AxisTest) -> str:
    """Correlation with interval."""
    return f"ρ\u00a0=\u00a0{evidence.rho:z.2f} [{evidence.rho_low:z.2f},\u00a0{evidence.rho_high:z.2f}]"


def axis_words(evidence: AxisTest) -> str:
    """Correlation with interval and p."""
    return f"{rho_words(evidence)}; {p_in_sentence(evidence.p_permutation, 'one-sided', evidence.adjusted)}"


def disagree(low: float, p: float, reference: float = 0.0) -> bool:
    """Whether an interval and a one-sided p seem to contradict each other: only one lies beyond the reference."""
    return math.isfinite(p) and math.isfinite(low) and (low > reference) != (p < ALPHA)


def warning(text: str, stage_names: Sequence[str]) -> str:
    """A warning of an analysis, with the stage's name where the analysis knows only its code."""
    return re.sub(r"^Stage (\d+)\b", lambda found: f"Stage {stage_names[int(found[1])]}", text)


@verdict.register
def gradient(result: StageGradient, taken_out: str = "size", *, without_size: str = "no size is given") -> str:
    """Whether the axis follows stage, and whether that is more than size; by the adjusted p.

    taken_out: what was regressed out for the residual axis. without_size: what to say if no size was given.
    """
    parts = [one for one in (result, result.residual, result.size_matched) if one is not None]
    if result.p_adjusted < ALPHA:
        said = (
            f"On patients it was not fitted to, the axis follows stage ({axis_words(result)}). "
            f"{_beyond_size(result, taken_out, without_size)}"
        )
    else:
        parts = parts[:1]
        said = (
            "No stage gradient is shown: on patients it was not fitted to, the stage axis does not follow stage "
            f"beyond chance ({axis_words(result)})."
        )
    apart = any(disagree(one.rho_low, one.p_adjusted) for one in parts)
    return f"{said} {TWO_QUESTIONS}" if apart else said


def _beyond_size(result: StageGradient, taken_out: str, without_size: str) -> str:
    """Whether an axis that follows stage still does once size is accounted for."""
    asked = {f"with {taken_out} removed from the vectors": result.residual}
    if result.size is not None:
        asked["among cases of similar size"] = result.size_matched
    shown = {how: one for how, one in asked.items() if one is not None and one.p_adjusted < ALPHA}
    not_shown = {how: one for how, one in asked.items() if one is not None and how not in shown}
    missing = [how for how, one in asked.items() if one is None]

    def listed(tests: Mapping[str, AxisEvidence], joined: str) -> str:
        return joined.join(f"{how} ({axis_words(one)})" for how, one in tests.items())

    untested = f"Whether this is more than tumour size is not tested: {without_size}."
    if not shown and not not_shown:
        if result.size is None:
            return untested
        return f"Whether this is more than {taken_out} cannot be tested: see the warnings."
    if shown and not_shown:
        said = (
            f"Beyond {taken_out} the evidence is mixed: the axis also follows stage {listed(shown, ' and ')}, but is "
            f"not shown to follow it {listed(not_shown, ' and ')}."
        )
    elif shown:
        said = f"It also follows stage {listed(shown, ' and ')}."
    else:
        either = "neither " if len(not_shown) > 1 else ""
        said = f"Beyond {taken_out} no gradient is shown, {either}{listed(not_shown, ' nor ')}."
    if result.size is None:
        return f"{said} {untested}"
    return f"{said} The test {missing[0]} cannot be done: see the warnings." if missing else said


@verdict.register
def trajectory(result: Pseudotime) -> str:
    """Whether pseudotime follows stage, and whether it beats the first principal component."""
    follows = "follows stage" if result.p_permutation < ALPHA else "is not shown to follow stage"
    first = (
        f"Pseudotime {follows} beyond chance (ρ\u00a0=\u00a0{result.rho:z.2f} [{result.rho_low:z.2f}, "
        f"{result.rho_high:z.2f}]; {p_in_sentence(result.p_permutation, 'one-sided')}; a start "
        "chosen by stage is chosen again in every permutation)."
    )
    supervised = (
        f" A supervised stage axis reaches ρ\u00a0=\u00a0{result.supervised_rho:z.2f} on patients it was not fitted to."
        if math.isfinite(result.supervised_rho)
        else ""
    )
    if disagree(result.rho_low, result.p_permutation):
        supervised += f" {TWO_QUESTIONS}"
    pc1 = f"ρ\u00a0=\u00a0{result.pc1_rho:z.2f}"
    if abs(result.pc1_rho) >= result.rho:
        return f"{first} The first principal component does as well ({pc1}), so pseudotime adds nothing.{supervised}"
    return f"{first} The first principal component reaches {pc1}.{supervised}"


def courses(result: Courses, labels: Mapping[str, str] = MappingProxyType({})) -> str:
    """Which covariates change along the pseudotime, adjusted for their number."""

    def name(one: Smooth) -> str:
        return labels.get(one.name, one.name)

    def p(one: Smooth) -> str:
        return p_in_sentence(one.p, "two-sided", result.adjusted(one))

    found = [one for one in result.smooths if one.p_adjusted < ALPHA]
    if not found:
        first = result.smooths[0]
        if len(result.smooths) == 1:
            return f"{name(first)} is not shown to change along the pseudotime ({p(first)})."
        return f"None of the {len(result.smooths)} covariates is shown to change along the pseudotime."
    listed = "; ".join(
        f"{name(one)} {'rises' if one.rho > 0 else 'falls'} (ρ\u00a0=\u00a0{one.rho:z.2f}, {p(one)})" for one in found
    )
    of_all = counted(len(result.smooths), "covariate")
    return f"{len(found)} of {of_all} {_agree(found, 'change')} along the pseudotime: {listed}."


@verdict.register
def retrieval(result: Retrieval) -> str:
    """Whether similar cases share the label more often than by chance."""
    value, low, high, chance = (
        getattr(result, f"mean_average_precision{ending}") for ending in ("", "_low", "_high", "_chance")
    )
    nearest = result.at_k[0]
    words = f"mean average precision {value:.2f} [{low:.2f},\u00a0{high:.2f}], chance {chance:.2f}"
    if low > chance:
        which = "the most similar case" if nearest.k == 1 else f"one of the {nearest.k} most similar cases"
        return (
            f"Cases that are similar in the embedding share the label more often than by chance ({words}): {which} "
            f"of another patient has it in {nearest.recall:.0%} of the queries, by chance in "
            f"{nearest.recall_chance:.0%}."
        )
    return (
        f"It is not shown that cases that are similar in the embedding share the label more often than by chance "
        f"({words})."
    )


@verdict.register
def probe(
    result: Probe,
    baseline_name: str | None = "the baseline",
    *,
    without_baseline: str = "Choose a baseline to see what it adds to a simple measurement.",
) -> str:
    """What the probe predicts, and what it adds to the baseline; without_baseline: what to say if there is none."""
    auc = result.embedding.auc
    words = f"AUC {auc.value:z.2f} [{auc.low:z.2f}, {auc.high:z.2f}]"
    chance = "0.5 is chance"
    if math.isfinite(result.p_chance):
        chance += f"; {p_in_sentence(result.p_chance, 'one-sided', result.chance_adjusted)}"
    fitted = "on patients it was not fitted to"
    first = f"From the embedding alone, a linear probe predicts the class with {words} {fitted} ({chance})."
    if result.chance_adjusted.p >= ALPHA:
        first = (
            f"The embedding alone is not shown to predict the class better than chance: {fitted}, a linear probe on it "
            f"reaches {words} ({chance})."
        )
    if disagree(auc.low, result.chance_adjusted.p, 0.5):
        first += f" {TWO_QUESTIONS}"
    gain = next((pair for pair in result.adjusted_differences if pair[0].better == "combined"), None)
    if gain is None or baseline_name is None:
        return f"{first} {without_baseline}".strip()
    one, adjusted = gain
    numbers = f"AUC of both minus AUC of {baseline_name} alone {_difference(one, adjusted)}"
    if adjusted.p >= ALPHA:
        return f"{first} The embedding is not shown to add to {baseline_name}: {numbers}."
    if one.value > 0:
        return f"{first} The embedding adds to {baseline_name}: {numbers}."
    return f"{first} Adding the embedding to {baseline_name} makes the prediction worse: {numbers}."


def auc_difference(one: AucDifference, adjusted: Adjusted, names: Mapping[str, str]) -> str:
    """A line on two models: their difference, its direction and its p. names: of the models, by what a probe calls
    them.
    """
    outcome = f"no difference from {names[one.than]} shown"
    if adjusted.p < ALPHA:
        outcome = f"{'better' if one.value > 0 else 'worse'} than {names[one.than]}"
    return f"{names[one.better]} minus {names[one.than]}: {_difference(one, adjusted)}, {outcome}"


def _difference(one: AucDifference, adjusted: Adjusted) -> str:
    return f"{one.value:+z.2f} [{one.low:+z.2f}, {one.high:+z.2f}], {p_in_sentence(one.p, 'two-sided', adjusted)}"


@verdict.register
def audit(result: ShortcutAudit) -> str:
    """Which columns alone explain the stage axis."""
    asked = [one for one in result.columns if not one.note]
    if not asked:
        return "None of the columns can be audited; the reasons are below."
    of_all = f"of {counted(len(asked), 'column')}"
    explaining = [one.name for one in asked if one.explains_axis]
    if explaining:
        each = "alone explains" if len(explaining) == 1 else "each alone explain"
        return f"{len(explaining)} {of_all} {each} the stage axis here: {', '.join(explaining)}."
    both = [one for one in asked if one.is_associated and one.is_predicted]
    if not both:
        none = f"None {of_all} is shown" if len(asked) > 1 else f"{asked[0].name} is not shown"
        return f"{none} both to be associated with stage and to be predicted by the vectors."
    named = ", ".join(one.name for one in both)
    said = (
        f"{len(both)} {of_all} {_agree(both, 'is', 'are')} associated with stage and predicted by the vectors ({named})"
    )
    if not any(one.has_axis for one in both):
        if result.axis.p_adjusted < ALPHA:
            return f"{said}, but on the cases that have a value no stage axis is shown that could be explained."
        return f"{said}, but no stage axis is shown that could be explained ({axis_words(result.axis)})."
    outcome = "it alone does not explain" if len(both) == 1 else "none of them alone explains"
    return f"{said}, but {outcome} the stage axis."


def audit_resolution(result: ShortcutAudit) -> str | None:
    """What to say where so few permutations were drawn that one column alone can never be found, or None."""
    asked = result.n_tested
    least = asked / (result.n_permutations + 1)
    if least < ALPHA:
        return None
    return (
        f"With {counted(result.n_permutations, 'permutation')} and {counted(asked, 'column')} a single column cannot "
        f"reach an adjusted p below {p_number(min(least, 1.0))}, so a shortcut can be missed: choose at least "
        f"{int(asked / ALPHA)} permutations."
    )


def search(sentence: str, case_ids: Sequence[str], similarity: Sequence[float]) -> str:
    """Which scans are most similar to a sentence; `case_ids` and `similarity` in the order of the ranking."""
    first, values = ", ".join(list(case_ids)[:3]), list(similarity)
    return (
        f"“{' '.join(sentence.split())}”: most similar of {counted(len(case_ids), 'scan')}: {first} (similarity "
        f"{values[0]:z.2f}; the least similar has {values[-1]:z.2f}). A ranking, not a diagnosis."
    )


def _agree(several: Sequence[object], one: str, many: str = "") -> str:
    """A verb for so many subjects: `changes` or `change`."""
    return (one if many else f"{one}s") if len(several) == 1 else many or one


def look_up(case_ids: Sequence[str], cosine: Sequence[float]) -> str:
    """Which scans are most similar to a new one; both lists have the most similar first."""
    values = list(cosine)
    if values[0] > SAME_SCAN:
        return f"This scan, or a copy of it, is in the cohort as {case_ids[0]} (cosine {values[0]:.5f})."
    return (
        f"The most similar scan is {case_ids[0]} (cosine {values[0]:.3f}). Similarity in the embedding is not a "
        "diagnosis, and the stage of a neighbour is not the stage of this scan."
    )


def event_reading(result: SurvivalByScore) -> str:
    """Which values of the event column count as an event, and which as censored."""
    event, censored = (", ".join(map(repr, values)) for values in (result.read_as_event, result.read_as_censored))
    return f"Counted as an event: {event or 'no value'}. Counted as censored: {censored or 'no value'}."


@verdict.register
def survival(result: SurvivalByScore, score_name: str = "the score") -> str:
    """Whether survival is associated with the score, and whether that remains with the covariates."""
    alone = result.score_alone
    if alone is None:
        return (
            f"Not tested: {counted(result.n_events, 'event')} among {counted(result.n, 'patient')} are too few to test "
            f"{score_name}. The curves are descriptive only."
        )
    ratio = f"hazard ratio {alone.hazard_ratio:.2f} [{alone.low:.2f},\u00a0{alone.high:.2f}] per standard deviation"
    ratio += f", {p_in_sentence(alone.p, 'two-sided')}"
    groups = f"log-rank over the groups, {p_in_sentence(result.logrank_p, 'two-sided')}"
    c_index = f"C-index {result.c_index:.2f} [{result.c_index_low:.2f},\u00a0{result.c_index_high:.2f}], 0.5 is chance"
    if alone.p >= ALPHA:
        if result.logrank_p >= ALPHA:
            return f"No difference in survival by {score_name} is shown ({ratio}; {groups}; {c_index})."
        return (
            f"Survival differs between groups of {score_name} ({groups}), but no steady trend with it is shown "
            f"({ratio}): rely on the curves, not on the ratio."
        )
    course = "worse" if alone.hazard_ratio > 1 else "better"
    first = f"Patients with a higher {score_name} have {course} survival ({ratio}; {c_index})."
    if result.logrank_p >= ALPHA:
        first += f" Between its groups no difference is shown ({groups})."
    if not result.cox:
        return f"{first} The model with covariates cannot be fitted."
    if len(result.cox) == 1:
        return f"{first} Whether this goes beyond stage or size is not tested: choose covariates above."
    beside = result.cox[0]
    adjusted = Adjusted(beside.p_adjusted, len(result.cox), FALSE_DISCOVERY, "terms")
    remains = beside.p_adjusted < ALPHA and (beside.hazard_ratio > 1) == (course == "worse")
    return (
        f"{first} After adjustment for the covariates this {'remains' if remains else 'is no longer shown'} (hazard "
        "ratio "
        f"{beside.hazard_ratio:.2f} [{beside.low:.2f},\u00a0{beside.high:.2f}], "
        f"{p_in_sentence(beside.p, 'two-sided', adjusted)})."
    )


_BETTER_AT = {"rho": "follow stage", "AUC": "predict the class", "mAP": "find cases of the same label"}
_SIGNS = {"rho": "ρ", "AUC": "AUC", "mAP": "mAP"}


@verdict.register
def set_comparison(result: SetComparison) -> str:
    """Which of the sets is better in this measure, adjusted for the number of pairs."""
    sign = _SIGNS[result.measure]

    def numbers(one: SetDifference) -> str:
        # The better of the pair less the other, as the sentence has it.
        low, high = (one.low, one.high) if one.value >= 0 else (-one.high, -one.low)
        p = p_in_sentence(one.p, "two-sided", result.adjusted(one))
        return f"difference in {sign} {abs(one.value):.2f} [{low:z.2f},\u00a0{high:z.2f}], {p}"

    found = sorted((one for one in result.differences if one.p_adjusted < ALPHA), key=lambda one: one.p_adjusted)
    beyond_chance = ""
    if result.measure == "rho" and all(one.p >= ALPHA for one in result.chance_adjusted):
        beyond_chance = " None of the sets is shown to follow stage beyond chance."
    if not found:
        many = "the two sets" if len(result.sets) == 2 else f"any two of the {len(result.sets)} sets"
        widest = max(result.differences, key=lambda one: abs(one.value))
        return (
            f"It is not shown that {many} differ in how well they {_BETTER_AT[result.measure]} "
            f"(largest {numbers(widest)}).{beyond_chance}"
        )
    best = found[0]
    better, worse = (best.first, best.second) if best.value > 0 else (best.second, best.first)
    others = len(found) - 1
    more = (
        f" {others} more of {len(result.differences)} pairs {'differ' if others > 1 else 'differs'}." if others else ""
    )
    verb = {"rho": "follows stage", "AUC": "predicts the class", "mAP": "finds cases of the same label"}
    return f"{better} {verb[result.measure]} better than {worse} ({numbers(best)}).{more}{beyond_chance}"


@verdict.register
def set_similarity(result: SetSimilarity, k: int | None = None) -> str:
    """How much of the neighbourhoods of k cases the sets share, beside chance; k: the smallest that was computed."""
    k = result.k[0] if k is None else k
    at_k = [one for one in result.overlaps if one.k == k]
    least, most = min(at_k, key=lambda one: one.value), max(at_k, key=lambda one: one.value)
    chance = f"chance {least.chance:.2f}"

    def words(value: float, low: float, high: float) -> str:
        return f"{value:.2f} [{low:.2f},\u00a0{high:.2f}]"

    if len(at_k) == 1:
        shown = "share more" if least.low > least.chance else "are not shown to share more"
        return (
            f"Of the {k} nearest cases of other patients the two sets {shown} than by chance "
            f"(mean Jaccard index {words(least.value, least.low, least.high)}, {chance})."
        )
    return (
        f"Of the {k} nearest cases of other patients, {most.first} and {most.second} share most (mean Jaccard index "
        f"{words(most.value, most.low, most.high)}), {least.first} and {least.second} least "
        f"({words(least.value, least.low, least.high)}; {chance})."
    )
