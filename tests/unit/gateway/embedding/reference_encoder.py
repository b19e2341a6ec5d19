"""The sentence encoder written down a second time, in plain numpy: what the ONNX graph is held to."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file
from tokenizers import Tokenizer

type Array = npt.NDArray[Any]


def encode(model_dir: Path, text: str) -> Array:
    """The unit vector of one text: BERT, mean over its tokens, L2 norm. Double precision."""
    config = json.loads((model_dir / "config.json").read_text())
    weights = {
        name: array.astype(np.float64) for name, array in load_file(model_dir / "model.safetensors").items()
    }
    tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.no_padding()
    ids = tokenizer.encode(text).ids
    heads, epsilon = config["num_attention_heads"], config["layer_norm_eps"]

    def linear(value: Array, name: str) -> Array:
        return value @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(value: Array, name: str) -> Array:
        centred = value - value.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def split(value: Array) -> Array:
        return value.reshape(len(ids), heads, -1).transpose(1, 0, 2)

    hidden = weights["embeddings.word_embeddings.weight"][ids]
    hidden = hidden + weights["embeddings.position_embeddings.weight"][: len(ids)]
    hidden = norm(hidden + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(config["num_hidden_layers"]):
        prefix = f"encoder.layer.{layer}"
        query, key, value = (
            split(linear(hidden, f"{prefix}.attention.self.{part}")) for part in ("query", "key", "value")
        )
        scores = np.exp(query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1]))
        context = (scores / scores.sum(-1, keepdims=True)) @ value
        attended = linear(
            context.transpose(1, 0, 2).reshape(len(ids), -1), f"{prefix}.attention.output.dense"
        )
        hidden = norm(hidden + attended, f"{prefix}.attention.output.LayerNorm")
        inner = linear(hidden, f"{prefix}.intermediate.dense")
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        hidden = norm(hidden + linear(inner, f"{prefix}.output.dense"), f"{prefix}.output.LayerNorm")
    mean = hidden.mean(0)
    return mean / np.linalg.norm(mean)
