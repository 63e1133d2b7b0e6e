"""The steps of the tour: the page, what to do there, what it shows, and what that does not prove."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step. page: the file of the screen, without folder and ending. Texts are our own Markdown."""

    page: str
    title: str
    do: str
    see: str
    caution: str


STEPS = (
    Step(
        "cohort",
        "Cohort",
        "Read the four numbers, then the table of embedding sets.",
        "How many scans and patients the file has, and one line for each way in which they were turned into vectors. "
        "Scans that failed are listed with the reason.",
        "That a scan was embedded does not mean that its vector is good.",
    ),
    Step(
        "map",
        "Map",
        "Colour by *stage*, then by *scanner* or *kernel*. Drag around a group of points to select its scans.",
        "Which scans are close together. The selection applies to every page until you clear it in the sidebar.",
        "A map always shows shapes. Its groups and distances are not tested here; the next page tests them.",
    ),
    Step(
        "gradient",
        "Stage gradient",
        "Read the sentence in bold, then compare *Out of fold ρ* with *In sample ρ*.",
        "How well an axis through the vectors follows stage on patients it was not fitted to, compared with permuted "
        "stages, and what remains of it beyond tumour size.",
        "An axis that follows stage is an association. It is not a cause, and not a way to stage a patient.",
    ),
    Step(
        "audit",
        "Shortcuts",
        "Look for columns above their chance tick, and read the sentence on each.",
        "Whether scanner, kernel, age or size are associated with stage *and* predicted by the vectors, so that one of "
        "them could explain the stage axis.",
        "A column without a finding may still be a shortcut, and what was not recorded cannot be tested.",
    ),
    Step(
        "probes",
        "Probes",
        "Choose what to predict, and a tumour size as baseline.",
        "The AUC of the vectors, of the size, and of both on the same folds: what the vectors add to a simple "
        "measurement.",
        "A good AUC in one cohort may not hold in other hospitals, and does not show what the vectors rely on.",
    ),
    Step(
        "survival",
        "Survival",
        "Keep the stage axis as the score and choose covariates.",
        "Whether patients with a higher score have worse survival, and whether that remains after adjustment for stage "
        "and size.",
        "Curves of groups say nothing about a single patient, and the score comes from the same cohort.",
    ),
    Step(
        "neighbours",
        "Neighbours",
        "Choose a scan and compare it with the most similar scans, slice by slice.",
        "Which scans are similar in the embedding, and how often such scans share a label, compared with chance.",
        "Similar in the embedding does not mean similar in disease.",
    ),
    Step(
        "compare",
        "Compare encoders",
        "Keep two sets, such as lesion crops and whole volumes, and read the differences.",
        "Which set follows stage better on the same folds, and on which scans the two disagree most.",
        "“Not shown to differ” does not mean “equal”. Where two sets disagree, neither is known to be right.",
    ),
    Step(
        "search",
        "Text search",
        "Describe a lesion, such as *large spiculated solid mass*, and look at the first scans.",
        "Which scans are most similar to the sentence. On the second tab, findings become columns that can colour the "
        "map.",
        "This encoder learned its words from simulated chests. A ranking does not show that any scan fits.",
    ),
    Step(
        "report",
        "Report",
        "Choose the stage and the size, and build the report.",
        "All analyses in one figure, with its numbers and a methods paragraph, to download.",
        "Every figure of this cohort says that it is simulated. Nothing here is a finding about patients.",
    ),
)
