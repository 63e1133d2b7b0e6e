"""One declaration of a setting for Python and for the command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from embeddings.job.settings import CsvSettings, JobSettings
from embeddings.options import add_options, option, settings_from, words_of


@dataclass(frozen=True, kw_only=True)
class Colours:
    picture: Path = option("the picture", flag="picture")
    depth_mm: float = option("depth", 1.5, flag="--depth")
    n_colours: int | None = option("how many", None)
    names: tuple[str, ...] = option(
        "names", (), parse=lambda text: tuple(text.split(",")), words=lambda n: [",".join(n)]
    )
    thinner: tuple[str, ...] = option("repeated", (), parse=tuple, words=list, action="append")
    dry: bool = option("do nothing", False)
    frame: bool = option("without a frame", True, flag="--no-frame")


def read(settings: type, words: Sequence[str]) -> object:
    parser = argparse.ArgumentParser()
    add_options(parser, settings)
    return settings_from(settings, parser.parse_args(words))


def test_what_is_not_given_has_the_default_of_the_class() -> None:
    assert read(Colours, ["a.png"]) == Colours(picture=Path("a.png"))


def test_words_become_values_of_the_type_of_the_field() -> None:
    words = ["a.png", "--depth", "2", "--n-colours", "3", "--names", "red,blue", "--dry", "--no-frame"]
    assert read(Colours, words) == Colours(
        picture=Path("a.png"), depth_mm=2.0, n_colours=3, names=("red", "blue"), dry=True, frame=False
    )


def test_settings_give_the_words_that_give_them_back() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Plain:
        picture: str = option("the picture", flag="picture")
        n_colours: int | None = option("how many", None)
        thinner: tuple[str, ...] = option("repeated", (), parse=tuple, words=list, action="append")

    settings = Plain(picture="a b.png", thinner=("oil", "water"))
    assert words_of(settings) == ["a b.png", "--thinner", "oil", "--thinner", "water"]
    assert read(Plain, words_of(settings)) == settings


def test_an_option_without_a_default_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        read(JobSettings, [])
    assert "--view" in capsys.readouterr().err


def test_a_command_may_have_some_of_the_options() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, CsvSettings, ["mask_label"])
    assert settings_from(CsvSettings, parser.parse_args(["--mask-label", "3"])) == CsvSettings(mask_label="3")
    with pytest.raises(SystemExit):
        parser.parse_args(["--data-root", "/ct"])


def test_the_command_line_of_a_job_gives_its_settings() -> None:
    words = ["--view", "lesion", "volume", "--scale", "1.5", "2", "--map", "stage=T", "--map", "patient_id="]
    words += ["--shard", "2/3", "--patch", "8,16,16", "--cache", "kept", "--no-thumbnails", "--retry-failed"]
    assert read(JobSettings, words) == JobSettings(
        views=("lesion", "volume"),
        scale=[1.5, 2.0],
        mapping={"stage": "T", "patient_id": None},
        shard=(2, 3),
        patch=(8, 16, 16),
        cache=Path("kept"),
        thumbnails=False,
        retry_failed=True,
    )
    assert read(JobSettings, ["--view", "slices"]) == JobSettings(views=("slices",))
