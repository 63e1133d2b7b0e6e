"""One plain sentence for each result, so that a number is never left without its meaning."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from embeddings.analysis import (
    AxisEvidence,
    Courses,
    Probe,
    Pseudotime,
    Retrieval,
    SetComparison,
    SetDifference,
    SetSimilarity,
    ShortcutAudit,
    StageGradient,
    SurvivalByScore,
)

ALPHA = 0.05
# Cosine above which two vectors can only be of one scan.
SAME_SCAN = 0.99999
# How the audit begins the verdict on a column that stands in for the stage.
CANNOT_TELL = "Stage cannot be told from"


def p_words(p: float, n_permutations: int) -> str:
    """A permutation p-value, which cannot be smaller than one over the permutations plus one."""
    least = 1 / (n_permutations + 1)
    # No-break spaces keep a number with its sign at the end of a line.
    return f"p\u00a0≤\u00a0{least:.2g}" if p <= least * 1.0001 else f"p\u00a0=\u00a0{p:.3f}"


def rho_words(evidence: AxisEvidence) -> str:
    """Correlation with interval."""
    return f"ρ\u00a0=\u00a0{evidence.rho:z.2f} [{evidence.rho_low:z.2f},\u00a0{evidence.rho_high:z.2f}]"


def warning(text: str, stage_names: Sequence[str]) -> str:
    """A warning of an analysis, with the stage's name where the analysis knows only its code."""
    return re.sub(r"^Stage (\d+)\b", lambda found: f"Stage {stage_names[int(found[1])]}", text)


def gradient(result: StageGradient, taken_out: str = "size", *, without_size: str = "choose a size above") -> str:
    """Whether the axis follows stage, and whether that is more than size.

    taken_out: what the residual axis is without. without_size: what to say where no size was given.
    """
    if result.p_permutation >= ALPHA:
        return (
            f"No gradient shown: on patients it was not fitted to, the stage axis does not follow stage beyond chance "
            f"({rho_words(result)}, {p_words(result.p_permutation, result.n_permutations)})."
        )
    first = (
        f"On patients it was not fitted to, the axis follows stage ({rho_words(result)}, "
        f"{p_words(result.p_permutation, result.n_permutations)})."
    )
    after, matched = result.residual, result.size_matched
    if result.size is not None and after is None:
        return f"{first} Whether this is more than {taken_out} cannot be told: see the warnings."
    if after is None or result.size is None:
        return f"{first} Whether this is more than tumour size is not tested: {without_size}."
    beyond = [e is not None and e.p_permutation < ALPHA for e in (after, matched)]
    if all(beyond):
        return f"{first} It holds with {taken_out} removed from the vectors and among cases of like size."
    if not any(beyond):
        return (
            f"{first} It is not shown to be more than tumour size: with {taken_out} accounted for, no gradient can be "
            "shown."
        )
    ways = (f"with {taken_out} removed from the vectors", "among cases of like size")
    which, other = ways if beyond[0] else ways[::-1]
    return f"{first} Beyond size the evidence is mixed: it holds {which}, but not {other}."


def trajectory(result: Pseudotime) -> str:
    """Whether pseudotime follows stage, and whether it beats the first principal component."""
    follows = result.p_permutation < ALPHA
    first = (
        f"Pseudotime {'follows' if follows else 'does not follow'} stage "
        f"{'beyond chance' if follows else 'more than chance allows'} (ρ\u00a0=\u00a0{result.rho:z.2f} "
        f"[{result.rho_low:z.2f}, {result.rho_high:z.2f}], {p_words(result.p_permutation, result.n_permutations)}; "
        f"the start is chosen anew in every permutation)."
    )
    supervised = (
        f" A supervised stage axis reaches ρ\u00a0=\u00a0{result.supervised_rho:z.2f} on patients it was not fitted to."
        if math.isfinite(result.supervised_rho)
        else ""
    )
    if abs(result.pc1_rho) >= result.rho:
        return (
            f"{first} The first principal component does as well (ρ\u00a0=\u00a0{result.pc1_rho:z.2f}): no trajectory "
            f"is needed.{supervised}"
        )
    return f"{first} The first principal component reaches ρ\u00a0=\u00a0{result.pc1_rho:z.2f}.{supervised}"


def courses(result: Courses, labels: Mapping[str, str]) -> str:
    """Which covariates run along the pseudotime once their number is paid for."""
    asked = len(result.smooths)
    found = [
        f"{labels.get(one.name, one.name)} ({'rises' if one.rho > 0 else 'falls'}, ρ\u00a0=\u00a0{one.rho:z.2f})"
        for one in result.smooths
        if one.p_adjusted < ALPHA
    ]
    if not found:
        return f"None of the {asked} covariates is shown to run along the pseudotime."
    return (
        f"{len(found)} of {asked} covariates {'run' if len(found) > 1 else 'runs'} along the pseudotime: "
        f"{', '.join(found)}."
    )


def retrieval(result: Retrieval) -> str:
    """Whether like cases share the label more often than chance has it."""
    value, low, high, chance = (
        getattr(result, f"mean_average_precision{ending}") for ending in ("", "_low", "_high", "_chance")
    )
    nearest = result.at_k[0]
    words = f"mean average precision {value:.2f} [{low:.2f},\u00a0{high:.2f}], chance {chance:.2f}"
    if low > chance:
        which = "the most alike case" if nearest.k == 1 else f"one of the {nearest.k} most alike cases"
        return (
            f"Cases that are alike in the embedding share the label more often than chance has it ({words}): {which} "
            f"of another patient carries it in {nearest.recall:.0%} of the queries, by chance in "
            f"{nearest.recall_chance:.0%}."
        )
    return f"It is not shown that cases alike in the embedding share the label more often than by chance ({words})."


def probe(
    result: Probe,
    baseline_name: str | None,
    *,
    without_baseline: str = "Choose a baseline to see what it adds to a plain measurement.",
) -> str:
    """What the probe reads, and what it adds to the baseline; without_baseline: what to say where there is none."""
    auc = result.embedding.auc
    words = f"AUC {auc.value:z.2f} [{auc.low:z.2f}, {auc.high:z.2f}]"
    chance = "0.5 is chance"
    if math.isfinite(result.p_chance):
        chance += f"; {p_words(result.p_chance, result.n_permutations)} against it"
    first = (
        f"From the embedding alone, a linear probe tells the classes apart with {words} on patients it was not fitted "
        f"to ({chance})."
    )
    if result.p_chance >= ALPHA:
        first = (
            "Not shown to be better than chance: on patients it was not fitted to, a linear probe on the embedding "
            f"alone reaches {words} ({chance})."
        )
    gain = next((d for d in result.differences if "combined" in d.better), None)
    if gain is None or baseline_name is None:
        return f"{first} {without_baseline}".strip()
    difference = f"difference in AUC {gain.value:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}], p = {gain.p:.2g}"
    if gain.p >= ALPHA:
        return f"{first} The embedding is not shown to add to {baseline_name}: {difference}."
    if gain.value > 0:
        return f"{first} The embedding adds to {baseline_name}: {difference}."
    return f"{first} With the embedding added, {baseline_name} tells less than alone: {difference}."


def audit(result: ShortcutAudit) -> str:
    """From how many columns stage cannot be told, and what stands."""
    asked = [one for one in result.columns if not one.note]
    if not asked:
        return "None of the columns can be audited; why is said below."
    mixed = [one.name for one in asked if one.verdict.startswith(CANNOT_TELL)]
    if mixed:
        return f"Stage cannot be told from {len(mixed)} of {len(asked)} columns here: {', '.join(mixed)}."
    both = [one for one in asked if max(one.association_p_adjusted, one.column_from_vectors_p_adjusted) < ALPHA]
    if both:
        return (
            f"Of {len(asked)} columns {len(both)} {'go' if len(both) > 1 else 'goes'} with stage and can be told from "
            "the vectors, but the stage axis stands without each of them."
        )
    return f"None of {len(asked)} columns is shown both to go with stage and to be held by the vectors."


def audit_resolution(result: ShortcutAudit) -> str | None:
    """What to say where so few permutations were drawn that one column alone can never be found, or None."""
    asked = sum(not one.note for one in result.columns)
    least = asked / (result.n_permutations + 1)
    if least < ALPHA:
        return None
    return (
        f"With {result.n_permutations} permutations and {asked} columns a single column cannot reach an adjusted p "
        f"below {min(least, 1.0):.2g}, so that a shortcut can go unseen: ask for at least {int(asked / ALPHA)} "
        "permutations."
    )


def search(sentence: str, case_ids: Sequence[str], similarity: Sequence[float]) -> str:
    """Which scans a sentence fits best; `case_ids` and `similarity` in the order of the ranking."""
    first, n = ", ".join(list(case_ids)[:3]), len(case_ids)
    values = list(similarity)
    return (
        f"“{' '.join(sentence.split())}”: most like it of {n} scans are {first} (similarity {values[0]:z.2f}, "
        f"the least like has {values[-1]:z.2f}). An order, no diagnosis."
    )


def look_up(case_ids: Sequence[str], cosine: Sequence[float]) -> str:
    """Which scans a new one is most like; both in the order of likeness, most like first."""
    values = list(cosine)
    if values[0] > SAME_SCAN:
        return f"This scan, or a copy of it, is in the cohort as {case_ids[0]} (cosine {values[0]:.5f})."
    return (
        f"Most like this scan is {case_ids[0]} (cosine {values[0]:.3f}). Likeness in the embedding is no diagnosis, "
        "and the stage of a neighbour is not the stage of this scan."
    )


def event_reading(result: SurvivalByScore) -> str:
    """Which values of the event column count as an event, and which as censored."""
    event, censored = (", ".join(map(repr, values)) for values in (result.read_as_event, result.read_as_censored))
    return f"Read as an event: {event or 'no value'}. Read as censored: {censored or 'no value'}."


def survival(result: SurvivalByScore, score_name: str) -> str:
    """Whether survival goes with the score, and whether more than the covariates tell."""
    alone = result.score_alone
    if alone is None:
        return (
            f"No verdict: {result.n_events} events among {result.n} patients do not carry a test of {score_name}. "
            "The curves are a description."
        )
    ratio = f"hazard ratio {alone.hazard_ratio:.2f} [{alone.low:.2f},\u00a0{alone.high:.2f}] per standard deviation"
    groups = f"log-rank p\u00a0=\u00a0{result.logrank_p:.2g}"
    c_index = f"C-index {result.c_index:.2f} [{result.c_index_low:.2f},\u00a0{result.c_index_high:.2f}], 0.5 is chance"
    if alone.p >= ALPHA:
        if result.logrank_p >= ALPHA:
            return f"No difference in survival by {score_name} shown ({ratio}; {groups}; {c_index})."
        return (
            f"Survival differs between groups of {score_name} ({groups}), but not steadily with it ({ratio}): "
            "read the curves, not the ratio."
        )
    course = "worse" if alone.hazard_ratio > 1 else "better"
    first = f"Patients with a higher {score_name} fare {course} ({ratio}, p\u00a0=\u00a0{alone.p:.2g}; {c_index})."
    if result.logrank_p >= ALPHA:
        first += f" Between its groups alone no difference is shown ({groups})."
    if not result.cox:
        return f"{first} The model with covariates cannot be fitted."
    if len(result.cox) == 1:
        return f"{first} Whether this is more than stage or size tells is not tested yet: choose covariates above."
    beside = result.cox[0]
    verdict = (
        "It holds"
        if beside.p_adjusted < ALPHA and (beside.hazard_ratio > 1) == (course == "worse")
        else "It is no longer shown"
    )
    return (
        f"{first} {verdict} with the covariates in the model (hazard ratio {beside.hazard_ratio:.2f} "
        f"[{beside.low:.2f},\u00a0{beside.high:.2f}], adjusted p\u00a0=\u00a0{beside.p_adjusted:.2g})."
    )


_BETTER_AT = {"rho": "follow stage", "AUC": "tell the classes apart", "mAP": "find cases of the same label"}
_SIGNS = {"rho": "ρ", "AUC": "AUC", "mAP": "mAP"}


def set_comparison(result: SetComparison) -> str:
    """Which of the sets is better in this measure, once the number of pairs is paid for."""
    sign = _SIGNS[result.measure]

    def numbers(one: SetDifference) -> str:
        # The better of the pair less the other, as the sentence has it.
        low, high = (one.low, one.high) if one.value >= 0 else (-one.high, -one.low)
        p = "p\u00a0<\u00a00.001" if one.p_adjusted < 0.001 else f"p\u00a0=\u00a0{one.p_adjusted:.2g}"
        return f"difference in {sign} {abs(one.value):.2f} [{low:z.2f},\u00a0{high:z.2f}], adjusted {p}"

    found = sorted((one for one in result.differences if one.p_adjusted < ALPHA), key=lambda one: one.p_adjusted)
    beyond_chance = ""
    if result.measure == "rho" and all(one.p_chance >= ALPHA for one in result.sets):
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
    verb = {"rho": "follows stage", "AUC": "tells the classes apart", "mAP": "finds cases of the same label"}
    return f"{better} {verb[result.measure]} better than {worse} ({numbers(best)}).{more}{beyond_chance}"


def set_similarity(result: SetSimilarity, k: int) -> str:
    """How much of the neighbourhoods the sets share, beside chance."""
    at_k = [one for one in result.overlaps if one.k == k]
    least, most = min(at_k, key=lambda one: one.value), max(at_k, key=lambda one: one.value)
    chance = f"chance {least.chance:.2f}"

    def words(value: float, low: float, high: float) -> str:
        return f"{value:.2f} [{low:.2f},\u00a0{high:.2f}]"

    if len(at_k) == 1:
        verdict = "more than chance has it" if least.low > least.chance else "not shown to be more than by chance"
        return (
            f"Of the {k} nearest cases of other patients the two sets share {verdict} "
            f"(mean Jaccard index {words(least.value, least.low, least.high)}, {chance})."
        )
    return (
        f"Of the {k} nearest cases of other patients, {most.first} and {most.second} share most (mean Jaccard index "
        f"{words(most.value, most.low, most.high)}), {least.first} and {least.second} least "
        f"({words(least.value, least.low, least.high)}; {chance})."
    )
