"""Which embedder the settings mean, on this machine."""

from gateway.embedding.errors import EmbedderSetupInvalid
from gateway.embedding.factory import EmbedderSettings
from gateway.settings.tree import Settings


def embedder_settings(settings: Settings) -> EmbedderSettings:
    """For make_embedder(). Kind auto becomes local where everything for it is installed, else none."""
    chosen = settings.embedder
    kind = chosen.kind
    if kind == "auto":
        kind = "local" if _local_is_installed() else "none"
    return EmbedderSettings(
        kind=kind,
        cache_dir=settings.cache,
        model=chosen.model,
        base_url=chosen.base_url,
        api_key=None if chosen.api_key is None else chosen.api_key.get_secret_value(),
        dimension=chosen.dimension,
        request_inputs_max=chosen.request_inputs_max,
        request_tokens_max=chosen.request_tokens_max,
        requests_running_max=chosen.requests_running_max,
        # The local model's own batch is measured; a larger one only keeps a query waiting.
        batch_max=chosen.batch_max if kind == "openai" else None,
        wait_ms_max=chosen.wait_ms_max,
        pending_max=chosen.pending_max,
        timeout_s=chosen.timeout_s,
        cache_bytes_max=chosen.cache_bytes_max,
    )


def _local_is_installed() -> bool:
    from gateway.embedding.local_model import check_installed  # noqa: PLC0415 - only for kind auto

    try:
        check_installed()
    except EmbedderSetupInvalid:
        return False
    return True
