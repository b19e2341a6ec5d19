"""The embedder that the settings ask for, ready to start()."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gateway.embedding.coalescing import CoalescingEmbedder
from gateway.embedding.errors import EmbedderSetupInvalid
from gateway.embedding.none_embedder import NoneEmbedder
from gateway.embedding.port import Embedder

OPENAI_MODEL = "text-embedding-3-small"


@dataclass(frozen=True, slots=True)
class EmbedderSettings:
    """What gateway/settings reads from the environment for the embedder."""

    kind: Literal["local", "openai", "none"]
    cache_dir: Path
    """Where the local model's graph is kept, about 90 MB; unused by the other kinds."""
    model: str | None = None
    """None: all-MiniLM-L6-v2 for local, text-embedding-3-small for openai."""
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    """None: no key, for a server of one's own at `base_url`."""
    dimension: int | None = None
    """openai: sent as `dimensions`, for models that can shorten their vectors; None: learnt at the start."""
    request_inputs_max: int = 2_048
    """openai: texts in one HTTP request."""
    request_tokens_max: int = 300_000
    """openai: estimated tokens in one HTTP request."""
    requests_running_max: int = 4
    """openai: HTTP requests at once."""
    batch_max: int | None = None
    """Requests of fewer texts are collected. None: 8 for local, one batch of the model; 64 for openai."""
    wait_ms_max: float = 5.0
    """Longest time that a collected text waits while another batch runs."""
    pending_max: int = 16_384
    """Texts waiting or being embedded at once."""
    timeout_s: float = 30.0
    """openai: one HTTP request with its retries."""
    cache_bytes_max: int = 64 * 1024 * 1024
    """Vectors of texts seen before, in memory."""


def make_embedder(settings: EmbedderSettings) -> Embedder:
    """Imports the heavy libraries of the chosen kind only. Raises EmbedderSetupInvalid."""
    match settings.kind:
        case "none":
            return NoneEmbedder()
        case "local":
            return _shared(_local(settings), settings, batch_max=8)
        case "openai":
            return _shared(_openai(settings), settings, batch_max=64)


def _shared(inner: Embedder, settings: EmbedderSettings, *, batch_max: int) -> Embedder:
    return CoalescingEmbedder(
        inner,
        batch_max=settings.batch_max or batch_max,
        wait_ms_max=settings.wait_ms_max,
        pending_max=settings.pending_max,
        cache_bytes_max=settings.cache_bytes_max,
    )


def _local(settings: EmbedderSettings) -> Embedder:
    from gateway.embedding.local_embedder import LocalEmbedder  # noqa: PLC0415 - optional extra
    from gateway.embedding.local_model import DIMENSION, MODEL_NAME  # noqa: PLC0415

    if settings.model not in (None, MODEL_NAME):
        raise EmbedderSetupInvalid(
            f"the local embedder has no model {settings.model!r}", f"use {MODEL_NAME} or leave the model out"
        )
    if settings.dimension not in (None, DIMENSION):
        raise EmbedderSetupInvalid(
            f"the local model {MODEL_NAME} makes no vectors of dimension {settings.dimension}",
            f"use {DIMENSION} or leave the dimension out",
        )
    return LocalEmbedder.minilm(cache_dir=settings.cache_dir, pending_max=settings.pending_max)


def _openai(settings: EmbedderSettings) -> Embedder:
    from gateway.embedding.openai_embedder import OpenAIEmbedder  # noqa: PLC0415 - heavy

    return OpenAIEmbedder(
        model=settings.model or OPENAI_MODEL,
        api_key=settings.api_key,
        base_url=settings.base_url,
        dimension=settings.dimension,
        inputs_max=settings.request_inputs_max,
        tokens_max=settings.request_tokens_max,
        requests_running_max=settings.requests_running_max,
        timeout_s=settings.timeout_s,
    )
