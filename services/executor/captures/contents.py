"""Contents as they leave the agent: compressed, then encrypted.

The sealed form follows from the content and the key alone: the nonce is derived from what is
encrypted, so equal contents are equal when sealed, and are kept once. It never repeats for
different contents. What this gives away is that two contents are the same, and how long they are
when compressed. AES-256-GCM; both keys are derived from the agents' sealing key (HMAC-SHA-256).
"""

from __future__ import annotations

import base64
import hmac
import zlib
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.runtime.sealing import SealError

_FORM: Final = b"hv1"
_NONCE_BYTES: Final = 12
_LEVEL: Final = 3
"""How hard zlib tries: text gets three to five times smaller, at 50 MB/s and more."""
_SAMPLE_BYTES: Final = 64 * 1024
_WORTH: Final = 0.9
"""What a sample of a larger content must shrink to; archives and pictures are left as they are."""


class ContentSealer:
    """Seals and opens contents with one key."""

    def __init__(self, key: bytes) -> None:
        """`key` is the agents' sealing key: 32 bytes as url-safe base 64."""
        secret = base64.urlsafe_b64decode(key)
        self._nonces = hmac.digest(secret, b"hive captures: nonces", "sha256")
        self._box = AESGCM(hmac.digest(secret, b"hive captures: contents", "sha256"))

    def seal(self, data: bytes) -> bytes:
        """A content as it may be stored."""
        packed = zlib.compress(data, _level(data))
        nonce = hmac.digest(self._nonces, packed, "sha256")[:_NONCE_BYTES]
        return _FORM + nonce + self._box.encrypt(nonce, packed, _FORM)

    def open(self, sealed: bytes, size: int) -> bytes:
        """The content, which has `size` bytes. Raises `SealError`."""
        start = len(_FORM) + _NONCE_BYTES
        try:
            packed = self._box.decrypt(sealed[len(_FORM) : start], sealed[start:], _FORM)
        except (InvalidTag, ValueError):
            raise SealError("the content was sealed with another key, or is damaged") from None
        unpacked = zlib.decompressobj()
        data = unpacked.decompress(packed, size + 1)
        if len(data) != size:
            raise SealError(f"the content has not the {size} bytes that it should have")
        return data


def _level(data: bytes) -> int:
    """How hard to try; it follows from the content alone."""
    if len(data) <= _SAMPLE_BYTES:
        return _LEVEL
    middle = (len(data) - _SAMPLE_BYTES) // 2
    sample = data[middle : middle + _SAMPLE_BYTES]
    return _LEVEL if len(zlib.compress(sample, 1)) < _WORTH * _SAMPLE_BYTES else 0
