"""Settings declared once for Python and for the command line: dataclass fields that are also options of a command."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterator
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class _Option:
    flag: str | None
    parse: Callable[[Any], Any] | None
    words: Callable[[Any], list[str]]
    keywords: dict[str, Any]


def option(
    help: str,
    default: Any = MISSING,
    *,
    flag: str | None = None,
    parse: Callable[[Any], Any] | None = None,
    words: Callable[[Any], list[str]] = lambda value: [str(value)],
    **keywords: Any,
) -> Any:
    """A dataclass field that is also an option; a word is read as the type of the field.

    Args:
        help: what `--help` says, which describes the field too.
        default: without one the option is required.
        flag: `--batch-size` of a field `batch_size` unless given; without dashes it is a positional argument.
        parse: turns what argparse gives into the value of the field; its errors are shown as they are.
        words: the reverse of `parse`; the option is repeated for each word.
        keywords: of `argparse.ArgumentParser.add_argument`.
    """
    return field(default=default, metadata={"option": _Option(flag, parse, words, {"help": help, **keywords})})


def add_options(command: argparse.ArgumentParser, settings: type, only: Collection[str] | None = None) -> None:
    """Add the options of a settings class, or those of the fields named in `only`."""
    types = get_type_hints(settings)
    for name, flag, one, default in _options(settings):
        if only is not None and name not in only:
            continue
        # An option that is not given stays out of the namespace: the class knows its default.
        keywords: dict[str, Any] = {"default": argparse.SUPPRESS, **one.keywords}
        if flag.startswith("-"):
            keywords |= {"dest": name, "required": default is MISSING}
        if isinstance(default, bool):
            keywords["action"] = "store_false" if default else "store_true"
        elif one.parse is None:
            named = (types[name], *get_args(types[name]))
            keywords["type"] = next(kind for kind in (str, int, float, Path) if kind in named)
        command.add_argument(flag, **keywords)


def settings_from(settings: type[Settings], arguments: argparse.Namespace) -> Settings:
    """The settings that parsed arguments give. Raises what the options' `parse` and the class itself raise."""
    given = {name: (one.parse, getattr(arguments, name, MISSING)) for name, _, one, _ in _options(settings)}
    found = {name: pair for name, pair in given.items() if pair[1] is not MISSING}
    return settings(**{name: value if parse is None else parse(value) for name, (parse, value) in found.items()})


def words_of(settings: Any) -> list[str]:
    """The words of a command line that gives these settings; empty ones (None and ()) are left out."""
    words: list[str] = []
    for name, flag, one, _ in _options(type(settings)):
        value = getattr(settings, name)
        if value is not None and value != ():
            for word in one.words(value):
                words += [flag, word] if flag.startswith("-") else [word]
    return words


def _options(settings: Any) -> Iterator[tuple[str, str, _Option, Any]]:
    """Name, flag, option and default of every field that is an option."""
    for one in fields(settings):
        if "option" in one.metadata:
            found: _Option = one.metadata["option"]
            yield one.name, found.flag or f"--{one.name.replace('_', '-')}", found, one.default
