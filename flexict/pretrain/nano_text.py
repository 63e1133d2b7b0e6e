"""The text tower of flexict-nano-vlm: the architecture of the published one, and a tokenizer trained on reports."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from flexict.hub.registry import NANO_JOINT_WIDTH
from flexict.phantoms.phantom import Truth
from flexict.pretrain.phantom_views import VIEWS
from flexict.pretrain.reports import findings, full_report, varied_report
from flexict.text.text_tower import NEGATIVE, POSITIVE

PAD, END = "<pad>", "<end>"
VOCABULARY = 512
LONGEST = 256
REPORTS_A_VIEW = 4
CONFIG: dict[str, Any] = {
    "model_type": "qwen3",
    "vocab_size": VOCABULARY,
    "hidden_size": NANO_JOINT_WIDTH,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": LONGEST,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": None,
}


def write_tower_folder(folder: Path, truths: Iterable[Truth], seed: int) -> None:
    """Write `config.json` and the tokenizer, trained on reports of these patients; it can tokenise any text."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(truths, seed), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    words = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": PAD,
        "eos_token": END,
        "padding_side": "left",
        "model_max_length": LONGEST,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(words, indent=1) + "\n", encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=1) + "\n", encoding="utf-8")


def _corpus(truths: Iterable[Truth], seed: int) -> Iterable[str]:
    rng = np.random.default_rng(seed)
    for truth in truths:
        yield full_report(truth)
        for view in VIEWS:
            for _ in range(REPORTS_A_VIEW):
                yield varied_report(truth, view, rng)
            for finding in findings(truth, view):
                yield POSITIVE.format(finding=finding.phrase)
                yield NEGATIVE.format(finding=finding.phrase)
