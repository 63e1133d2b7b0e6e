"""The encoder shown in docs/encoders.md works as it stands there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from flexict.hub.plugins import open_encoder
from flexict.hub.registry import REGISTRY
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "encoders.md").read_text("utf-8")


def test_the_page_names_every_encoder_and_its_width() -> None:
    for spec in REGISTRY.values():
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{spec.name}`"))
        assert f"`{spec.pooling}`, {spec.width}" in row
        assert f"| {spec.patch} |" in row
        assert [view for view in ("volume", "slices", "lesion") if view in row.split("|")[2]] == [
            view for view in ("volume", "slices", "lesion") if view in spec.views
        ]


def test_the_encoder_on_the_page_registers_and_encodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```(?:python|toml)\n(.*?)```", PAGE, re.DOTALL)
    toml = next(block for block in blocks if "entry-points" in block)
    code = next(block for block in blocks if "class DensityEncoder" in block)
    assert len(code.splitlines()) <= 30
    name, target = re.search(r'^(\w+) = "(.+)"$', toml, re.MULTILINE).groups()  # type: ignore[union-attr]
    (tmp_path / "density_encoder.py").write_text(code)
    info = tmp_path / "density_encoder-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: density-encoder\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[flexict.encoders]\n{name} = {target}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "density_encoder", raising=False)
    encoder = open_encoder(name)
    assert encoder.views == {"lesion": "lesion_mask"}
    vectors = encoder.encode(np.random.default_rng(0).normal(size=(2, 1, 8, 8, 8)).astype(np.float32))
    assert vectors.shape == (2, encoder.width)
