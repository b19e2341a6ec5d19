"""The form of a group's name that fulltext indexes can hold as one token."""

from hashlib import blake2b

GROUP_KEY_BYTES = 16


def group_key(group_id: str) -> str:
    """Return "g" + 32 hexadecimal digits of blake2b-128 of the UTF-8 group_id.

    One lower-case alphanumeric token that neither engine's analyser splits, folds or reads as an operator,
    where a group_id itself ("tenant-1", "A:b") would be split and lower-cased. A reader still compares
    group_id itself: equality of keys only narrows the search.
    """
    return "g" + blake2b(group_id.encode(), digest_size=GROUP_KEY_BYTES).hexdigest()
