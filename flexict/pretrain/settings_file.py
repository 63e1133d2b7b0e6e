"""A stage's TOML file as its settings."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from flexict.errors import FlexiCTError

Settings = TypeVar("Settings")


def read_settings(path: Path, kind: type[Settings]) -> Settings:
    """The file's values as the dataclass `kind`; lists become tuples.

    Raises:
        FlexiCTError: naming absent or unknown settings.
    """
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    described: Any = kind
    unknown = sorted(set(content) - {field.name for field in fields(described)})
    if unknown:
        raise FlexiCTError(f"{path} has settings that do not exist: {', '.join(unknown)}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in content.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise FlexiCTError(f"{path} is incomplete: {error}") from error
