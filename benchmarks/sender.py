"""Sender: a Massive server that sends what was made beforehand, as fast as it is taken or at a steady pace.

It frames by itself, for the server side of a WebSocket library sends only some 80,000 messages a second. Run as a process
of its own: `python -m benchmarks.sender COUNT PER_FRAME RATE [BURST]`; prints its port, then what it sent.
"""

import asyncio
import json
import sys
import time

import numpy as np
from websockets.asyncio.server import serve

from benchmarks.rows import quotes
from pipeline.normalize.massive_out import MassiveEncoder
from pipeline.simulator.massive import MassiveVenue

SYMBOLS = 200
PATTERN_ROWS = 100_000
"""Rows made; longer runs send them again with later numbers and times, which costs a sender nothing if made beforehand."""

CHUNK_BYTES = 256 * 1024


def frames(count, per_frame):
    """Chunks of framed messages ready for a socket, with how many messages each holds."""
    rows = quotes(count, instruments=SYMBOLS)
    encoder = MassiveEncoder()
    symbols = {number: f"S{number}" for number in range(1, SYMBOLS + 1)}
    served = [each.payload for each in encoder.served([rows], symbols)]
    return [framed(encoder.frame(served[at : at + per_frame])) for at in range(0, count, per_frame)]


def framed(payload):
    """A text message as RFC 6455 (5.2) has it, unmasked, in one frame."""
    length = len(payload)
    if length < 126:
        return bytes((0x81, length)) + payload
    if length < 2**16:
        return b"\x81\x7e" + length.to_bytes(2, "big") + payload
    return b"\x81\x7f" + length.to_bytes(8, "big") + payload


async def send(socket, made, per_frame, rate, burst):
    """All of it: at `rate` messages a second (0: as fast as it is taken), `burst` of them at once in the middle.

    Gives the seconds it took, and when the last byte of the burst was handed to the system (UTC nanoseconds; 0: no burst).
    """
    transport = socket.transport
    started = time.perf_counter()
    burst_at = (len(made) - burst // per_frame) // 2 if burst else len(made) + 1
    at, ahead, burst_over_ns = 0, 0, 0
    while at < len(made):
        if rate:
            due = int((time.perf_counter() - started) * rate / per_frame) + ahead
            if due <= at:
                await asyncio.sleep(0.001)
                continue
            if at >= burst_at and not ahead:
                ahead = burst // per_frame
                due += ahead
            upto = min(due, len(made))
        else:
            upto = min(at + max(1, CHUNK_BYTES // len(made[at])), len(made))
        transport.write(b"".join(made[at:upto]))
        at = upto
        while transport.get_write_buffer_size() > 4 * CHUNK_BYTES:  # noqa: ASYNC110 - a transport rings no bell
            # Unpaced it looks again at once: to be sent a megabyte at a time costs whoever merely decodes a third of its speed.
            await asyncio.sleep(0 if not rate else 0.0005)
        if ahead and not burst_over_ns:
            while transport.get_write_buffer_size():  # noqa: ASYNC110 - same
                await asyncio.sleep(0.0005)
            burst_over_ns = time.time_ns()
    return time.perf_counter() - started, burst_over_ns


async def main(count, per_frame, rate, burst):
    made = frames(min(count, PATTERN_ROWS), per_frame)
    made = (made * -(-count // (len(made) * per_frame)))[: count // per_frame]
    venue, done = MassiveVenue(), asyncio.Event()

    async def talk(socket):
        conversation = venue.conversation({})
        for said in conversation.connected():
            await socket.send(said.decode())
        async for message in socket:
            for said in conversation.hear(message.encode() if isinstance(message, str) else message):
                await socket.send(said.decode())
            if len(conversation.wanted) >= SYMBOLS:
                break
        await asyncio.sleep(0.2)
        taken_s, burst_over_ns = await send(socket, made, per_frame, rate, burst)
        told = {"sent": len(made) * per_frame, "seconds": taken_s, "burst_over_ns": burst_over_ns}
        print(json.dumps(told), flush=True)
        async for _ in socket:
            pass
        done.set()

    async with serve(talk, "127.0.0.1", 0, compression=None, max_size=2**26) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await done.wait()


if __name__ == "__main__":
    np.seterr(all="ignore")
    asyncio.run(main(*map(int, sys.argv[1:5])))
