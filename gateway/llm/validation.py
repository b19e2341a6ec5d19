"""Whether an answer has the form that was asked for, and how to ask once more if it has not."""

from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from gateway.llm.chat_protocol import Reply
from gateway.llm.port import Message
from gateway.llm.tasks import TIER_LIMITS, Tier, TierLimits

REPAIR_ANSWER_CHARS_MAX = 4_000
"""Of a wrong answer that the model is shown again."""
REPAIR_ERRORS_MAX = 5


def validated[T: BaseModel](output: type[T], reply: Reply) -> tuple[T | None, str]:
    """The value, or None and what is wrong: without anything of the answer's content, for logs and errors."""
    if not reply.content:
        return None, "it is cut off" if reply.cut_off else "it is empty"
    try:
        return output.model_validate_json(reply.content), ""
    except ValidationError as error:
        if reply.cut_off:
            return None, "it is cut off"
        return None, _told(error)


@dataclass(frozen=True, slots=True)
class Repair:
    """What to ask the second and last time."""

    messages: tuple[Message, ...]
    limits: TierLimits
    halves: bool = False
    """Only the most important half is asked for."""


def is_longest(limits: TierLimits) -> bool:
    return limits.output_tokens_max >= TIER_LIMITS[Tier.ACCURATE].output_tokens_max


def repair(messages: tuple[Message, ...], reply: Reply, why: str, limits: TierLimits) -> Repair:
    """An answer that was cut off is asked for again with the longest output; one that was at it already has
    to become shorter. Any other wrong answer is shown with its faults."""
    if reply.cut_off and not is_longest(limits):
        return Repair(messages, TierLimits(TIER_LIMITS[Tier.ACCURATE].output_tokens_max, 0.0))
    if reply.cut_off:
        ask = "Your last answer was cut off. Give the most important half only, with shorter texts."
        return Repair((*messages, Message("user", ask)), limits, halves=True)
    ask = f"That answer cannot be used: {why}. Answer again with JSON that fits the schema, and nothing else."
    shown = Message("assistant", reply.content[:REPAIR_ANSWER_CHARS_MAX] or "(nothing)")
    return Repair((*messages, shown, Message("user", ask)), limits)


def _told(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    if problems and problems[0]["type"] == "json_invalid":
        return "it is not JSON"
    told = [
        f"{'.'.join(str(part) for part in one['loc'])[:80] or 'the whole'}: {one['msg'][:120]}"
        for one in problems[:REPAIR_ERRORS_MAX]
    ]
    more = f" and {len(problems) - len(told)} more" if len(problems) > len(told) else ""
    return "; ".join(told) + more
