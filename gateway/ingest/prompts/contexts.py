"""Where an episode names an entity: the words by which a model tells one John from another."""

from gateway.embedding.preparation import clean_text
from gateway.llm.text_care import sentence_around

TEXT_CHARS_MAX = 100_000
"""Of an episode; what is behind them no prompt of an extraction has told either."""
WORD_CHARS_MIN = 3


class NamedIn:
    """An episode, searched for many names."""

    def __init__(self, text: str) -> None:
        self._text = clean_text(text[:TEXT_CHARS_MAX]).replace("\0", "")
        self._lowered = _lowered(self._text)

    def around(self, name: str, tokens_max: int) -> str:
        """The sentence that names it first, by the whole name or its longest word, and what follows within so
        many estimated tokens; without one the beginning."""
        whole = _lowered(name)
        words = sorted(whole.split(), key=len, reverse=True)
        for wanted in (whole, *(one for one in words if len(one) >= WORD_CHARS_MIN)):
            at = self._first(wanted)
            if at >= 0:
                return sentence_around(self._text, at, tokens_max)
        return sentence_around(self._text, 0, tokens_max)

    def _first(self, wanted: str) -> int:
        """As words of their own, else anywhere, as in scripts without blanks; -1: nowhere."""
        text = self._lowered
        first = at = text.find(wanted) if wanted else -1
        while at >= 0:
            end = at + len(wanted)
            if not text[at - 1 : at].isalnum() and not text[end : end + 1].isalnum():
                return at
            at = text.find(wanted, at + 1)
        return first


def _lowered(text: str) -> str:
    """Of the same length: letters whose small form is longer stay."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(small if len(small := one.lower()) == 1 else one for one in text)
