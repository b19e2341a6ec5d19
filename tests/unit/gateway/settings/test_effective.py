"""The list of settings in force."""

from gateway.settings.effective import effective
from gateway.settings.layer import known_paths
from gateway.settings.loading import load_settings


def test_every_setting_is_listed_once() -> None:
    """Nothing is in force that the list does not show."""
    loaded = load_settings(
        environ={
            "GRAPHGATE_CATALOG__URL": "redis://c",
            "GRAPHGATE_SHARDS": '[{"id": "a", "engine": "NEO4J", "url": "bolt+s://a"}]',
        }
    )
    rows = effective(loaded.settings, loaded.sources)
    assert sorted(row.path for row in rows) == sorted(known_paths())


def test_values_are_typed_for_programs_and_readable_for_people() -> None:
    """JSON gets numbers and null, people get true and a dash."""
    loaded = load_settings(environ={"GRAPHGATE_METRICS__ENABLED": "false"})
    rows = {row.name: row for row in effective(loaded.settings, loaded.sources)}
    assert (rows["grpc.port"].value, rows["grpc.port"].shown, rows["grpc.port"].source) == (
        50051,
        "50051",
        "default",
    )
    enabled = rows["metrics.enabled"]
    assert (enabled.value, enabled.shown) == (False, "false")
    assert enabled.source == "environment GRAPHGATE_METRICS__ENABLED"
    assert (rows["embedder.api_key"].value, rows["embedder.api_key"].shown) == (None, "-")
