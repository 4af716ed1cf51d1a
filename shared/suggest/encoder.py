"""Texts as vectors of meaning: the forward pass of a BERT sentence encoder, in numpy alone.

The law (Vaswani et al. 2017; Devlin et al. 2019; Reimers & Gurevych 2019 for the pooling):

* Embeddings of token, place and kind are added and normalised.
* Each layer attends (scaled dot product, several heads), adds, normalises; then two dense layers
  with GELU between them, adds, normalises.
* A text's vector is the mean over its tokens, of length 1: the product of two is their cosine.

A text is computed by itself: without neighbours there is no padding, and so nothing to mask. The
three matrices that attend are one, so that a layer takes four large products.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_EPSILON: Final = 1e-12


@dataclass(frozen=True)
class _Dense:
    weight: Array  # (in, out)
    bias: Array

    def __call__(self, x: Array) -> Array:
        product: Array = x @ self.weight
        product += self.bias
        return product


@dataclass(frozen=True)
class _Norm:
    weight: Array
    bias: Array

    def __call__(self, x: Array) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt(np.mean(centred * centred, axis=-1, keepdims=True) + _EPSILON)
        return np.asarray(centred / spread * self.weight + self.bias, dtype=np.float32)


@dataclass(frozen=True)
class _Layer:
    attend: _Dense
    joined: _Dense
    attended: _Norm
    wide: _Dense
    narrow: _Dense
    out: _Norm


class Encoder:
    """A sentence encoder with the weights of a BERT model under their published names."""

    def __init__(self, tensors: Mapping[str, Array], heads: int) -> None:
        """Raises `KeyError` where a weight is missing, `ValueError` where heads do not divide."""
        self._word = tensors["embeddings.word_embeddings.weight"]
        kind = tensors["embeddings.token_type_embeddings.weight"][0]
        self._place = tensors["embeddings.position_embeddings.weight"] + kind
        self._norm = _norm(tensors, "embeddings.LayerNorm")
        self.dimensions: int = self._word.shape[1]
        if self.dimensions % heads:
            raise ValueError(f"{heads} heads do not divide {self.dimensions} dimensions")
        self._heads = heads
        count = 1 + max(int(n.split(".")[2]) for n in tensors if n.startswith("encoder.layer."))
        self._layers = [_layer(tensors, f"encoder.layer.{i}.") for i in range(count)]
        self.longest: int = self._place.shape[0]

    def encode(self, ids: Sequence[int]) -> Array:
        """The unit vector of a text's token ids, `(dimensions,)`."""
        x = self._norm(self._word[np.asarray(ids)] + self._place[: len(ids)])
        for layer in self._layers:
            x = layer.attended(x + layer.joined(self._attention(layer, x)))
            x = layer.out(x + layer.narrow(_gelu(layer.wide(x))))
        mean: Array = x.mean(axis=0)
        return np.asarray(mean / max(float(np.linalg.norm(mean)), _EPSILON), dtype=np.float32)

    def _attention(self, layer: _Layer, x: Array) -> Array:
        count, size = len(x), self.dimensions // self._heads
        parts = layer.attend(x).reshape(count, 3, self._heads, size).transpose(1, 2, 0, 3)
        query, key, value = parts
        scores: Array = query @ key.transpose(0, 2, 1)
        scores *= np.float32(size**-0.5)
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        joined: Array = (scores @ value).transpose(1, 0, 2).reshape(count, self.dimensions)
        return joined


def _gelu(x: Array) -> Array:
    """`x Φ(x)`; Φ through Abramowitz & Stegun 7.1.26, whose error is below 1.5e-7."""
    z: Array = np.abs(x) * np.float32(2**-0.5)
    t = np.float32(1) / (np.float32(1) + np.float32(0.3275911) * z)
    tail: Array = np.float32(1.061405429) * t
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail += np.float32(factor)
        tail *= t
    z *= z
    np.negative(z, out=z)
    np.exp(z, out=z)
    tail *= z
    tail *= np.float32(0.5)
    return np.asarray(np.where(x >= 0, x - x * tail, x * tail), dtype=np.float32)


def _layer(tensors: Mapping[str, Array], at: str) -> _Layer:
    parts = [_dense(tensors, f"{at}attention.self.{name}") for name in ("query", "key", "value")]
    return _Layer(
        attend=_Dense(
            np.concatenate([part.weight.T for part in parts]).T,
            np.concatenate([part.bias for part in parts]),
        ),
        joined=_dense(tensors, f"{at}attention.output.dense"),
        attended=_norm(tensors, f"{at}attention.output.LayerNorm"),
        wide=_dense(tensors, f"{at}intermediate.dense"),
        narrow=_dense(tensors, f"{at}output.dense"),
        out=_norm(tensors, f"{at}output.LayerNorm"),
    )


def _dense(tensors: Mapping[str, Array], name: str) -> _Dense:
    return _Dense(tensors[f"{name}.weight"].T, tensors[f"{name}.bias"])


def _norm(tensors: Mapping[str, Array], name: str) -> _Norm:
    return _Norm(tensors[f"{name}.weight"], tensors[f"{name}.bias"])
