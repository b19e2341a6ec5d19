"""What requests to models cost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Answers that could not be used count too."""

    requests: int = 0
    """HTTP requests that a provider answered with 200, repairs included."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    """0 for a model without a configured price."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.requests + other.requests,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_usd + other.cost_usd,
        )
