"""Serves graphiti-core, as the first argument says:

python -I graphiti_side search ENGINE URL GROUP
python -I graphiti_side ingest ENGINE URL GROUP MODEL_URL DIMENSION LIMIT
"""

import asyncio
import sys

# Each of them tells the library what it is to be when it is imported.
match sys.argv.pop(1):
    case "search":
        from searching import run
    case "ingest":
        from ingesting import run
    case other:
        sys.exit(f"graphiti_side is told {other!r}; it serves search or ingest")

asyncio.run(run())
