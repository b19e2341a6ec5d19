"""A server that speaks OpenAI's protocol and knows its answers beforehand: for benchmarks and tests."""
