"""The steps of the tour: on which page, what to do there, what to see, and what that does not prove."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step. page: the file of the screen, without folder and ending. Texts are Markdown of this project's own."""

    page: str
    title: str
    do: str
    see: str
    not_proven: str


STEPS = (
    Step(
        "cohort",
        "Cohort",
        "Read the four numbers, then the table of embedding sets below them.",
        "How many scans of how many patients the file holds, and one line for each way they were turned into vectors. "
        "A scan that failed would be listed with its reason.",
        "That a scan was embedded says nothing of whether its vector is good.",
    ),
    Step(
        "map",
        "Map",
        "Colour by *stage*, then by *scanner* or *kernel*. Draw round a group of points to select its scans.",
        "Which scans lie together. The selection stays when you go to another page, until you clear it at the side.",
        "A map always shows shapes. Groups and distances in it are not tested: the next page tests them.",
    ),
    Step(
        "gradient",
        "Stage gradient",
        "Read the sentence in bold, then compare *Out of fold ρ* with *In sample ρ*.",
        "How far an axis through the vectors follows stage on patients it was not fitted to, against permuted stages, "
        "and what is left of it beyond tumour size.",
        "An axis that follows stage is an association. It is not a cause, and not a way to stage a patient.",
    ),
    Step(
        "audit",
        "Shortcuts",
        "Look for columns above their chance tick, and read the sentence of each.",
        "Whether scanner, kernel, age or size are associated with stage *and* are predicted by the vectors, so that "
        "one of them could explain the stage axis.",
        "A column that is not found is not shown to be harmless, and what was not recorded cannot be tested.",
    ),
    Step(
        "probes",
        "Probes",
        "Choose what to predict and a tumour size as baseline.",
        "The AUC of the vectors, of the size, and of both, on the same folds: what the vectors add to a plain "
        "measurement.",
        "A good AUC in one cohort does not carry over to other hospitals, nor does it say what the vectors look at.",
    ),
    Step(
        "survival",
        "Survival",
        "Keep the stage axis as score and choose covariates.",
        "Whether patients with a higher score fare worse, and whether that holds beside stage and size.",
        "Curves of groups say nothing about the course of one patient, and the score was made from the same cohort.",
    ),
    Step(
        "neighbours",
        "Neighbours",
        "Pick a scan and look at the scans that are most similar, slice beside slice.",
        "Which scans are similar in the embedding, and how often such scans share a label, beside chance.",
        "Similar in the embedding is not similar in disease.",
    ),
    Step(
        "compare",
        "Compare encoders",
        "Keep two sets, such as lesion crops and whole volumes, and read the differences.",
        "Which set follows stage better on the same folds, and the scans on which the two disagree most.",
        "Not shown to differ is not shown to be equal. Where two sets disagree, neither is known to be right.",
    ),
    Step(
        "search",
        "Text search",
        "Type what a lesion looks like, such as *large spiculated solid mass*, and look at the first scans.",
        "Which scans a sentence fits best. Below, findings become columns that can colour the map.",
        "The words of this encoder come from simulated chests. An order of scans says nothing of whether any fits.",
    ),
    Step(
        "report",
        "Report",
        "Choose the stage and the size, and make the report.",
        "All analyses as one figure with its numbers and a methods paragraph, to download.",
        "Every figure of this cohort says that it is simulated. Nothing here is a finding about patients.",
    ),
)
