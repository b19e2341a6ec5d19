"""The share of calls that were answered, of those that could have been. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.robustness.timeline import CallSeen, Outage, Stay


@dataclass(frozen=True, slots=True)
class Availability:
    answered: int
    counted: int
    left_out: int
    """Made while a process was down or loading that they cannot do without."""
    unanswered: tuple[CallSeen, ...]
    """Of the counted ones."""

    @property
    def share(self) -> float:
        return self.answered / self.counted if self.counted else 1.0


def availability(
    calls: Iterable[CallSeen],
    outages: Mapping[str, Iterable[Outage]],
    stays: Mapping[str, Sequence[Stay]],
    homes: Mapping[str, str],
    catalog: str,
) -> Availability:
    """A call is left out only while the process of its group's shard is down or loading, and if it creates
    the group also while that of the group's root home or of the catalog is.

    `outages` by part; `stays`, where it was, and `homes` by group.
    """
    answered = counted = left_out = 0
    unanswered: list[CallSeen] = []
    for call in calls:
        needed = {
            stay.shard for stay in stays.get(call.group_id, ()) if stay.overlaps(call.sent_s, call.ended_s)
        }
        if call.creates_group:
            needed |= {catalog}
            needed |= {homes[call.group_id]} if call.group_id in homes else set()
        if any(
            outage.process_was_down and outage.overlaps(call.sent_s, call.ended_s)
            for part in needed
            for outage in outages.get(part, ())
        ):
            left_out += 1
            continue
        counted += 1
        answered += call.answered
        if not call.answered:
            unanswered.append(call)
    return Availability(answered, counted, left_out, tuple(unanswered))
