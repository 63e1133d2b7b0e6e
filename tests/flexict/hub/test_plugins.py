"""Encoders of other packages: found by entry point, checked, and used by the job like any other."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from flexict.errors import FlexiCTError
from flexict.hub.plugins import AS_IT_COMES, ForeignEncoder, PluginError, encoder_names, open_encoder
from flexict.hub.registry import REGISTRY

GOOD = """
import numpy as np

class MeanHU:
    name, preset, width = "mean-hu", "lesion_mask", 2

    def __init__(self, device):
        self.device = device

    def encode(self, batch):
        flat = batch.reshape(len(batch), -1)
        return np.stack([flat.mean(axis=1), flat.std(axis=1)], axis=1)
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`install(code, name)`: a package with one module and an entry point `name` to its `MeanHU`, as pip leaves it."""

    def make(code: str = GOOD, name: str = "mean-hu", target: str = "their_encoder:MeanHU") -> None:
        (tmp_path / "their_encoder.py").write_text(code)
        folder = tmp_path / "their_encoder-1.2.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: their-encoder\nVersion: 1.2\n")
        (folder / "entry_points.txt").write_text(f"[flexict.encoders]\n{name} = {target}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "their_encoder", raising=False)

    return make


def test_an_installed_encoder_is_found_and_says_where_it_comes_from(install) -> None:
    assert encoder_names() == list(REGISTRY)
    install()
    assert encoder_names() == [*REGISTRY, "mean-hu"]
    encoder = open_encoder("mean-hu")
    assert isinstance(encoder, ForeignEncoder)
    assert (encoder.width, encoder.views, encoder.pooling) == (2, {"lesion": "lesion_mask"}, AS_IT_COMES)
    assert encoder.weights_source == "entry point of their-encoder 1.2"
    assert len(encoder.weights_sha256) == 64
    assert not encoder.is_published
    x = np.random.default_rng(0).normal(size=(3, 1, 4, 4, 4)).astype(np.float32)
    assert encoder.encode(x).dtype == np.float32
    assert np.allclose(encoder.encode(x)[:, 0], x.mean(axis=(1, 2, 3, 4)), atol=1e-6)


def test_another_version_of_the_package_is_another_encoder_unless_it_names_its_weights(install, tmp_path: Path) -> None:
    install()
    before = open_encoder("mean-hu").weights_sha256
    metadata = tmp_path / "their_encoder-1.2.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text(encoding="utf-8").replace("1.2", "1.3"))
    assert open_encoder("mean-hu").weights_sha256 != before
    (tmp_path / "their_encoder.py").write_text(GOOD + "    weights_sha256 = 'ab' * 32\n")
    sys.modules.pop("their_encoder")
    assert open_encoder("mean-hu").weights_sha256 == "ab" * 32


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise OSError('no licence')", r"mean-hu of their-encoder 1\.2 cannot be loaded \(OSError: no licence\)"),
        ("x = 1", "cannot be loaded .*MeanHU"),
        (GOOD.replace("def encode", "def embed"), "lacks encode"),
        (GOOD.replace('"mean-hu"', '"other"'), "calls itself 'other'"),
        (GOOD.replace("lesion_mask", "whole"), "preset 'whole': choose one of default"),
        (GOOD.replace('"lesion_mask", 2', '"lesion_mask", 0'), "width 0"),
    ],
)
def test_an_encoder_that_cannot_be_used_is_refused_with_its_package(install, code: str, message: str) -> None:
    install(code)
    with pytest.raises(PluginError, match=message):
        open_encoder("mean-hu")


def test_no_package_takes_the_name_of_the_family(install) -> None:
    install(name="flexict-nano")
    assert encoder_names() == list(REGISTRY)
    assert open_encoder("flexict-nano").weights_source.startswith("bundled")


def test_options_of_the_family_are_not_for_others(install) -> None:
    install()
    with pytest.raises(FlexiCTError, match="decides for itself"):
        open_encoder("mean-hu", pooling="cls")


def test_an_unknown_name_lists_all_encoders(install) -> None:
    install()
    with pytest.raises(FlexiCTError, match=r"no encoder 'x': choose one of flexict-2d.*mean-hu"):
        open_encoder("x")
