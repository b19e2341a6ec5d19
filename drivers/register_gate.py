"""Whether a shard takes new fences: two numbers beside its fences that only ever grow.

create_fence looks at them in the same atomic unit in which it makes the fence, so that a gateway that has not
heard of a change of the root ring, or of a shard's removal, makes nothing that nobody would find.
"""

from collections.abc import Collection
from dataclasses import dataclass

ROOT_VERSION_FIRST = 1
"""Of the root ring with which a fleet is founded."""


def in_force(root_version: int) -> int:
    """RegisterGate.root while this root ring chooses the homes."""
    return 2 * root_version


def being_replaced(root_version: int) -> int:
    """RegisterGate.root while the register moves from this root ring to the next one."""
    return 2 * root_version + 1


@dataclass(frozen=True, slots=True)
class RegisterGate:
    """The default is that of a shard on which nothing has changed since its founding."""

    root: int = in_force(ROOT_VERSION_FIRST)
    """in_force or being_replaced of a version of the root ring."""
    seal: int = 0
    """Odd: no new fence at all."""

    @property
    def sealed(self) -> bool:
        return self.seal % 2 == 1

    def with_seal(self, wanted: bool) -> "RegisterGate":
        """The next number that says so. To seal what is sealed makes a new number, too: an opening that is
        under way, and that began before, is then too low to undo it."""
        step = 2 if self.sealed else 1
        if not wanted:
            step = 1 if self.sealed else 0
        return RegisterGate(self.root, self.seal + step)

    def raised(self, other: "RegisterGate") -> "RegisterGate":
        """The greater of each number."""
        return RegisterGate(max(self.root, other.root), max(self.seal, other.seal))

    def lets(self, roots: Collection[int]) -> bool:
        """Whether a fence may be made by somebody for whom the register is as one of `roots`; empty: it does
        not matter to him."""
        return not self.sealed and (not roots or self.root in roots)
