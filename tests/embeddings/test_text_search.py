"""Text against a store: the order of scans, the scores of findings, and stores that cannot be asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from embeddings import job
from embeddings.__main__ import main
from embeddings.store.store import Store, StoreError
from embeddings.text_search import TextSearchError, open_tower, score_findings, search, text_sets
from flexict.phantoms import chest_phantom
from flexict.text.text_tower import TextError, load_text_tower, similarity, zero_shot


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Four simulated chests, embedded with flexict-nano-vlm."""
    folder = tmp_path_factory.mktemp("asked")
    rows = ["case_id,image_path,mask_path"]
    for seed in range(4):
        phantom = chest_phantom(seed, spacing_mm=4.0)
        for kind, volume in (("ct", phantom.ct), ("mask", phantom.mask)):
            sitk.WriteImage(volume.to_sitk(), str(folder / f"{seed}_{kind}.nii.gz"))
        rows.append(f"=p{seed},{seed}_ct.nii.gz,{seed}_mask.nii.gz")
    (folder / "cohort.csv").write_text("\n".join(rows) + "\n")
    job.run(folder / "cohort.csv", folder / "c.duckdb", encoder="flexict-nano-vlm", view="volume")
    job.run(folder / "cohort.csv", folder / "c.duckdb", encoder="flexict-nano-vlm", view="volume", pooling="pooled")
    return Store(folder / "c.duckdb")


def test_scans_come_in_the_order_of_their_similarity_to_the_sentence(asked: Store) -> None:
    tower, set_id = open_tower(asked)
    assert list(text_sets(asked)["set_id"]) == [set_id]
    found = search(asked, "right pleural effusion", tower, set_id)
    ids, vectors = asked.vectors(set_id)
    scores = similarity(vectors, tower.encode(["right pleural effusion"]), tower.logit_scale)[:, 0]
    assert list(found["item_id"]) == [ids[i] for i in np.argsort(-scores)]
    assert np.allclose(found["similarity"], np.sort(scores)[::-1])


def test_findings_become_columns(asked: Store) -> None:
    tower, set_id = open_tower(asked)
    table = score_findings(asked, ["pleural effusion", "emphysema"], tower, set_id)
    assert list(table.columns) == ["item_id", "case_id", "pleural effusion", "emphysema"]
    ids, vectors = asked.vectors(set_id)
    wanted = dict(zip(ids, zero_shot(vectors, tower, ["emphysema"])[:, 0], strict=True))
    assert np.allclose(table["emphysema"], [wanted[item] for item in table["item_id"]])
    assert table["emphysema"].between(0, 1).all()


def test_the_commands_print_the_order_and_write_a_defused_table(
    asked: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["search", str(asked.path), "spiculated mass", "--top", "2", "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[0].startswith("4 scans of flexict-nano-vlm.volume.")
    assert len(lines) == 3
    out = tmp_path / "new" / "scores.csv"
    words = ["zero-shot", str(asked.path), "emphysema", "=mass", "--out", str(out), "--device", "cpu"]
    assert main(words) == 0
    table = pd.read_csv(out)
    assert list(table.columns) == ["item_id", "case_id", "emphysema", "'=mass"]
    assert set(table["case_id"]) == {f"'=p{n}" for n in range(4)}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search", "{db}", " "], "text 1 of 1 is empty"),
        (["search", "{db}", "mass " * 400], "shorten it"),
        (["search", "{db}", "mass", "--top", "0"], "--top must be 1 or more"),
        (["search", "{db}", "mass", "--set", "x"], "the set x of"),
        (["search", "{db}", "mass", "--text-tower", "{db}"], r"no config\.json"),
        (["zero-shot", "{db}", "mass", "", "--out", "{db}.csv"], "finding is empty"),
    ],
)
def test_what_cannot_be_asked_is_said(
    asked: Store, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main([word.format(db=asked.path) for word in words] + ["--device", "cpu"]) == 2
    assert pd.Series([capsys.readouterr().err]).str.contains(message).all()


def test_a_set_of_tokens_shares_no_space_with_text(asked: Store) -> None:
    tower, set_id = open_tower(asked)
    other = next(one for one in asked.sets()["set_id"] if one != set_id)
    with pytest.raises(TextSearchError, match="share no space"):
        search(asked, "mass", tower, other)
    with pytest.raises(StoreError, match="no embedding set 'y'"):
        search(asked, "mass", tower, "y")


def test_a_tower_of_other_weights_is_refused(asked: Store) -> None:
    from dataclasses import replace

    tower, set_id = open_tower(asked)
    with pytest.raises(TextSearchError, match="other weights"):
        search(asked, "mass", replace(tower, weights_sha256="0" * 64), set_id)


def test_a_store_without_text_says_how_to_get_it(asked: Store, tmp_path: Path) -> None:
    cohort = asked.path.parent / "cohort.csv"
    job.run(cohort, tmp_path / "plain.duckdb", encoder="flexict-nano", view="volume")
    with pytest.raises(TextSearchError, match="has no set whose vectors share a space with text: embed"):
        open_tower(Store(tmp_path / "plain.duckdb"))


def test_any_text_has_tokens_in_the_bundled_tower() -> None:
    tower = load_text_tower("flexict-nano-vlm")
    found = tower.encode(["Pneumothorax?", "größte Läsion", "肿瘤", "x" * 50])
    assert np.allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    with pytest.raises(TextError, match="empty"):
        tower.encode([""])
