"""From a unit of episodes to one atomic write: extraction, resolution, judgement, summaries, composition."""
