"""Facts of one unit come out as if their episodes had come one after the other."""

import secrets
from random import Random

from drivers.graph_model import OPEN_END, Closure
from gateway.ingest.closures import DatedFact, ended_by
from gateway.ingest.extraction import ExtractedFact
from gateway.ingest.pipeline.facts import NewFact, in_order
from gateway.ingest.temporal import Outcome, Verdict, VerdictKind, apply_verdicts
from gateway.writes.intent import AT_WRITE


def new_fact(key: str, episode: int) -> NewFact:
    return NewFact(key, "a", "b", ExtractedFact(0, 1, "LIVES_IN", key), episode, None)


def dated(key: str, begins: int, ends: int = OPEN_END) -> DatedFact:
    return DatedFact(key, begins, ends, begins, (f"episode of {key}",))


def test_what_has_become_so_again_is_a_fact_of_its_own() -> None:
    """Berlin, Munich, Berlin again: the third repeats the first, which the second has ended."""
    facts = [dated("berlin", 10), dated("munich", 20), dated("berlin again", 30)]
    verdicts = [
        Verdict(1, "berlin", VerdictKind.SUPERSEDES),
        Verdict(2, "berlin", VerdictKind.REPEATS),
        Verdict(2, "munich", VerdictKind.SUPERSEDES),
    ]
    new = [new_fact(one.uuid, number) for number, one in enumerate(facts)]
    outcome = in_order(facts, new, [], verdicts)
    assert {one.uuid: one.invalid_at for one in outcome.stored} == {
        "berlin": 20,
        "munich": 30,
        "berlin again": OPEN_END,
    }
    assert outcome.repeated_by == {}
    (berlin,) = [one for one in outcome.stored if one.uuid == "berlin"]
    assert berlin.closures == (Closure(AT_WRITE, OPEN_END, "episode of munich", "munich"),)


def test_a_verdict_about_a_repetition_is_about_what_it_repeats() -> None:
    facts = [dated("first", 10), dated("same", 10), dated("later", 20)]
    verdicts = [Verdict(1, "first", VerdictKind.REPEATS), Verdict(2, "same", VerdictKind.SUPERSEDES)]
    new = [new_fact(one.uuid, number) for number, one in enumerate(facts)]
    outcome = in_order(facts, new, [], verdicts)
    assert outcome.repeated_by == {"same": "first"}
    assert {one.uuid: one.invalid_at for one in outcome.stored} == {"first": 20, "later": OPEN_END}


def test_a_unit_comes_out_as_its_episodes_one_by_one() -> None:
    """Random facts, verdicts and cuts into units: what is stored at the end is the same."""
    seed = secrets.randbits(32)
    rng = Random(seed)
    for _ in range(300):
        count = rng.randint(1, 6)
        facts = [dated(f"f{number}", rng.randint(0, 9)) for number in range(count)]
        verdicts = [
            Verdict(number, f"f{other}", rng.choice(list(VerdictKind)))
            for number in range(count)
            for other in range(number)
            if rng.random() < 0.5
        ]
        new = [new_fact(one.uuid, number) for number, one in enumerate(facts)]
        together = in_order(facts, new, [], verdicts)
        one_by_one = _one_by_one(facts, verdicts)
        assert {one.uuid: one for one in together.stored} == one_by_one, f"seed {seed}"


def _one_by_one(facts: list[DatedFact], verdicts: list[Verdict[str]]) -> dict[str, DatedFact]:
    stored: dict[str, DatedFact] = {}
    stands_for: dict[str, str] = {}
    for number, fact in enumerate(facts):
        own = [
            Verdict(0, stands_for.get(one.candidate, one.candidate), one.kind)
            for one in verdicts
            if one.fact == number
        ]
        corrected = {one.candidate for one in own if one.kind is VerdictKind.CORRECTS}
        ended = (uuid for uuid, one in stored.items() if ended_by(one.closures, corrected))
        candidates = [stored[uuid] for uuid in dict.fromkeys((*(one.candidate for one in own), *ended))]
        outcome: Outcome = apply_verdicts([fact], candidates, own, now=AT_WRITE)
        stored |= {one.uuid: one for one in (*outcome.stored, *outcome.changed)}
        stands_for |= outcome.repeated_by
    return stored
