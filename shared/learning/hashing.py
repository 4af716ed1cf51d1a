"""Stable 64-bit hashes: of texts, of tuples of integers, of arrays; the same on every machine."""

from hashlib import blake2b

import numpy as np
import numpy.typing as npt

UInt64s = npt.NDArray[np.uint64]

_MASK = (1 << 64) - 1
_ODD = 0x9E3779B97F4A7C15
_MIX = 0xBF58476D1CE4E5B9


def hash_text(text: str, key: bytes = b"") -> int:
    """A 64-bit hash of `text`; with a secret `key` nobody can look likely texts up."""
    data = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8, key=key).digest(), "little")


def combine(*parts: int) -> int:
    """A 64-bit hash of a sequence of integers, in order (after splitmix64's finaliser)."""
    mixed = len(parts)
    for part in parts:
        mixed = ((mixed ^ part) * _ODD + 0x1337) & _MASK
        mixed ^= mixed >> 29
        mixed = (mixed * _MIX) & _MASK
        mixed ^= mixed >> 32
    return mixed


def salted(keys: UInt64s, salt: int) -> UInt64s:
    """Other keys, one for each of `keys`; never 0."""
    mixed = (keys ^ np.uint64(salt & _MASK)) * np.uint64(_ODD)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(_MIX)
    mixed ^= mixed >> np.uint64(32)
    return mixed | np.uint64(1)


def pair_places(candidates: UInt64s, keys: UInt64s, bits: int) -> npt.NDArray[np.intp]:
    """A place below `2**bits` for each pair: shape (candidates, keys)."""
    mixed = (candidates[:, None] * np.uint64(_ODD)) ^ keys[None, :]
    return ((mixed * np.uint64(_MIX)) >> np.uint64(64 - bits)).astype(np.intp)
