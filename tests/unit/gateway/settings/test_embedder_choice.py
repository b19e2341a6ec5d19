"""Which embedder the settings mean."""

from pathlib import Path

import pytest

from gateway.embedding import local_model
from gateway.embedding.errors import EmbedderSetupInvalid
from gateway.settings.embedder_choice import embedder_settings
from gateway.settings.service import EmbedderSection
from gateway.settings.tree import Settings


def test_auto_is_local_only_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default run is semantic where the extra is installed and starts all the same where it is not."""
    monkeypatch.setattr(local_model, "check_installed", lambda: Path("/weights"))
    assert embedder_settings(Settings()).kind == "local"

    def missing() -> Path:
        raise EmbedderSetupInvalid("onnxruntime is missing", "install it")

    monkeypatch.setattr(local_model, "check_installed", missing)
    assert embedder_settings(Settings()).kind == "none"


def test_openai_settings_are_handed_on() -> None:
    """Key, server, dimension and limits reach the embedder as they were set."""
    section = EmbedderSection.model_validate(
        {"kind": "openai", "api_key": "k", "base_url": "http://h/v1", "dimension": 256, "batch_max": 9}
    )
    made = embedder_settings(Settings(embedder=section))
    assert (made.kind, made.api_key, made.base_url, made.dimension, made.batch_max) == (
        "openai",
        "k",
        "http://h/v1",
        256,
        9,
    )
    assert "'k'" not in repr(made)


def test_the_local_model_keeps_its_measured_batch() -> None:
    """A profile's batch is for servers of models; on one local thread it would only keep queries waiting."""
    made = embedder_settings(Settings(embedder=EmbedderSection(kind="local", batch_max=100)))
    assert made.batch_max is None
