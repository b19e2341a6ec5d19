"""What units ask about entities and facts: in calls that fit, each with what tells it apart."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from pydantic import BaseModel

from drivers.deadline import Deadline
from drivers.graph_model import OPEN_END
from gateway.ingest.extraction import ExtractedEntity, ExtractedFact, Problems
from gateway.ingest.outputs import JudgementOutput, JudgementsOutput, ResolutionOutput, SameOutput
from gateway.ingest.pipeline.asking import Account, Asker
from gateway.ingest.pipeline.entities import NewEntity, resolve
from gateway.ingest.pipeline.facts import EpisodeTime, NewFact, judge
from gateway.ingest.pipeline.group_reads import GroupReads, GroupView
from gateway.ingest.prompts.material import Budget
from gateway.ingest.resolution.resolve import Survivor
from gateway.llm.port import ModelAnswer, ModelRequest, TaskAccount
from gateway.llm.tasks import Task
from gateway.llm.text_care import tokens_estimate
from shard_router.router import Router
from shard_router.scatter import Scatter
from tests.unit.shard_router.fleet_of import founded, running, unevenly

type Answers = Callable[[Mapping[str, Any]], BaseModel]

LEAST = Budget(4_000)


class Model:
    """Answers by the material, and keeps it."""

    def __init__(self, answers: Answers, tokens_max: int) -> None:
        self._answers = answers
        self._tokens_max = tokens_max
        self.asked: list[Mapping[str, Any]] = []

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    @property
    def accounts(self) -> Mapping[Task, TaskAccount]:
        return {}

    async def ask[T: BaseModel](self, request: ModelRequest[T], deadline: Deadline) -> ModelAnswer[T]:
        assert sum(tokens_estimate(one.content) for one in request.messages) <= self._tokens_max
        material = orjson.loads(request.messages[1].content)
        self.asked.append(material)
        answer = self._answers(material)
        assert isinstance(answer, request.output)
        return ModelAnswer(answer, "fake")


async def test_each_entity_of_a_bulk_is_asked_about_with_its_own_words() -> None:
    """Thirty messages, each about a John of its own: the last one's words are there as the first one's."""
    dull, wet = "Nothing of interest happened. " * 10, "Later it rained. " * 20
    contexts = [f"{dull}John{at} Smith the smith of village {at} came. {wet}" for at in range(30)]
    new: list[NewEntity] = []
    for at in range(30):
        new.append(NewEntity(ExtractedEntity(f"John{at} Smith"), at, None))
        new.append(NewEntity(ExtractedEntity(f"John{at}"), at, None))
    whole = {f"John{at}": f"John{at} Smith" for at in range(30)}

    def answers(material: Mapping[str, Any]) -> BaseModel:
        names = {one["id"]: one["name"] for one in material["candidates"]}
        same: list[SameOutput] = []
        for one in material["new"]:
            own = material["contexts"][one["context"]]
            assert one["name"].split()[0] in own
            same += [
                SameOutput(id=one["id"], same_as=at)
                for at in one["candidates"]
                if names[at] == whole.get(one["name"])
            ]
        return ResolutionOutput(same=same)

    for budget in (LEAST, Budget()):
        model = Model(answers, budget.prompt_tokens_max)
        problems = Problems()
        asker = Asker(model, Deadline.after(30))
        async with running(unevenly(founded("a"))) as fleet:
            router = Router(fleet, None)
            reads = GroupReads(router, Scatter(router, None), "g", Deadline.after(30))
            found = await resolve(new, contexts, reads, GroupView(), None, asker, Account(), problems, budget)
            await router.close()
        asked = [one["name"] for material in model.asked for one in material["new"]]
        assert set(whole) <= set(asked)
        assert len(asked) == len(set(asked))
        told = [text for material in model.asked for text in material["contexts"]]
        assert sum(map(tokens_estimate, told)) <= 1_200 * len(model.asked)
        assert found.resolution.survivors == tuple(
            Survivor(at // 2 * 2, known=False) for at in range(len(new))
        )
        assert problems.found == 0


async def test_facts_are_judged_in_as_many_calls_as_it_takes() -> None:
    """A verdict of any call is about the facts that it was asked about, whatever their numbers there."""
    long = "and a detail that nobody needs " * 14
    old = [ExtractedFact(0, 1, "LIKES", f"Ada likes number {at} {long}", at) for at in range(40)]
    now = [ExtractedFact(0, 1, "LIKES", f"Ada dislikes number {at} {long}", 100 + at) for at in range(40)]
    new = [
        NewFact(f"{episode}-{at}", "ada", f"number {at}", fact, episode, None)
        for episode, facts in enumerate((old, now))
        for at, fact in enumerate(facts)
    ]
    names = {"ada": "Ada"} | {f"number {at}": f"number {at}" for at in range(40)}

    def answers(material: Mapping[str, Any]) -> BaseModel:
        texts = {one["id"]: one["text"] for one in material["candidates"]}
        assert sorted(texts) == list(range(len(texts)))
        ended = [
            (
                one["id"],
                [at for at in one["candidates"] if texts[at] == one["text"].replace("dislikes", "likes")],
            )
            for one in material["new"]
        ]
        assert all(one for _, one in ended), "the most alike candidate is asked about"
        return JudgementsOutput(judgements=[JudgementOutput(id=at, supersedes=one) for at, one in ended])

    calls: list[int] = []
    for budget in (LEAST, Budget()):
        model = Model(answers, budget.prompt_tokens_max)
        async with running(unevenly(founded("a"))) as fleet:
            router = Router(fleet, None)
            reads = GroupReads(router, Scatter(router, None), "g", Deadline.after(30))
            judged = await judge(
                new, frozenset(), names, [EpisodeTime("e0", 0), EpisodeTime("e1", 100)], reads, GroupView(),
                None, Asker(model, Deadline.after(30)), Account(), Problems(), budget,
            )  # fmt: skip
            await router.close()
        ends = {one.uuid: one.invalid_at for one in judged.outcome.stored}
        assert ends == {f"0-{at}": 100 + at for at in range(40)} | {f"1-{at}": OPEN_END for at in range(40)}
        calls.append(len(model.asked))
    assert calls[0] > calls[1]
