"""The files of the text model: found, read, refused."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from shared.adapters.models.minilm import (
    VARIABLE,
    MiniLM,
    ModelUnreadableError,
    installed_model,
    model_folder,
    tensors_of,
)


def write(path: Path, offsets: tuple[int, int] = (0, 16)) -> None:
    header = json.dumps(
        {"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": offsets}, "__metadata__": {}}
    ).encode()
    data = np.arange(4, dtype=np.float32).tobytes()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def test_tensors_are_read(tmp_path: Path) -> None:
    """A tensor comes with its shape and values."""
    write(tmp_path / "x")
    assert tensors_of(tmp_path / "x")["a"].tolist() == [[0, 1], [2, 3]]


def test_a_file_cut_off_is_refused(tmp_path: Path) -> None:
    """What the header promises must be there."""
    write(tmp_path / "x", (16, 32))
    with pytest.raises(ValueError, match="cut off"):
        tensors_of(tmp_path / "x")


def test_a_header_without_end_is_not_read(tmp_path: Path) -> None:
    """Its length is bounded before it is believed."""
    (tmp_path / "x").write_bytes(struct.pack("<Q", 1 << 40) + b"{}")
    with pytest.raises(ValueError, match="too long"):
        tensors_of(tmp_path / "x")


def test_the_model_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """`HIVE_TEXT_MODEL=off` is as if it were not installed."""
    monkeypatch.setenv(VARIABLE, "off")
    assert model_folder() is None
    assert installed_model() is None


def test_a_folder_without_the_files_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A named folder that does not hold the model is an error, not a silent fallback."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(ModelUnreadableError, match=str(tmp_path)):
        installed_model()


@pytest.mark.skipif(model_folder() is None, reason="the wheel of the text model is not installed")
def test_vectors_are_kept_and_cannot_be_changed() -> None:
    """The same text gives the same array again, which callers cannot spoil."""
    folder = model_folder()
    assert folder is not None
    model = MiniLM(folder)
    vector = model.embed("disk full")
    assert model.embed("disk full") is vector
    assert float(np.linalg.norm(vector)) == pytest.approx(1, abs=1e-5)
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 1
