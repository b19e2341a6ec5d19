"""Exit codes, and how a command ends that could not do its work."""

import json
from typing import NoReturn

import typer

OK = 0
FAILED = 1
"""Something that the command needs is not there or refused."""
SETTINGS_WRONG = 2
"""Also the code for a command line that cannot be read."""
SIGNAL_BASE = 128
"""Plus the signal's number: stopped before it was ready, or at once by a second signal."""


def fail(message: str, code: int = FAILED, *, as_json: bool) -> NoReturn:
    """Says why on standard error (with --json one object on standard output, too) and exits."""
    typer.echo(f"graphgate: {message}", err=True)
    if as_json:
        print(json.dumps({"event": "failed", "exit_code": code, "error": message}), flush=True)
    raise typer.Exit(code)
