"""What entities are known for: new sentences join a summary until it is full, then a model shortens it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.ingest.extraction import SUMMARY_CHARS_MAX, ProblemKind, Problems
from gateway.ingest.pipeline.asking import Account, Asker
from gateway.ingest.prompts.material import Budget
from gateway.ingest.prompts.upkeep import Summarised, read_summaries, summarise, summary_calls
from gateway.llm.errors import ModelDisabled


@dataclass(frozen=True, slots=True)
class Growing:
    """An entity about which something new was said."""

    name: str
    summary: str
    sentences: tuple[str, ...]

    @property
    def joined(self) -> str:
        """The summary with what it does not say yet, newest last."""
        text = self.summary.strip()
        for one in self.sentences:
            sentence = one.strip()
            if sentence and sentence.rstrip(".").casefold() not in text.casefold():
                text = f"{text}{'' if not text or text.endswith(('.', '!', '?')) else '.'} {sentence}".strip()
        return text


async def summaries(
    growing: Mapping[str, Growing], asker: Asker, account: Account, problems: Problems, budget: Budget
) -> Mapping[str, str]:
    """By the keys of `growing`. Raises ModelError."""
    found = {key: one.joined for key, one in growing.items()}
    full = [key for key, text in found.items() if len(text) > SUMMARY_CHARS_MAX]
    about = [Summarised(growing[key].name, growing[key].summary, growing[key].sentences) for key in full]

    async def ask(call: Sequence[tuple[int, Summarised]]) -> Mapping[str, str]:
        keys = [full[at] for at, _ in call]
        output = await asker.ask(summarise([one for _, one in call]), account, problems)
        told = read_summaries(output, len(keys), problems)
        # Without an answer the old summary stays: cut in the middle it would lose its newest part.
        return {key: told.get(at, growing[key].summary) for at, key in enumerate(keys)}

    try:
        for shorter in await asyncio.gather(*(ask(call) for call in summary_calls(about, budget))):
            found |= shorter
    except ModelDisabled:
        problems.add(ProblemKind.NOT_ASKED, f"{len(full)} summaries")
        found |= {key: growing[key].summary for key in full}
    return found
