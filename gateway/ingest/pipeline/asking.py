"""The language model as one unit asks it: each question once, and what it cost."""

from collections.abc import Sequence

from pydantic import BaseModel

from drivers.deadline import Deadline
from gateway.ingest.extraction import ProblemKind, Problems
from gateway.llm.errors import ModelError
from gateway.llm.port import LanguageModel, Message, ModelRequest
from gateway.llm.tasks import Task
from gateway.llm.usage import Usage


class Account:
    """Grows only."""

    def __init__(self) -> None:
        self.usage = Usage()
        self.cache_hits = 0


class Asker:
    """A unit that is planned anew asks the same again: it has the answer already."""

    def __init__(self, model: LanguageModel, deadline: Deadline) -> None:
        self._model = model
        self.deadline = deadline
        self._answers: dict[tuple[Task, Sequence[Message]], tuple[BaseModel, bool]] = {}

    async def ask[T: BaseModel](self, request: ModelRequest[T], account: Account, problems: Problems) -> T:
        """That the model gave a half of its answer only is a problem. Raises ModelError; what it cost is in
        `account` either way."""
        key = (request.task, request.messages)
        known, halved = self._answers.get(key, (None, False))
        if isinstance(known, request.output):
            self._note(request, problems, halved=halved)
            return known
        try:
            answer = await self._model.ask(request, self.deadline)
        except ModelError as error:
            account.usage += error.usage
            raise
        account.usage += answer.usage
        account.cache_hits += answer.from_cache
        self._answers[key] = answer.value, answer.halved
        self._note(request, problems, halved=answer.halved)
        return answer.value

    @staticmethod
    def _note[T: BaseModel](request: ModelRequest[T], problems: Problems, *, halved: bool) -> None:
        if halved:
            problems.add(ProblemKind.ANSWER_CUT, str(request.task))
