"""A client with many calls at once, as a process of its own: `python -m ... ADDRESS GROUP CONNECTIONS CALLS`.

A call that is refused for want of room is made again after the pause that the refusal asks for. Writes one
line when its calls run; once its standard input ends, one JSON object: `median_s` of the calls that were
answered, from the first attempt on, and the number of `refusals` on the way there.
"""

import asyncio
import json
import statistics
import sys
import time

import grpc

from graphgate.v1 import graph_service_pb2, graph_service_pb2_grpc
from tests.integration.gateway.calls import Refusal


async def _main(address: str, group_id: str, connections: int, calls: int) -> None:
    request = graph_service_pb2.ListEntitiesRequest(group_id=group_id, page_size=5)
    latencies_s: list[float] = []
    refusals = 0
    ending = asyncio.create_task(asyncio.to_thread(sys.stdin.read))

    async def call_on(stub: "graph_service_pb2_grpc.GraphServiceAsyncStub") -> None:
        nonlocal refusals
        started = time.monotonic()
        while not ending.done():
            try:
                await stub.ListEntities(request)
            except grpc.aio.AioRpcError as error:
                pause_s = Refusal(error).retry_delay_s
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED or pause_s is None:
                    raise
                refusals += 1
                await asyncio.sleep(pause_s)
                continue
            latencies_s.append(time.monotonic() - started)
            started = time.monotonic()
            if len(latencies_s) == connections * calls:
                print("running", flush=True)

    own_connection = (("grpc.use_local_subchannel_pool", 1),)
    channels = [grpc.aio.insecure_channel(address, options=own_connection) for _ in range(connections)]
    stubs = [graph_service_pb2_grpc.GraphServiceStub(channel) for channel in channels]
    await asyncio.gather(*(call_on(stub) for stub in stubs for _ in range(calls)))
    for channel in channels:
        await channel.close()
    print(json.dumps({"median_s": statistics.median(latencies_s), "refusals": refusals}), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
