"""A small application that presses its way through a telephone menu, as soon as the call is bridged.

    python3 menu.py 127.0.0.1:8765 1w2#

Asterisk connects to it, for `Dial(WebSocket/my-app/c(ulaw)f(json))`: here key 1, a second later 2 and #. A `w` is half a
second. When the other side presses a key itself, what has not been pressed yet is stopped.

It needs `websockets` (pip install websockets).
"""

import asyncio
import itertools
import json
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

numbers = itertools.count(1)


class Call:
    def __init__(self, ws, digits):
        self.ws, self.digits, self.number = ws, digits, next(numbers)

    def say(self, text):
        print(f"call {self.number}: {text}", flush=True)

    async def command(self, name, **fields):
        await self.ws.send(json.dumps({"command": name, **fields}))

    async def on_event(self, event):
        match event["event"]:
            case "MEDIA_START":
                await self.command("SUBSCRIBE", events=["CALL_STATE"])
            case "CALL_STATE":
                self.say(event["state"])
                if event["state"] == "bridged" and self.digits:
                    digits, self.digits = self.digits, ""
                    await self.command(
                        "SEND_DTMF", digits=digits, duration=120, pause=80, correlation_id="menu"
                    )
            case "DTMF_END":
                await self.command("SEND_DTMF", digits="", correlation_id="stop")
            case "DTMF_SENT" if event.get("cancelled"):
                self.say(f"stopped after {event['sent']} keys")
            case "DTMF_SENT" if event["correlation_id"] == "menu":
                self.say("all keys pressed")
            case "ERROR":
                self.say(f"error: {event['error_text']}")

    async def run(self):
        async for message in self.ws:
            # What is heard is a binary message.
            if isinstance(message, str):
                await self.on_event(json.loads(message))


async def main():
    address, digits = sys.argv[1:]
    host, _, port = address.rpartition(":")

    async def serve_call(ws):
        call = Call(ws, digits)
        try:
            await call.run()
        except ConnectionClosed:
            pass
        call.say(f"closed, code {ws.close_code}")

    async with serve(serve_call, host, int(port), subprotocols=["media"]):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    asyncio.run(main())
