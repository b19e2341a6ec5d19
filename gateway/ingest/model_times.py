"""Times as models write them."""

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2}))?")
MICROSECOND = timedelta(microseconds=1)


def epoch_us(text: str) -> int:
    """ISO 8601, also a year or a month alone, which begin at their first moment; without a zone it is UTC.

    Raises ValueError.
    """
    text = text.strip()
    if partial := _PARTIAL.fullmatch(text):
        moment = datetime(int(partial[1]), int(partial[2] or 1), 1, tzinfo=UTC)
    else:
        try:
            moment = datetime.fromisoformat(text)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except OverflowError as error:
            raise ValueError("a time beyond the calendar") from error
    return (moment - _EPOCH) // MICROSECOND


def iso(at_us: int) -> str:
    """For prompts, to the second. Times beyond the calendar become its ends."""
    low, high = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    if at_us <= (low - _EPOCH) // MICROSECOND:
        moment = low
    elif at_us >= (high - _EPOCH) // MICROSECOND:
        moment = high
    else:
        moment = _EPOCH + timedelta(microseconds=at_us)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment.year > 999 else moment.isoformat()
