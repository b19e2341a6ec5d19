"""One run from the start of the fleet to the verdict."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from gateway.bench.model_server.process import ModelServerProcess
from gateway.embedded import CATALOG_ID
from tests.robustness.cluster import Cluster, running_cluster
from tests.robustness.faults.injector import Injector
from tests.robustness.faults.plan import QUIET_END_S, Fault, fault_plan
from tests.robustness.ingest.adders import Adder, Book, Way
from tests.robustness.ingest.episodes import UNREADABLE, Episode, in_turn, planned, shared_out
from tests.robustness.ingest.history import EpisodeHistory
from tests.robustness.ingest.judge import Finding, judge
from tests.robustness.ingest.observation import Observation, observe, until_worked_off
from tests.robustness.report.availability import Availability, availability
from tests.robustness.timeline import Clock, Outage, by_part
from tests.robustness.traffic.caller import CallLog

GATEWAYS = WORKERS = SHARDS = 2
ADDERS = 24
FAULT_GAP_S = (2.4, 4.8)
ACCEPT_S_MAX = 120.0
"""For the last episodes to be accepted once nothing is killed any more."""
WORK_OFF_S_MAX = 600.0
"""For the queue to be empty after that."""
MODEL_LATENCY_MS = 30
TROUBLE_SHARE = 0.01
LEASE_S = 3.0


@dataclass(frozen=True, slots=True)
class RunOptions:
    seconds: float
    """In which episodes are added and parts are killed."""
    episodes: int
    seed: int
    neo4j_shards: int = 0
    """Beside SHARDS of FalkorDB."""


@dataclass(frozen=True, slots=True)
class RunResult:
    options: RunOptions
    plan: tuple[Fault, ...]
    outages: tuple[Outage, ...]
    histories: tuple[EpisodeHistory, ...]
    observation: Observation
    log: CallLog
    streams: int
    model_requests: int
    worked_off_s: float
    """Seconds from the end of the kills until the queue was empty."""
    availability: Availability
    """Of AddEpisode and AddEpisodes, while the catalog's process runs: without it nothing can be accepted."""
    findings: tuple[Finding, ...]


async def run_ingest(options: RunOptions, directory: Path, on_outage: Callable[[Outage], None]) -> RunResult:
    """Data and logs are in `directory`. `on_outage` is called when a part works again.

    Raises what the start of the parts raises, and what `observe` raises.
    """
    model = ModelServerProcess(
        [
            f"--latency-ms={MODEL_LATENCY_MS}",
            f"--trouble={TROUBLE_SHARE}",
            f"--trouble-seed={options.seed}",
            f"--refuse={UNREADABLE}",
        ]
    )
    async with model:
        common = {
            "GRAPHGATE_LLM__MODEL": "fake-small",
            "GRAPHGATE_LLM__BASE_URL": model.base_url,
            "GRAPHGATE_LLM__CACHE_BYTES_MAX": "0",
            "GRAPHGATE_LLM__REQUESTS_PER_S": "1000",
            "GRAPHGATE_INGEST__LEASE_S": str(LEASE_S),
            "GRAPHGATE_INGEST__PAUSE_S_MAX": "2",
        }
        async with running_cluster(
            directory,
            falkordb_shards=SHARDS,
            neo4j_shards=options.neo4j_shards,
            # One works on the queue itself, as by default, the others do not.
            gateways=[{**common, "GRAPHGATE_INGEST__WORKER": str(not number)} for number in range(GATEWAYS)],
            workers=[common] * WORKERS,
        ) as cluster:
            seen = await _Run(options, cluster, directory, on_outage).seen()
    histories = seen.histories
    return RunResult(
        options=options,
        plan=seen.plan,
        outages=seen.outages,
        histories=histories,
        observation=seen.observation,
        log=seen.log,
        streams=seen.streams,
        model_requests=model.stats.chat_requests,
        worked_off_s=seen.worked_off_s,
        availability=availability(seen.log.calls, by_part(seen.outages), {}, {}, CATALOG_ID),
        findings=judge(histories, seen.observation.groups, seen.observation.left_in_queue),
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    plan: tuple[Fault, ...]
    outages: tuple[Outage, ...]
    histories: tuple[EpisodeHistory, ...]
    observation: Observation
    log: CallLog
    streams: int
    worked_off_s: float


class _Run:
    def __init__(
        self, options: RunOptions, cluster: Cluster, directory: Path, on_outage: Callable[[Outage], None]
    ) -> None:
        self._options = options
        self._cluster = cluster
        self._log = CallLog()
        self._clock = Clock()
        self._injector = Injector(cluster, self._clock, directory, on_outage)

    async def seen(self) -> _Seen:
        options, cluster = self._options, self._cluster
        plan = fault_plan(
            options.seed, options.seconds, cluster.parts, CATALOG_ID, FAULT_GAP_S, only_kills=True
        )
        adders = self._adders(planned(options.seed, options.episodes))
        adding = asyncio.gather(*(adder.run() for adder in adders))
        try:
            await self._injector.run(plan, options.seconds)
            ended_s = self._clock.now_s()
            # Whatever is not accepted by then is told as such.
            await asyncio.wait([adding], timeout=ACCEPT_S_MAX)
            if adding.done():
                adding.result()
        finally:
            adding.cancel()
            await asyncio.gather(adding, return_exceptions=True)
        await cluster.until_whole()
        await until_worked_off(cluster.fleet, WORK_OFF_S_MAX)
        worked_off_s = self._clock.now_s() - ended_s
        histories = tuple(book.history() for adder in adders for book in adder.books)
        return _Seen(
            plan,
            tuple(self._injector.outages),
            histories,
            await observe(cluster.fleet, cluster.clients[0], histories),
            self._log,
            sum(adder.streams for adder in adders),
            worked_off_s,
        )

    def _adders(self, groups: Sequence[Sequence[Episode]]) -> list[Adder]:
        """Each group is one adder's, so that the order in which it is accepted is known."""
        options = self._options
        until_s = max(1.0, options.seconds - QUIET_END_S)
        adders: list[Adder] = []
        for number, own in enumerate(shared_out(groups, ADDERS)):
            rng = Random(f"adder {number} {options.seed}")
            episodes = in_turn(own, rng)
            books = [Book(episode, until_s * place / len(episodes)) for place, episode in enumerate(episodes)]
            way = list(Way)[number % len(Way)]
            name = f"adder-{number}-{options.seed}"
            adders.append(Adder(name, way, books, self._cluster.clients, self._clock, self._log, rng))
        return adders
