"""One plain sentence for each result, so that a number is never left without its meaning."""

from __future__ import annotations

from embeddings.analysis import AxisEvidence, Probe, Pseudotime, StageGradient

ALPHA = 0.05


def p_words(p: float, n_permutations: int) -> str:
    """A permutation p-value, which cannot be smaller than one over the permutations plus one."""
    least = 1 / (n_permutations + 1)
    # No-break spaces keep a number with its sign at the end of a line.
    return f"p\u00a0≤\u00a0{least:.2g}" if p <= least * 1.0001 else f"p\u00a0=\u00a0{p:.3f}"


def rho_words(evidence: AxisEvidence) -> str:
    """Correlation with interval."""
    return f"ρ\u00a0=\u00a0{evidence.rho:z.2f} [{evidence.rho_low:z.2f},\u00a0{evidence.rho_high:z.2f}]"


def gradient(result: StageGradient) -> str:
    """Whether the axis follows stage, and whether that is more than size."""
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
    if after is None or result.size is None:
        return f"{first} Whether this is more than tumour size is not tested yet: choose a size above."
    beyond = [e is not None and e.p_permutation < ALPHA for e in (after, matched)]
    if all(beyond):
        return f"{first} It holds after size is removed from the vectors and among cases of like size."
    if not any(beyond):
        return f"{first} It is not shown to be more than tumour size: after size is accounted for, none can be shown."
    which = "after size is removed from the vectors" if beyond[0] else "among cases of like size"
    other = "among cases of like size" if beyond[0] else "after size is removed from the vectors"
    return f"{first} Beyond size the evidence is mixed: it holds {which}, but not {other}."


def trajectory(result: Pseudotime) -> str:
    """Whether pseudotime follows stage, and whether it beats the first principal component."""
    follows = result.p_permutation < ALPHA
    first = (
        f"Pseudotime {'follows' if follows else 'does not follow'} stage "
        f"{'beyond chance' if follows else 'more than chance allows'} (ρ = {result.rho:z.2f} "
        f"[{result.rho_low:z.2f}, {result.rho_high:z.2f}], {p_words(result.p_permutation, result.n_permutations)}; "
        f"the start is chosen anew in every permutation)."
    )
    if abs(result.pc1_rho) >= result.rho:
        return (
            f"{first} The first principal component does as well (ρ = {result.pc1_rho:z.2f}): no trajectory is needed."
        )
    return f"{first} The first principal component reaches ρ = {result.pc1_rho:z.2f}."


def probe(result: Probe, baseline_name: str | None) -> str:
    """What the probe reads, and what it adds to the baseline."""
    auc = result.embedding.auc
    first = (
        f"From the embedding alone, a linear probe tells the classes apart with AUC {auc.value:z.2f} "
        f"[{auc.low:z.2f}, {auc.high:z.2f}] on patients it was not fitted to (0.5 is chance)."
    )
    gain = next((d for d in result.differences if "combined" in d.better), None)
    if gain is None or baseline_name is None:
        return f"{first} Choose a baseline to see what it adds to a plain measurement."
    verdict = "adds to" if gain.p < ALPHA and gain.value > 0 else "is not shown to add to"
    return (
        f"{first} The embedding {verdict} {baseline_name}: difference in AUC {gain.value:+.2f} "
        f"[{gain.low:+.2f}, {gain.high:+.2f}], p = {gain.p:.2g}."
    )
