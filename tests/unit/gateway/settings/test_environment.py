"""Which variables are settings and which are not ours."""

import pytest

from gateway.settings.environment import environment_layer, variable_of
from gateway.settings.layer import known_paths


def test_every_setting_has_a_variable() -> None:
    """Every value of the tree can be set by environment alone."""
    paths = list(known_paths())
    assert ("shards", "0", "tls", "ca_file") in paths
    layer = environment_layer({variable_of(path): "x" for path in paths})
    assert layer.problems == []
    assert set(layer.values) == set(paths)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GRAPHGATE_PORT", "tcp://10.0.0.1:50051"),
        ("GRAPHGATE_GRPC_PORT", "tcp://10.0.0.1:50051"),
        ("GRAPHGATE_SERVICE_HOST", "10.0.0.1"),
        ("GRAPHGATE_SERVICE_PORT_GRPC", "50051"),
        ("GRAPHGATE_PORT_50051_TCP_ADDR", "10.0.0.1"),
        ("GRAPHGATE_SETTINGS", "/etc/graphgate.toml"),
        ("GRAPHGATE_TEST_NEO4J_URL", "bolt://h"),
        ("GRAPHGATE_GRPC__PORT", ""),
        ("PATH", "/bin"),
    ],
)
def test_variables_that_are_no_settings(name: str, value: str) -> None:
    """A Kubernetes Service called graphgate injects variables with our prefix; they stop no gateway."""
    layer = environment_layer({name: value})
    assert layer.problems == []
    assert layer.values == {}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("GRAPHGATE_GRPC_PORT", "did you mean GRAPHGATE_GRPC__PORT (two underscores)?"),
        ("GRAPHGATE_PROFIL", "did you mean GRAPHGATE_PROFILE?"),
        ("GRAPHGATE_GRPC__PROT", "did you mean grpc.port?"),
        ("GRAPHGATE_QQQQQQ", "`graphgate config` lists the names"),
    ],
)
def test_a_misspelt_variable_is_an_error_with_a_hint(name: str, hint: str) -> None:
    """A setting that was meant and not understood is never ignored."""
    (problem,) = environment_layer({name: "1"}).problems
    assert str(problem).endswith(hint)
