"""What is wrong with the settings, all of it at once."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    path: str
    """Dotted, e.g. grpc.port; empty: it concerns several settings."""
    advice: str
    """What is wrong and what to do; never repeats a value."""
    shown: str | None = None
    """The value without secrets; None: not shown."""
    source: str | None = None
    """Where the value came from."""

    def __str__(self) -> str:
        if not self.path:
            return self.advice
        value = "" if self.shown is None else f" = {self.shown}"
        source = "" if self.source is None else f" ({self.source})"
        return f"{self.path}{value}{source}: {self.advice}"


class SettingsInvalid(Exception):
    """The gateway cannot start with these settings. Its text is one readable list."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = f"{len(problems)} settings are wrong" if len(problems) > 1 else "a setting is wrong"
        super().__init__("\n".join([f"{count}:", *(f"  {problem}" for problem in problems)]))
        self.problems = tuple(problems)
