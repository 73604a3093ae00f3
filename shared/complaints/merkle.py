"""The Merkle tree of RFC 6962 over a log's leaves: root, inclusion and consistency proofs and their verification.

A leaf is hashed as ``SHA-256(0x00 ‖ leaf)`` and a node as ``SHA-256(0x01 ‖ left ‖ right)``; the tree over n leaves
splits at the largest power of two below n. Everything here takes and gives *leaf hashes*. Indexes count from 0.

Source: RFC 6962 §2.1; verification: RFC 9162 §2.1.3.2 and §2.1.4.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()
HASH_BYTES = 32


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of one leaf."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The roots of the complete subtrees that make up a growing tree, largest first: one for each bit set in ``size``.

    It is all that is needed to go on adding leaves, so a checkpoint costs what was added since the last one, whatever
    the size of the log.
    """

    __slots__ = ("_roots", "size")

    def __init__(self, size: int = 0, roots: Iterable[bytes] = ()) -> None:
        self.size, self._roots = size, list(roots)
        if len(self._roots) != size.bit_count() or any(len(root) != HASH_BYTES for root in self._roots):
            raise ValueError(f"a frontier over {size} leaves has {size.bit_count()} roots of {HASH_BYTES} bytes")

    @classmethod
    def from_bytes(cls, size: int, packed: bytes) -> Frontier:
        """Reads what ``bytes()`` of a frontier wrote. Raises ValueError where it does not fit ``size``."""
        return cls(size, [packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)])

    def __bytes__(self) -> bytes:
        return b"".join(self._roots)

    def add(self, leaf: bytes) -> None:
        """Adds the next leaf hash."""
        complete, node = self.size, leaf
        while complete & 1:  # every trailing one-bit is a complete subtree that now finds its right sibling
            node = node_hash(self._roots.pop(), node)
            complete >>= 1
        self._roots.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves added so far."""
        return _fold(self._roots)


class MerkleTree:
    """All complete subtrees of a log, in memory: any root and any proof in O(log² n), 64 bytes a leaf."""

    __slots__ = ("_levels",)

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[list[bytes]] = [[]]
        self.extend(leaves)

    def __len__(self) -> int:
        return len(self._levels[0])

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Adds leaf hashes in order."""
        self._levels[0].extend(leaves)
        for height, level in enumerate(self._levels):
            parents = self._levels[height + 1] if height + 1 < len(self._levels) else []
            for left in range(2 * len(parents), len(level) - 1, 2):
                parents.append(node_hash(level[left], level[left + 1]))
            if parents and height + 1 == len(self._levels):
                self._levels.append(parents)

    def root(self, size: int | None = None) -> bytes:
        """The root over the first ``size`` leaves, all by default."""
        return self._range(0, self._checked(size))

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """The audit path of a leaf in the tree over the first ``size`` leaves. Source: RFC 6962 §2.1.1."""
        size = self._checked(size)
        if not 0 <= index < size:
            raise ValueError(f"leaf {index} is not among {size}")
        low, high, path = 0, size, []
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low = middle
        return path[::-1]

    def consistency(self, old: int, size: int | None = None) -> list[bytes]:
        """The proof that the first ``old`` leaves of the larger tree are the smaller one. Source: RFC 6962 §2.1.2."""
        size = self._checked(size)
        if not 0 <= old <= size:
            raise ValueError(f"{old} leaves are not the beginning of {size}")
        if old in (0, size):
            return []
        low, high, path, whole = 0, size, [], True
        while high != old:
            middle = low + _split(high - low)
            if old <= middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low, whole = middle, False
        if not whole:
            path.append(self._range(low, high))
        return path[::-1]

    def _checked(self, size: int | None) -> int:
        if size is None:
            return len(self)
        if not 0 <= size <= len(self):
            raise ValueError(f"the tree has {len(self)} leaves, not {size}")
        return size

    def _range(self, low: int, high: int) -> bytes:
        """The root over ``[low, high)``; ``low`` is a multiple of every complete subtree that is taken from there."""
        roots = []
        while low < high:
            height = (high - low).bit_length() - 1
            roots.append(self._levels[height][low >> height])
            low += 1 << height
        return _fold(roots)


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the path leads from this leaf hash to this root. Source: RFC 9162 §2.1.3.2."""
    if not 0 <= index < size:
        return False
    sides = _sides(index, size - 1, len(path))
    if sides is None:
        return False
    value = leaf
    for sibling, on_the_left in zip(path, sides, strict=True):
        value = node_hash(sibling, value) if on_the_left else node_hash(value, sibling)
    return value == root


def verify_consistency(old: int, size: int, old_root: bytes, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the log of ``size`` leaves begins with the log of ``old``. Source: RFC 9162 §2.1.4.2."""
    if not 0 <= old <= size:
        return False
    if old in (0, size):
        return not path and old_root == (root if old == size else EMPTY_ROOT)
    # Where the old tree is one complete subtree, the proof leaves its root out.
    proof = path if old & (old - 1) else [old_root, *path]
    node, last = old - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    sides = _sides(node, last, len(proof) - 1)
    if sides is None or not proof:
        return False
    before = after = proof[0]
    for sibling, on_the_left in zip(proof[1:], sides, strict=True):
        if on_the_left:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
        else:
            after = node_hash(after, sibling)
    return before == old_root and after == root


def _sides(node: int, last: int, steps: int) -> list[bool] | None:
    """On the way up from a node to the root, whether each sibling stands on the left; None if ``steps`` is not the way.

    ``last`` is the index of the last node of the same height.
    """
    sides = []
    for _ in range(steps):
        if last == 0:
            return None
        on_the_left = bool(node & 1) or node == last
        if on_the_left:
            while node and not node & 1:  # a last node without a sibling moves up unchanged
                node, last = node >> 1, last >> 1
        sides.append(on_the_left)
        node, last = node >> 1, last >> 1
    return sides if last == 0 else None


def _split(size: int) -> int:
    """The largest power of two smaller than ``size``."""
    return 1 << (size - 1).bit_length() - 1


def _fold(roots: Sequence[bytes]) -> bytes:
    """The root over neighbouring subtrees, largest first."""
    if not roots:
        return EMPTY_ROOT
    value = roots[-1]
    for left in reversed(roots[:-1]):
        value = node_hash(left, value)
    return value
