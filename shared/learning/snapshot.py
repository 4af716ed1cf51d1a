"""A model as bytes, and back.

Compressed JSON, arrays as base64. What is restored goes on as the original would.
"""

import json
import zlib
from base64 import b64decode, b64encode
from typing import Any

import numpy as np

from shared.learning.history import History
from shared.learning.next_command import NextCommandModel
from shared.learning.options import LearningOptions

VERSION = 2


def save(model: NextCommandModel) -> bytes:
    """The state of `model`; the key of its options is not part of it."""
    state = {
        "version": VERSION,
        "granularity": model.granularity,
        "learned": model.learned,
        "lexicon": model.lexicon.state(),
        "tables": {name: table.state() for name, table in model.memory.tables().items()},
        "rankings": {
            name: {
                "ranker": ranking.ranker.state(),
                "calibrator": ranking.calibrator.state(),
                "missing": ranking.missing,
            }
            for name, ranking in _rankings(model).items()
        },
        "histories": {user: history.state() for user, history in model.histories.items()},
    }
    return zlib.compress(json.dumps(state, default=_plain).encode(), 1)


def load(data: bytes, options: LearningOptions | None = None) -> NextCommandModel:
    """The model that gave `data`; `options` as it had.

    Raises ValueError for bytes of another version.
    """
    try:
        state = json.loads(zlib.decompress(data), object_hook=_whole)
    except (zlib.error, ValueError) as error:
        raise ValueError("this is not a snapshot of a model of commands") from error
    if state.get("version") != VERSION:
        raise ValueError(
            f"a snapshot of version {state.get('version')}; this program reads {VERSION}"
        )
    model = NextCommandModel(state["granularity"], options)
    model.learned = state["learned"]
    model.lexicon.restore(state["lexicon"])
    for name, table in model.memory.tables().items():
        table.restore(state["tables"][name])
    for name, ranking in _rankings(model).items():
        kept = state["rankings"][name]
        ranking.ranker.restore(kept["ranker"])
        ranking.calibrator.restore(kept["calibrator"])
        ranking.missing = kept["missing"]
    model.histories = {u: History.restored(each) for u, each in state["histories"].items()}
    return model


def _rankings(model: NextCommandModel) -> dict[str, Any]:
    rankings = {"names": model.names.ranking}
    if model.granularity == "line":
        rankings["lines"] = model.lines.ranking
    return rankings


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        packed = b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"array": packed, "type": value.dtype.str, "shape": value.shape}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"no place for {type(value).__name__} in a snapshot")


def _whole(value: dict[str, Any]) -> Any:
    if value.keys() != {"array", "type", "shape"}:
        return value
    flat = np.frombuffer(b64decode(value["array"]), np.dtype(value["type"]))
    return flat.reshape(value["shape"]).copy()
