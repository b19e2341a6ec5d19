"""What a person sees of a run."""

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tests.robustness.model.history import Effect
from tests.robustness.moves.plan import AIMS
from tests.robustness.report.figures import figures
from tests.robustness.timeline import Cause, Outage, by_part

if TYPE_CHECKING:
    from tests.robustness.run import RunOptions, RunResult

FINDINGS_SHOWN_MAX = 20

_WORDS = {
    Cause.KILL: "SIGKILL",
    Cause.PAUSE: "SIGSTOP",
    Cause.ROLLBACK: "SIGKILL, older data",
}


class RunScreen:
    def __init__(self, console: Console) -> None:
        self._console = console

    def begin(self, options: "RunOptions") -> None:
        self._say(f"seed {options.seed}, {options.seconds:g} s; the same faults again: {_replay(options)}")

    def outage(self, outage: Outage) -> None:
        lasted_s = outage.to_s - outage.from_s
        self._say(
            f"{outage.from_s:7.1f} s  {outage.part:<12} {_WORDS[outage.cause]}, back after {lasted_s:.1f} s"
        )

    def end(self, result: "RunResult") -> None:
        for table in (
            _parts(result),
            _moves(result),
            _aims(result),
            _writes(result),
            _errors(result),
            _unanswered(result),
            _verdict(result),
        ):
            if table.row_count:
                self._console.print()
                self._console.print(table)
        self._console.print()
        for finding in result.findings[:FINDINGS_SHOWN_MAX]:
            self._say(f"{finding.kind}: {finding.group_id} {finding.text}")
        if len(result.findings) > FINDINGS_SHOWN_MAX:
            self._say(f"and {len(result.findings) - FINDINGS_SHOWN_MAX} more")
        counted = result.availability
        share = f"{counted.share:.2%} of {counted.counted:,} calls answered within 5 s"
        self._say(f"{share}; {counted.left_out:,} left out while their process was down")
        if result.findings:
            self._say(f"PROMISES BROKEN; again: {_replay(result.options)}")
        else:
            self._say("every promise held")

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def _replay(options: "RunOptions") -> str:
    return f"graphgate {options.scenario.command} --seconds {options.seconds:g} --seed {options.seed}"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def _parts(result: "RunResult") -> Table:
    table = _table("faults", "part", "killed", "paused", "rolled back", "seconds away")
    for part, outages in sorted(by_part(result.outages).items()):
        causes = Counter(outage.cause for outage in outages)
        table.add_row(
            part,
            str(causes[Cause.KILL]),
            str(causes[Cause.PAUSE]),
            str(causes[Cause.ROLLBACK]),
            f"{sum(outage.to_s - outage.from_s for outage in outages):.1f}",
        )
    return table


def _writes(result: "RunResult") -> Table:
    table = _table("writes", "kind", "sent", "acknowledged", "unknown", "not applied", "repeated")
    for effect in Effect:
        of_kind = [history for history in result.writes if history.write.effect is effect]
        acknowledged = sum(history.acknowledged for history in of_kind)
        unknown = sum(history.unknown for history in of_kind)
        table.add_row(
            effect.lower(),
            f"{len(of_kind):,}",
            f"{acknowledged:,}",
            f"{unknown:,}",
            f"{len(of_kind) - acknowledged - unknown:,}",
            f"{sum(max(0, len(history.answers) - 1) for history in of_kind):,}",
        )
    return table


def _moves(result: "RunResult") -> Table:
    table = _table("moves", "pair", "begun", "done", "cancelled", "failed", "pause, ms", "longest", "thaws")
    moves = result.moved.moves
    for pair in sorted({move.pair for move in moves}):
        mine = [move for move in moves if move.pair == pair]
        pauses_ms = [pause / 1e3 for move in mine for pause in move.pauses_us] or [0.0]
        table.add_row(
            pair,
            str(len(mine)),
            *(str(sum(move.phase == phase for move in mine)) for phase in ("DONE", "CANCELLED", "FAILED")),
            f"{median(pauses_ms):.1f}",
            f"{max(pauses_ms):.1f}",
            str(sum(move.thaws for move in mine)),
        )
    return table


def _aims(result: "RunResult") -> Table:
    """What was killed in which phase of a move."""
    kills = result.moved.kills
    roles = sorted({kill.role for kill in kills})
    table = _table("killed in a phase", "phase", *(role.lower() for role in roles))
    for phase in AIMS:
        cells = [sum((kill.phase, kill.role) == (phase, role) for kill in kills) for role in roles]
        if kills:
            table.add_row(phase, *(str(cell or "") for cell in cells))
    return table


def _errors(result: "RunResult") -> Table:
    table = _table("failed attempts", "reason", "times")
    for reason, times in result.log.errors.most_common():
        table.add_row(reason, f"{times:,}")
    return table


def _unanswered(result: "RunResult") -> Table:
    """Calls that count against the availability, by shard, call and last reason."""
    table = _table(
        "calls not answered within 5 s", "shard", "call", "last reason", "times", "from second", "to"
    )
    shards = result.observation.shards
    calls = result.availability.unanswered
    kinds = Counter((shards.get(call.group_id, "-"), call.what, call.gave_up_reason) for call in calls)
    for (shard, what, reason), times in kinds.most_common():
        sent = [
            call.sent_s
            for call in calls
            if (shards.get(call.group_id, "-"), call.what, call.gave_up_reason) == (shard, what, reason)
        ]
        table.add_row(shard, what, reason, str(times), f"{min(sent):.1f}", f"{max(sent):.1f}")
    return table


def _verdict(result: "RunResult") -> Table:
    table = _table("promises", "broken", "times")
    counts = figures(result)
    for kind in result.options.scenario.promises:
        table.add_row(str(kind).replace("_", " "), str(counts[kind]))
    return table
