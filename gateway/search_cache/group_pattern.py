"""Patterns of group ids: * for any characters, ? for one."""

import re
from fnmatch import translate

PATTERN_CHARS_MAX = 128
_PATTERN = re.compile(r"[A-Za-z0-9_.:*?-]{1,128}")


class GroupPattern:
    def __init__(self, pattern: str) -> None:
        """Raises ValueError for what no group id could match."""
        if not _PATTERN.fullmatch(pattern):
            raise ValueError(f"must be 1 to {PATTERN_CHARS_MAX} of A-Z a-z 0-9 _ - . : * ?")
        # Without [ there is nothing in it that matches in more than one way for long.
        self._regex = re.compile(translate(pattern))

    def matches(self, group_id: str) -> bool:
        return self._regex.match(group_id) is not None
