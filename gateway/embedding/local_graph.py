"""The ONNX graph of a BERT sentence encoder, written from its safetensors weights.

input_ids and attention_mask, both int64 (texts, tokens) -> embedding, float32 (texts, hidden): the encoder's
last layer, averaged over the tokens that the mask keeps and scaled to L2 norm 1 (the recipe of
sentence-transformers' BERT, mean pooling and Normalize modules). Large tensors lie beside the graph in a file
that the runtime maps into memory instead of copying it.
"""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnx

GRAPH_REVISION = 1
"""To be raised with every change of the graph: part of the cache's key."""
GRAPH_FILE = "graph.onnx"
WEIGHTS_FILE = "weights.bin"
OPSET = 20
IR_VERSION = 10
EXTERNAL_BYTES_MIN = 4_096
"""Smaller tensors stay inside the graph."""
MASKED = -1e9
"""Added to the attention score of padding before the softmax; finite, so that no row can become NaN."""


def write_graph(model_dir: Path, target_dir: Path) -> None:
    """Writes GRAPH_FILE and WEIGHTS_FILE into the existing folder `target_dir`.

    `model_dir` holds config.json and model.safetensors of a BertModel. Needs onnx and safetensors.
    """
    from safetensors.numpy import load_file  # noqa: PLC0415 - only the first start needs it

    config = json.loads((model_dir / "config.json").read_text())
    weights = load_file(model_dir / "model.safetensors")
    with (target_dir / WEIGHTS_FILE).open("wb") as weights_file:
        model = _Encoder(config, weights, weights_file).model()
    (target_dir / GRAPH_FILE).write_bytes(model.SerializeToString())


class _Encoder:
    """Collects nodes and constants; every method that takes value names returns the name of its result."""

    def __init__(
        self, config: dict[str, Any], weights: dict[str, npt.NDArray[Any]], weights_file: Any
    ) -> None:
        import onnx  # noqa: PLC0415 - only the first start needs it
        import onnx.helper  # noqa: PLC0415
        import onnx.numpy_helper  # noqa: PLC0415

        self._onnx = onnx
        self._config = config
        self._weights = weights
        self._weights_file = weights_file
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def model(self) -> "onnx.ModelProto":
        helper, types = self._onnx.helper, self._onnx.TensorProto
        mask = self._op("Cast", "attention_mask", to=types.FLOAT)
        hidden = self._embeddings()
        for layer in range(self._config["num_hidden_layers"]):
            hidden = self._layer(hidden, mask, f"encoder.layer.{layer}.")
        self._mean_pooled(hidden, mask)
        size = self._config["hidden_size"]
        graph = helper.make_graph(
            self._nodes,
            "sentence_encoder",
            [
                helper.make_tensor_value_info(name, types.INT64, ["texts", "tokens"])
                for name in ("input_ids", "attention_mask")
            ],
            [helper.make_tensor_value_info("embedding", types.FLOAT, ["texts", size])],
            list(self._constants.values()),
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)

    def _embeddings(self) -> str:
        words = self._op("Gather", self._weight("embeddings.word_embeddings.weight"), "input_ids")
        length = self._op("Slice", self._op("Shape", "input_ids"), self._ints(1), self._ints(2))
        positions = self._op(
            "Slice",
            self._weight("embeddings.position_embeddings.weight"),
            self._ints(0),
            length,
            self._ints(0),
        )
        segment = self._constant("segment", self._weights["embeddings.token_type_embeddings.weight"][0])
        summed = self._op("Add", self._op("Add", words, positions), segment)
        return self._normalised(summed, "embeddings.LayerNorm")

    def _layer(self, hidden: str, mask: str, prefix: str) -> str:
        heads = self._config["num_attention_heads"]
        width = self._config["hidden_size"] // heads
        split = self._ints(0, 0, heads, width)
        query, key, value = (
            self._op("Reshape", self._linear(hidden, f"{prefix}attention.self.{name}"), split)
            for name in ("query", "key", "value")
        )
        scores = self._op(
            "MatMul",
            self._op("Transpose", query, perm=[0, 2, 1, 3]),
            self._op("Transpose", key, perm=[0, 2, 3, 1]),
        )
        scaled = self._op("Mul", scores, self._number(1 / math.sqrt(width)))
        padding = self._op("Sub", self._number(1), self._op("Unsqueeze", mask, self._ints(1, 2)))
        shares = self._op(
            "Softmax", self._op("Add", scaled, self._op("Mul", padding, self._number(MASKED))), axis=-1
        )
        context = self._op("MatMul", shares, self._op("Transpose", value, perm=[0, 2, 1, 3]))
        joined = self._op(
            "Reshape",
            self._op("Transpose", context, perm=[0, 2, 1, 3]),
            self._ints(0, 0, self._config["hidden_size"]),
        )
        attended = self._op("Add", hidden, self._linear(joined, f"{prefix}attention.output.dense"))
        attended = self._normalised(attended, f"{prefix}attention.output.LayerNorm")
        inner = self._op("Gelu", self._linear(attended, f"{prefix}intermediate.dense"))
        outer = self._op("Add", attended, self._linear(inner, f"{prefix}output.dense"))
        return self._normalised(outer, f"{prefix}output.LayerNorm")

    def _mean_pooled(self, hidden: str, mask: str) -> None:
        kept = self._op("Mul", hidden, self._op("Unsqueeze", mask, self._ints(2)))
        count = self._op("ReduceSum", mask, self._ints(1), keepdims=1)
        mean = self._op("Div", self._op("ReduceSum", kept, self._ints(1), keepdims=0), count)
        self._op("LpNormalization", mean, result="embedding", axis=-1, p=2)

    def _linear(self, value: str, name: str) -> str:
        # PyTorch stores (out, in), MatMul multiplies by (in, out).
        product = self._op(
            "MatMul", value, self._constant(f"{name}.weight", self._weights[f"{name}.weight"].T)
        )
        return self._op("Add", product, self._weight(f"{name}.bias"))

    def _normalised(self, value: str, name: str) -> str:
        scale, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        epsilon = self._config["layer_norm_eps"]
        return self._op("LayerNormalization", value, scale, bias, axis=-1, epsilon=epsilon)

    def _op(self, kind: str, *inputs: str, result: str | None = None, **attributes: Any) -> str:
        name = result or f"{kind}_{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def _weight(self, name: str) -> str:
        return self._constant(name, self._weights[name])

    def _number(self, value: float) -> str:
        return self._constant(f"number_{value}", np.array(value, np.float32))

    def _ints(self, *values: int) -> str:
        return self._constant("ints_" + "_".join(map(str, values)), np.array(values, np.int64))

    def _constant(self, name: str, array: npt.NDArray[Any]) -> str:
        if name not in self._constants:
            # asarray(order="C") and not ascontiguousarray, which makes a 0-d array 1-d.
            contiguous = np.asarray(array, order="C")
            external = contiguous.nbytes >= EXTERNAL_BYTES_MIN
            make = self._external if external else self._onnx.numpy_helper.from_array
            self._constants[name] = make(contiguous, name)
        return name

    def _external(self, array: npt.NDArray[Any], name: str) -> "onnx.TensorProto":
        offset = self._weights_file.tell()
        self._weights_file.write(array.data)
        tensor = self._onnx.TensorProto(
            name=name,
            dims=array.shape,
            data_type=self._onnx.helper.np_dtype_to_tensor_dtype(array.dtype),
            data_location=self._onnx.TensorProto.EXTERNAL,
        )
        for key, entry in (("location", WEIGHTS_FILE), ("offset", offset), ("length", array.nbytes)):
            tensor.external_data.add(key=key, value=str(entry))
        return tensor
