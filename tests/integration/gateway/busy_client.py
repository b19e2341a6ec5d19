"""A client with many calls at once, as a process of its own: `python -m ... ADDRESS GROUP CONNECTIONS CALLS`.

Writes one line when its calls run; once its standard input ends, the median of their latencies in seconds.
"""

import asyncio
import statistics
import sys
import time

import grpc

from graphgate.v1 import graph_service_pb2, graph_service_pb2_grpc


async def _main(address: str, group_id: str, connections: int, calls: int) -> None:
    request = graph_service_pb2.ListEntitiesRequest(group_id=group_id, page_size=5)
    latencies_s: list[float] = []
    ending = asyncio.create_task(asyncio.to_thread(sys.stdin.read))

    async def call_on(stub: "graph_service_pb2_grpc.GraphServiceAsyncStub") -> None:
        while not ending.done():
            started = time.monotonic()
            await stub.ListEntities(request)
            latencies_s.append(time.monotonic() - started)
            if len(latencies_s) == connections * calls:
                print("running", flush=True)

    own_connection = (("grpc.use_local_subchannel_pool", 1),)
    channels = [grpc.aio.insecure_channel(address, options=own_connection) for _ in range(connections)]
    stubs = [graph_service_pb2_grpc.GraphServiceStub(channel) for channel in channels]
    await asyncio.gather(*(call_on(stub) for stub in stubs for _ in range(calls)))
    for channel in channels:
        await channel.close()
    print(statistics.median(latencies_s), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
