"""The server as a process: `python -m gateway.bench.model_server --latency-ms 200 --replay`.

Writes one line {"base_url", "pid"} to standard output when it serves, and {"requests", "input_tokens",
"output_tokens"} when it is told to end by SIGTERM or SIGINT. GET /stats tells the same meanwhile; /reset
makes it begin anew.
"""

import asyncio
import os
import signal
import sys
from argparse import ArgumentParser
from pathlib import Path

import orjson

from gateway.bench.model_server.server import ModelServer, ServerOptions
from gateway.bench.model_server.trouble import Trouble, TroubleOptions
from gateway.corpus.dataset import DATA_FILE, load_dataset


async def serve(options: ServerOptions, passages: Path | None, trouble: TroubleOptions) -> None:
    server = ModelServer(options)
    if trouble.share or trouble.refuses:
        server.chooses = Trouble(trouble)
    if passages is not None:
        server.knowledge.learn_passages(load_dataset(passages))
    ended = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, ended.set)
    await server.start()
    _tell({"base_url": server.base_url, "pid": os.getpid()})
    await ended.wait()
    await server.stop()
    _tell(server.stats())


def _tell(line: dict[str, object]) -> None:
    sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    parser = ArgumentParser(prog="python -m gateway.bench.model_server")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="of every chat completion")
    parser.add_argument("--embedding-latency-ms", type=float, default=0.0)
    parser.add_argument("--dimension", type=int, default=384, help="of embeddings, if none is asked for")
    parser.add_argument("--replay", action="store_true", help="knows the extractions of musique100")
    parser.add_argument("--passages", type=Path, default=DATA_FILE, help="with --replay: another data set")
    parser.add_argument("--trouble", type=float, default=0.0, help="share of requests without an answer")
    parser.add_argument("--trouble-seed", type=int, default=0, help="which requests these are")
    parser.add_argument(
        "--refuse", default="", metavar="WORDS", help="refuses episodes that hold these words"
    )
    given = parser.parse_args()
    options = ServerOptions(
        host=given.host,
        port=given.port,
        latency_s=given.latency_ms / 1000,
        embedding_latency_s=given.embedding_latency_ms / 1000,
        dimension=given.dimension,
        keeps_requests=False,
    )
    trouble = TroubleOptions(given.trouble, given.refuse, given.trouble_seed)
    asyncio.run(serve(options, given.passages if given.replay else None, trouble))


if __name__ == "__main__":
    main()
