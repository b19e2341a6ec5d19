"""The section of the cross-encoder: off by default, and nothing in it that would do nothing."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from gateway.assembly import cross_encoder_settings
from gateway.settings.service import CrossEncoderSection
from gateway.settings.tree import Settings


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"base_url": "http://h/v1"}, "without a model"),
        ({"api_key": "x"}, "without a model"),
        ({"model": "m"}, "needs an api_key"),
        ({"model": "m", "api_key": "x", "protocol": "rerank"}, "needs a base_url"),
        ({"model": "m", "base_url": "ftp://h"}, "http or https"),
        ({"model": "m", "api_key": "x", "timeout_s": 0}, "greater than 0"),
    ],
)
def test_settings_that_cannot_work_or_would_be_ignored_are_refused(given: dict[str, Any], told: str) -> None:
    """A wrong cross-encoder stops the start with a sentence, not a search later on."""
    with pytest.raises(ValidationError) as caught:
        CrossEncoderSection.model_validate(given)
    assert told in "; ".join(str(failure["msg"]) for failure in caught.value.errors())


def test_every_setting_reaches_the_client() -> None:
    """None is left behind on the way, the key is never shown, and without a model there is none."""
    chosen = CrossEncoderSection(
        model="m",
        protocol="rerank",
        base_url="http://h/v1",
        api_key=SecretStr("secret"),
        timeout_s=3,
        passages_max=4,
        requests_running_max=5,
        requests_waiting_max=6,
    )
    found = cross_encoder_settings(Settings(cross_encoder=chosen))
    assert (found.model, found.protocol, found.base_url) == ("m", "rerank", "http://h/v1")
    assert (found.timeout_s, found.passages_max) == (3, 4)
    assert (found.requests_running_max, found.requests_waiting_max) == (5, 6)
    assert found.api_key == "secret"
    assert "secret" not in repr(found)
    assert cross_encoder_settings(Settings()).model is None
