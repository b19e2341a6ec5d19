"""What the gateway tells about itself: logs, counts and latencies."""
