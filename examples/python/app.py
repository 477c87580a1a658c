"""A small media application, to start your own from. It plays a recording to the caller, keeps what the caller says in
a file, and falls silent when the caller speaks. The caller's keys steer it: 1 plays the recording again, # hangs up,
any other key stops what is being played.

Asterisk connects to it, by websocket_client.conf, for `Dial(WebSocket/my-app/c(ulaw)f(json))`:

    python3 app.py listen 127.0.0.1:8765 prompt.ulaw

Or the application connects to a channel `WebSocket/INCOMING/c(ulaw)f(json)`; the id is the channel's variable
MEDIA_WEBSOCKET_CONNECTION_ID:

    python3 app.py connect ws://127.0.0.1:8088/media/<id> prompt.ulaw

Without a recording it plays a tone. It needs `websockets` (pip install websockets). Media is raw audio in the
channel's format, in binary messages; commands and events are JSON, in text messages.
"""

import asyncio
import contextlib
import itertools
import json
import math
import pathlib
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

# Bytes of a message, of which any number will do in a bulk, and the pause after it: MEDIA_XOFF needs a moment to arrive.
MESSAGE_BYTES, MESSAGE_PAUSE = 1000, 0.01

# The caller speaks: so many messages of 20 ms in a row are louder than this on average, of 32124.
LOUD, LOUD_MESSAGES = 1000, 5


def decode(code):
    """A sample in ulaw (ITU-T G.711) as a number."""
    code = ~code & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << (code >> 4 & 7)) - 0x84
    return -magnitude if code & 0x80 else magnitude


VALUES = [decode(code) for code in range(256)]


def tone():
    """Two seconds of 400 Hz: 20 samples, again and again."""
    wave = (8000 * math.sin(2 * math.pi * sample / 20) for sample in range(20))
    return bytes(min(range(256), key=lambda code: abs(VALUES[code] - value)) for value in wave) * 800


class Call:
    def __init__(self, ws, recording, number):
        self.ws, self.recording, self.number = ws, recording, number
        self.heard, self.loud = bytearray(), 0
        # The task that sends the recording, until it has been played, and how many there were.
        self.playing, self.plays = None, 0
        self.may_send = asyncio.Event()
        self.may_send.set()

    async def run(self):
        try:
            async for message in self.ws:
                if isinstance(message, bytes):
                    await self.hear(message)
                else:
                    print(f"call {self.number} <- {message}", flush=True)
                    await self.react(json.loads(message))
        finally:
            if self.playing:
                self.playing.cancel()
            pathlib.Path(f"heard-{self.number}.ulaw").write_bytes(self.heard)
            print(f"call {self.number}: closed, code {self.ws.close_code}", flush=True)

    async def hear(self, media):
        self.heard += media
        volume = sum(abs(VALUES[code]) for code in media) / len(media)
        self.loud = self.loud + 1 if volume > LOUD else 0
        if self.loud >= LOUD_MESSAGES:
            await self.stop()

    async def react(self, event):
        """New versions may send more events, and more fields: they are let pass."""
        match event:
            case {"event": "MEDIA_START", "format": "ulaw"}:
                self.play()
            case {"event": "MEDIA_START", "format": other}:
                raise ValueError(f"the recording is ulaw, the call {other}: dial with c(ulaw)")
            case {"event": "DTMF_END", "digit": digit}:
                await self.stop()
                if digit == "1":
                    self.play()
                elif digit == "#":
                    await self.command("HANGUP")
            case {"event": "MEDIA_FLUSHED", "played_ms": played_ms}:
                print(f"call {self.number}: {played_ms} ms were heard", flush=True)
            case {"event": "MEDIA_XOFF"}:
                self.may_send.clear()
            case {"event": "MEDIA_XON"}:
                self.may_send.set()
            # One of an earlier time may cross with our FLUSH_MEDIA.
            case {"event": "MEDIA_BUFFERING_COMPLETED", "correlation_id": id} if id == str(self.plays):
                self.playing = None

    def play(self):
        self.plays += 1
        self.playing = asyncio.create_task(self.send_recording(str(self.plays)))

    async def send_recording(self, id):
        """It is played in real time, however fast it comes."""
        half = len(self.recording) // 2
        with contextlib.suppress(ConnectionClosed):
            await self.command("START_MEDIA_BUFFERING")
            for start in range(0, len(self.recording), MESSAGE_BYTES):
                await self.may_send.wait()
                await self.ws.send(self.recording[start : start + MESSAGE_BYTES])
                if start <= half < start + MESSAGE_BYTES:
                    # MEDIA_MARK_PROCESSED will tell when the caller has heard so much of it.
                    await self.command("MARK_MEDIA", correlation_id="half")
                await asyncio.sleep(MESSAGE_PAUSE)
            await self.command("STOP_MEDIA_BUFFERING", correlation_id=id)

    async def stop(self):
        if self.playing:
            self.playing.cancel()
            self.playing = None
            await self.command("FLUSH_MEDIA", correlation_id=str(self.plays))

    async def command(self, command, **arguments):
        text = json.dumps({"command": command, **arguments})
        print(f"call {self.number} -> {text}", flush=True)
        await self.ws.send(text)


async def main(role, address, recording=None):
    media = pathlib.Path(recording).read_bytes() if recording else tone()
    if role == "connect":
        async with connect(address, subprotocols=["media"]) as ws:
            return await Call(ws, media, 1).run()
    host, port = address.rsplit(":", 1)
    numbers = itertools.count(1)
    async with serve(lambda ws: Call(ws, media, next(numbers)).run(), host, port, subprotocols=["media"]) as server:
        await server.serve_forever()


if len(sys.argv) not in (3, 4) or sys.argv[1] not in ("listen", "connect"):
    sys.exit("usage: app.py listen <address:port> | connect <ws://…/media/id>, and a recording in ulaw")
asyncio.run(main(*sys.argv[1:]))
