"""A finding of the examination, and the text of a list of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from embeddings.formatting import counted

State = Literal["ok", "warning", "problem"]
_MARKS: Mapping[State, str] = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}


@dataclass(frozen=True)
class Check:
    """What was found.

    Attributes:
        state: `ok`; `warning` if something works less well than it could, or is absent and may be needed; or `problem`
            if something prevents the job from working.
        finding: a phrase to read.
        advice: what to do about it; None if there is nothing to do.
        values: the same for JSON; in bytes, seconds and volumes per minute.
    """

    name: str
    state: State
    finding: str
    advice: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values for JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The finding on one line and the advice on another."""
        advice = [] if self.advice is None else [f"{'':9}-> {self.advice}"]
        return [f"{_MARKS[self.state]}  {self.name}: {self.finding}", *advice]


def guarded(name: str, make: Callable[[], Iterable[Check]]) -> list[Check]:
    """The findings of one check; an error in it is a finding too."""
    found: list[Check] = []
    try:
        found.extend(make())
    except Exception as error:
        text = " ".join(str(error).split()) or "no message"
        advice = "reinstall the packages of requirements.txt" if isinstance(error, ImportError) else None
        found.append(Check(name, "problem", f"could not be checked ({type(error).__name__}: {text})", advice))
    return found


def text(checks: Sequence[Check]) -> str:
    """The findings for a terminal, with a count at the end."""
    lines = [line for check in checks for line in check.lines()]
    counts = {state: sum(check.state == state for check in checks) for state in _MARKS}
    if counts["problem"]:
        end = f"{counted(counts['problem'], 'problem')} to solve before anything is embedded"
    elif counts["warning"]:
        end = f"ready, with {counted(counts['warning'], 'warning')}"
    else:
        end = "ready"
    shown = ("".join(c if c.isprintable() else repr(c)[1:-1] for c in line) for line in lines)
    return "\n".join([*shown, "", end])
