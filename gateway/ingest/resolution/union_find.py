"""Sets of things that are the same, joined one pair at a time."""

from collections.abc import Hashable, Iterable


class UnionFind[K: Hashable]:
    def __init__(self, items: Iterable[K] = ()) -> None:
        self._parent: dict[K, K] = {item: item for item in items}

    def join(self, one: K, other: K) -> None:
        """Chains join whole sets: with a = b and b = c also a = c."""
        first, second = self.root(one), self.root(other)
        if first != second:
            self._parent[second] = first

    def root(self, item: K) -> K:
        """The same for all members of a set; an unknown item is a set of its own from now on."""
        parent = self._parent.setdefault(item, item)
        while parent != self._parent[parent]:
            self._parent[item] = parent = self._parent[parent]
        return parent

    def sets(self) -> list[list[K]]:
        """In the order in which their first members were added; so are the members."""
        found: dict[K, list[K]] = {}
        for item in list(self._parent):
            found.setdefault(self.root(item), []).append(item)
        return list(found.values())
