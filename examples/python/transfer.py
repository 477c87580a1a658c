"""A small application that logs what becomes of its call, and hands the caller on: to extension 200 on key 0.

    python3 transfer.py 127.0.0.1:8765

Asterisk connects to it, for `Dial(WebSocket/my-app/c(ulaw)f(json))`. It may transfer to the contexts that
chan_websocket.conf permits it:

    [my-app]
    type = connection
    transfer_contexts = agents

It needs `websockets` (pip install websockets).
"""

import asyncio
import itertools
import json
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

EVENTS = ["CALL_STATE", "CONNECTED_LINE", "MEDIA_STOP"]
EXTENSION = "200"

numbers = itertools.count(1)


class Call:
    def __init__(self, ws):
        self.ws, self.number = ws, next(numbers)

    def say(self, text):
        print(f"call {self.number}: {text}", flush=True)

    async def command(self, name, **fields):
        await self.ws.send(json.dumps({"command": name, **fields}))

    async def on_event(self, event):
        match event["event"]:
            case "MEDIA_START":
                # Nothing but MEDIA_START, where the module is not this one.
                await self.command("SUBSCRIBE", events=EVENTS)
            case "CALL_STATE":
                self.say(" ".join([event["state"], event.get("peer", "")]).strip())
            case "CONNECTED_LINE":
                self.say(f"with {event['name'] or 'somebody'}, number {event['number'] or 'unknown'}")
            case "DTMF_END" if event["digit"] == "0":
                # One context is permitted, so it need not be named.
                await self.command("TRANSFER", exten=EXTENSION, correlation_id="hand-on")
            case "TRANSFERRED":
                self.say(f"transfer to {EXTENSION}: {event['result']}")
            case "MEDIA_STOP":
                self.say(f"over after {event['duration_ms']} ms, by {event['ended_by']}")
            case "ERROR":
                self.say(f"error: {event['error_text']}")

    async def run(self):
        async for message in self.ws:
            # What the caller says is a binary message.
            if isinstance(message, str):
                await self.on_event(json.loads(message))


async def serve_call(ws):
    call = Call(ws)
    try:
        await call.run()
    except ConnectionClosed:
        pass
    call.say(f"closed, code {ws.close_code}")


async def main():
    host, _, port = sys.argv[1].rpartition(":")
    async with serve(serve_call, host, int(port), subprotocols=["media"]):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    asyncio.run(main())
