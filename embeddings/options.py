"""Settings declared once for Python and for the command line: dataclass fields that are also options of a command."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterator
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, TypeVar

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class _Option:
    flag: str
    parse: Callable[[Any], Any] | None
    words: Callable[[Any], list[str]]
    keywords: dict[str, Any]


def option(
    flag: str,
    help: str | None = None,
    *,
    default: Any = MISSING,
    parse: Callable[[Any], Any] | None = None,
    words: Callable[[Any], list[str]] = lambda value: [str(value)],
    **keywords: Any,
) -> Any:
    """A dataclass field that is also an option.

    Args:
        flag: such as `--batch-size`; the name of the field for a positional argument.
        help: what `--help` says; it describes the field too.
        default: without one the option is required.
        parse: turns what argparse gives into the value of the field; its errors are shown as they are.
        words: the reverse of `parse`; the option is repeated for each word.
        keywords: others of `argparse.ArgumentParser.add_argument`.
    """
    keywords["help"] = help
    return field(default=default, metadata={"option": _Option(flag, parse, words, keywords)})


def add_options(command: argparse.ArgumentParser, settings: type, only: Collection[str] | None = None) -> None:
    """Add the options of a settings class, or those of the fields named in `only`."""
    for one, found in _options(settings):
        if only is not None and one.name not in only:
            continue
        keywords = dict(found.keywords)
        if found.flag.startswith("-"):
            keywords |= {"dest": one.name, "required": one.default is MISSING}
        # An option that is not given stays out of the namespace: the class knows its default.
        command.add_argument(found.flag, default=argparse.SUPPRESS, **keywords)


def settings_from(settings: type[Settings], arguments: argparse.Namespace) -> Settings:
    """The settings that parsed arguments give. Raises what the options' `parse` and the class itself raise."""
    given = {}
    for one, found in _options(settings):
        if hasattr(arguments, one.name):
            value = getattr(arguments, one.name)
            given[one.name] = value if found.parse is None else found.parse(value)
    return settings(**given)


def words_of(settings: Any) -> list[str]:
    """The words of a command line that gives these settings; empty ones (None and ()) are left out."""
    words: list[str] = []
    for one, found in _options(type(settings)):
        value = getattr(settings, one.name)
        if value is not None and value != ():
            for word in found.words(value):
                words += [found.flag, word] if found.flag.startswith("-") else [word]
    return words


def _options(settings: Any) -> Iterator[tuple[Field[Any], _Option]]:
    return ((one, one.metadata["option"]) for one in fields(settings) if "option" in one.metadata)
