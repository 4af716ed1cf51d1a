"""Texts as vectors of meaning: the forward pass of a BERT sentence encoder, run by ONNX Runtime.

The law (Vaswani et al. 2017; Devlin et al. 2019; Reimers & Gurevych 2019 for the pooling):

* Embeddings of token, place and kind are added and normalised.
* Each layer attends (scaled dot product, several heads), adds, normalises; then two dense layers
  with GELU between them, adds, normalises.
* A text's vector is the mean over its tokens, of length 1: the product of two is their cosine.

A text is computed by itself: without neighbours there is no padding, and so nothing to mask. The
three matrices that attend are one. Weights are 8-bit numbers, each column with a scale of its own,
and what they are multiplied with becomes 8-bit for each product (Zafrir et al. 2019); embeddings
stay where they are, mapped from their file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from shared.suggest.arrays import Array

_EPSILON: Final = 1e-12
_OPSET: Final = 20
_FORMAT: Final = 9
_ID_TYPE: Final = np.int64
_LARGEST: Final = 63
"""Of a weight. One bit is left free: on processors that add pairs of products in 16 bits, two
largest ones would be cut off."""


class Encoder:
    """A sentence encoder with the weights of a BERT model under their published names."""

    def __init__(self, tensors: Mapping[str, Array], heads: int, *, exact: bool = False) -> None:
        """`exact` keeps weights as they are, for comparison: four times as slow.

        Raises `KeyError` where a weight is missing, `ValueError` where heads do not divide.
        """
        self._word = tensors["embeddings.word_embeddings.weight"]
        kind = tensors["embeddings.token_type_embeddings.weight"][0]
        self._place = tensors["embeddings.position_embeddings.weight"] + kind
        self.dimensions: int = self._word.shape[1]
        if self.dimensions % heads:
            raise ValueError(f"{heads} heads do not divide {self.dimensions} dimensions")
        self.longest: int = self._place.shape[0]
        self._session = _session(_Graph(tensors, heads, exact=exact).model())

    def encode(self, ids: Sequence[int]) -> Array:
        """The unit vector of a text's token ids, `(dimensions,)`."""
        given = self._word[np.asarray(ids)] + self._place[: len(ids)]
        mean: Array = self._session.run(None, {"embedded": given})[0]
        return np.asarray(mean / max(float(np.linalg.norm(mean)), _EPSILON), dtype=np.float32)


def _session(model: bytes) -> onnxruntime.InferenceSession:
    """One thread for each text: others wait for the same cores. Read from a file, since a session
    keeps the bytes that it is given."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(model)
        file.flush()
        return onnxruntime.InferenceSession(file.name, options, providers=["CPUExecutionProvider"])


class _Graph:
    """The model as a graph of operators; each method adds some and names what they give."""

    def __init__(self, tensors: Mapping[str, Array], heads: int, *, exact: bool) -> None:
        self._tensors, self._heads, self._exact = tensors, heads, exact
        self._size: int = tensors["embeddings.word_embeddings.weight"].shape[1]
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def model(self) -> bytes:
        """The whole of it, in the format that the runtime reads."""
        x = self._norm("embedded", "embeddings.LayerNorm")
        for index in range(self._layers()):
            x = self._layer(x, f"encoder.layer.{index}.")
        self._op("ReduceMean", x, self._constant(np.array([0], _ID_TYPE)), named="mean", keepdims=0)
        rows = helper.make_tensor_value_info("embedded", TensorProto.FLOAT, ["n", self._size])
        mean = helper.make_tensor_value_info("mean", TensorProto.FLOAT, [self._size])
        graph = helper.make_graph(self._nodes, "encoder", [rows], [mean], self._constants)
        opset = [helper.make_opsetid("", _OPSET)]
        made: bytes = helper.make_model(
            graph, opset_imports=opset, ir_version=_FORMAT
        ).SerializeToString()
        return made

    def _layers(self) -> int:
        named = [name.split(".") for name in self._tensors if name.startswith("encoder.layer.")]
        return 1 + max(int(parts[2]) for parts in named)

    def _layer(self, x: str, at: str) -> str:
        attended = self._dense(self._attention(x, at), f"{at}attention.output.dense")
        x = self._norm(self._op("Add", x, attended), f"{at}attention.output.LayerNorm")
        wide = self._op("Gelu", self._dense(x, f"{at}intermediate.dense"))
        narrow = self._dense(wide, f"{at}output.dense")
        return self._norm(self._op("Add", x, narrow), f"{at}output.LayerNorm")

    def _attention(self, x: str, at: str) -> str:
        size = self._size // self._heads
        joined = self._dense(x, *(f"{at}attention.self.{n}" for n in ("query", "key", "value")))
        parts = [f"{at}{name}" for name in ("query", "key", "value")]
        self._nodes.append(helper.make_node("Split", [joined], parts, axis=-1, num_outputs=3))
        by_head = self._constant(np.array([-1, self._heads, size], _ID_TYPE))
        query, key, value = (
            self._op("Transpose", self._op("Reshape", part, by_head), perm=perm)
            for part, perm in zip(parts, ([1, 0, 2], [1, 2, 0], [1, 0, 2]), strict=True)
        )
        scale = self._constant(np.array(size**-0.5, np.float32))
        scores = self._op("Mul", self._op("MatMul", query, key), scale)
        mixed = self._op("MatMul", self._op("Softmax", scores, axis=-1), value)
        whole = self._constant(np.array([-1, self._size], _ID_TYPE))
        return self._op("Reshape", self._op("Transpose", mixed, perm=[1, 0, 2]), whole)

    def _dense(self, x: str, *names: str) -> str:
        """One product for several layers of the same input, side by side."""
        weight = np.concatenate([self._tensors[f"{name}.weight"] for name in names]).T
        bias = np.concatenate([self._tensors[f"{name}.bias"] for name in names])
        if self._exact:
            product = self._op("MatMul", x, self._constant(weight))
        else:
            product = self._product(x, weight)
        return self._op("Add", product, self._constant(bias))

    def _product(self, x: str, weight: Array) -> str:
        """The product in 8-bit numbers."""
        scales = np.maximum(np.abs(weight).max(axis=0) / _LARGEST, np.float32(_EPSILON))
        small = np.rint(weight / scales).astype(np.int8)
        given, scale, zero = (f"{x}_{part}" for part in ("small", "scale", "zero"))
        self._nodes.append(helper.make_node("DynamicQuantizeLinear", [x], [given, scale, zero]))
        whole = self._op("MatMulInteger", given, self._constant(small), zero)
        scaled = self._op("Mul", scale, self._constant(scales))
        return self._op("Mul", self._op("Cast", whole, to=TensorProto.FLOAT), scaled)

    def _norm(self, x: str, name: str) -> str:
        parts = [self._constant(self._tensors[f"{name}.{part}"]) for part in ("weight", "bias")]
        return self._op("LayerNormalization", x, *parts, axis=-1, epsilon=_EPSILON)

    def _constant(self, value: Any) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _op(self, kind: str, *given: str, named: str = "", **attributes: Any) -> str:
        name = named or f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(given), [name], **attributes))
        return name
