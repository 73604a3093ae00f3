"""The Merkle tree against the vectors of the reference implementation of RFC 6962, and its laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from complaints.merkle import (
    EMPTY_ROOT,
    Frontier,
    MerkleTree,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

# Inputs and roots from the reference implementation's own tests (google/certificate-transparency, merkletree).
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]

sizes = st.integers(min_value=1, max_value=70)


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(index.to_bytes(4, "big")) for index in range(count)]


def root_as_defined(hashes: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1, word for word."""
    if not hashes:
        return EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node_hash(root_as_defined(hashes[:split]), root_as_defined(hashes[split:]))


def test_the_root_of_an_empty_tree_is_the_hash_of_nothing() -> None:
    expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Frontier().root().hex() == MerkleTree().root().hex() == expected


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_reference_implementation(size: int) -> None:
    frontier = Frontier()
    for leaf in HASHES[:size]:
        frontier.add(leaf)
    assert frontier.root().hex() == MerkleTree(HASHES).root(size).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [
        (0, 1, []),
        (
            0,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    ],
)
def test_audit_paths_are_those_of_the_reference_implementation(index: int, size: int, path: list[str]) -> None:
    assert [node.hex() for node in MerkleTree(HASHES).inclusion(index, size)] == path


@pytest.mark.parametrize(
    ("old", "size", "path"),
    [
        (1, 1, []),
        (
            1,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            [
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ],
)
def test_consistency_proofs_are_those_of_the_reference_implementation(old: int, size: int, path: list[str]) -> None:
    assert [node.hex() for node in MerkleTree(HASHES).consistency(old, size)] == path


@given(sizes)
def test_every_way_to_a_root_gives_the_root_as_the_standard_defines_it(size: int) -> None:
    hashes, frontier = leaves(size), Frontier()
    for leaf in hashes:
        frontier.add(leaf)
    assert frontier.root() == MerkleTree(hashes).root() == root_as_defined(hashes)


@given(st.integers(0, 70), st.integers(0, 70))
def test_a_frontier_goes_on_where_its_bytes_were_kept(before: int, more: int) -> None:
    hashes, frontier = leaves(before + more), Frontier()
    for leaf in hashes[:before]:
        frontier.add(leaf)
    resumed = Frontier.from_bytes(before, bytes(frontier))
    for leaf in hashes[before:]:
        resumed.add(leaf)
    assert (resumed.size, resumed.root()) == (before + more, root_as_defined(hashes))


@given(st.data())
def test_a_tree_that_grows_in_pieces_is_the_tree_of_all(data: st.DataObject) -> None:
    size = data.draw(sizes)
    cut = data.draw(st.integers(0, size))
    tree = MerkleTree(leaves(size)[:cut])
    tree.extend(leaves(size)[cut:])
    assert [tree.root(part) for part in range(size + 1)] == [
        root_as_defined(leaves(size)[:part]) for part in range(size + 1)
    ]


@given(st.data())
def test_an_audit_path_proves_its_leaf_at_its_place_and_nothing_else(data: st.DataObject) -> None:
    size = data.draw(sizes)
    index = data.draw(st.integers(0, size - 1))
    tree, hashes = MerkleTree(leaves(size)), leaves(size)
    path, root = tree.inclusion(index), tree.root()
    assert verify_inclusion(hashes[index], index, size, path, root)
    other = data.draw(st.integers(0, size + 3))
    if other != index:
        assert not verify_inclusion(hashes[index], other, size, path, root)
    assert not verify_inclusion(leaf_hash(b"another"), index, size, path, root)
    assert not verify_inclusion(hashes[index], index, size, [*path, root], root)
    if path:
        assert not verify_inclusion(hashes[index], index, size, path[:-1], root)


@given(st.data())
def test_a_consistency_proof_proves_the_shorter_log_and_no_other(data: st.DataObject) -> None:
    size = data.draw(sizes)
    old = data.draw(st.integers(0, size))
    tree = MerkleTree(leaves(size))
    path = tree.consistency(old)
    assert verify_consistency(old, size, tree.root(old), tree.root(), path)
    rewritten = MerkleTree([leaf_hash(b"another"), *leaves(size)[1:]])
    if old:
        assert not verify_consistency(old, size, rewritten.root(old), tree.root(), path)
        assert not verify_consistency(old, size, tree.root(old), rewritten.root(), path)
    assert not verify_consistency(old, size, tree.root(old), tree.root(), [*path, tree.root()])
    if path:
        assert not verify_consistency(old, size, tree.root(old), tree.root(), path[:-1])


def test_a_tree_refuses_what_it_cannot_prove() -> None:
    tree = MerkleTree(leaves(5))
    for refused in (
        lambda: tree.inclusion(5),
        lambda: tree.inclusion(-1),
        lambda: tree.root(6),
        lambda: tree.consistency(6),
        lambda: Frontier.from_bytes(3, bytes(32)),
        lambda: Frontier(1, [b"short"]),
    ):
        with pytest.raises(ValueError, match=r"leaf|leaves"):
            refused()
    assert not verify_inclusion(HASHES[0], 8, 8, [], HASHES[0])
    assert not verify_consistency(9, 8, HASHES[0], HASHES[0], [])
    assert not verify_consistency(3, 8, HASHES[0], HASHES[0], [])
