"""How a result shows itself in a notebook: its verdict, its numbers, n and the warnings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import singledispatch
from html import escape
from typing import Any

from .estimate import Estimate
from .p_values import p_number

# Where the words of a field's name would say less than the field's own symbol.
_LABELS = {
    "n": "cases",
    "p_permutation": "p, one-sided",
    "rho": "rho (Spearman)",
    "rho_in_sample": "rho in sample",
    "seed": "random seed",
}


class Displayed:
    """A result that a notebook shows as a verdict and a table; a mixin without fields of its own."""

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="text-align:left">{escape(label)}</td><td style="text-align:left">{escape(text)}</td></tr>'
            for label, text in numbers(self)
        )
        warnings = "".join(f"<p>Warning: {escape(text)}</p>" for text in getattr(self, "warnings", ()))
        return f"<div><p>{escape(verdict(self))}</p>{warnings}<table><tbody>{rows}</tbody></table></div>"


@singledispatch
def verdict(result: object) -> str:
    """What a result says, in a sentence or two; `verdicts` registers one for each kind of result.

    Raises TypeError on anything that is no result of an analysis.
    """
    raise TypeError(f"{type(result).__name__} is not a result with a verdict")


def numbers(result: Any) -> list[tuple[str, str]]:
    """The numbers of a result as text, in the order of its fields; arrays and lists of parts are left out."""
    return list(_rows(result))


def _rows(result: Any) -> Iterator[tuple[str, str]]:
    names = {field.name for field in fields(result)}
    for field in fields(result):
        name, value = field.name, getattr(result, field.name)
        value = getattr(value, "auc", value)  # of a model, its AUC
        stem = name.removesuffix("_low").removesuffix("_high")
        if stem != name and (stem in names or f"{stem}_rho" in names):
            continue  # written beside the value
        label = _LABELS.get(name, name.removeprefix("n_").replace("_", " "))
        if isinstance(value, Estimate):
            yield label, f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]"
        elif hasattr(value, "rho_low"):
            yield label, f"rho {_with_interval(value, 'rho')}, p = {p_number(value.p_permutation)}"
        elif isinstance(value, bool | str):
            yield label, str(value)
        elif isinstance(value, int):
            yield label, str(value) if name == "seed" else f"{value:,}"
        elif isinstance(value, float):
            is_p = name.startswith("p_") or "_p_" in name or name.endswith("_p")
            yield label, p_number(value) if is_p else _with_interval(result, name)


def _with_interval(result: Any, name: str) -> str:
    value = getattr(result, name)
    for stem in (name, name.removesuffix("_rho")):
        if hasattr(result, f"{stem}_low"):
            return f"{value:.3f} [{getattr(result, f'{stem}_low'):.3f}, {getattr(result, f'{stem}_high'):.3f}]"
    return f"{value:.3f}"
