"""An ARI application: it gives each caller a WebSocket channel, in a bridge of their own, and takes both away when one
of them has gone.

    python3 ari.py http://127.0.0.1:8088 <user of ari.conf> <password>

The dialplan says by Stasis(websocket-examples,<connection id>) who is at the other end of the WebSocket: an
application in websocket_client.conf, to which Asterisk connects; or INCOMING, an application that connects to
Asterisk. For that one this program prints the URI to connect to; in yours, it may be the application itself.

It needs `websockets` (pip install websockets), as app.py does.
"""

import asyncio
import base64
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid

from websockets.asyncio.client import connect

APP = "websocket-examples"


class Ari:
    def __init__(self, server, user, password):
        self.server = server
        self.authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    async def request(self, method, path, **parameters):
        """What Asterisk answers; None if it refuses, because what it is about has gone meanwhile or cannot be had."""
        uri = f"{self.server}/ari/{path}?{urllib.parse.urlencode(parameters)}"
        request = urllib.request.Request(uri, method=method, headers={"Authorization": self.authorization})

        def send():
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.loads(response.read() or "{}")

        try:
            return await asyncio.to_thread(send)
        except urllib.error.HTTPError as error:
            if error.code == 401:
                raise
            return None

    def events(self):
        uri = f"ws{self.server.removeprefix('http')}/ari/events?app={APP}"
        return connect(uri, additional_headers={"Authorization": self.authorization})


class Calls:
    def __init__(self, ari):
        self.ari = ari
        # By the ids of both channels: (the caller's, the WebSocket's, the bridge's).
        self.calls = {}

    async def begin(self, caller, connection_id):
        # With ids of our own, whatever happens from now on is known to be about this call.
        media, bridge = f"media-{uuid.uuid4()}", f"bridge-{uuid.uuid4()}"
        self.calls[caller] = self.calls[media] = (caller, media, bridge)
        await self.ari.request("POST", "bridges", type="mixing", bridgeId=bridge)
        await self.ari.request("POST", f"bridges/{bridge}/addChannel", channel=caller)
        role = {"connection_type": "server"} if connection_id == "INCOMING" else {}
        made = await self.ari.request(
            "POST",
            "channels/externalMedia",
            app=APP,
            channelId=media,
            external_host=connection_id,
            transport="websocket",
            encapsulation="none",
            format="ulaw",
            transport_data="f(json)",
            **role,
        )
        if made is None or caller not in self.calls:
            self.calls[media] = (caller, media, bridge)
            await self.end(media)
        elif connection_id == "INCOMING":
            variable = {"variable": "MEDIA_WEBSOCKET_CONNECTION_ID"}
            id = await self.ari.request("GET", f"channels/{media}/variable", **variable)
            if id is not None:
                print(f"connect to ws{self.ari.server.removeprefix('http')}/media/{id['value']}", flush=True)

    async def connected(self, media):
        """The WebSocket is up, and the channel answered."""
        if call := self.calls.get(media):
            await self.ari.request("POST", f"bridges/{call[2]}/addChannel", channel=media)

    async def end(self, channel):
        if call := self.calls.pop(channel, None):
            for other in call[:2]:
                self.calls.pop(other, None)
                await self.ari.request("DELETE", f"channels/{other}")
            await self.ari.request("DELETE", f"bridges/{call[2]}")
            print(f"{call[0]}: ended", flush=True)


async def main(*arguments):
    ari = Ari(*arguments)
    calls, tasks = Calls(ari), set()
    async with ari.events() as events:
        print("ready", flush=True)
        async for text in events:
            event = json.loads(text)
            match event:
                case {"type": "StasisStart", "args": [connection_id], "channel": {"id": id}}:
                    task = asyncio.create_task(calls.begin(id, connection_id))
                # Our own channels come without arguments.
                case {"type": "StasisStart", "channel": {"id": id}}:
                    task = asyncio.create_task(calls.connected(id))
                case {"type": "StasisEnd" | "ChannelDestroyed", "channel": {"id": id}}:
                    task = asyncio.create_task(calls.end(id))
                case _:
                    continue
            # A task without a reference may be collected.
            tasks.add(task)
            task.add_done_callback(tasks.discard)


if len(sys.argv) != 4:
    sys.exit("usage: ari.py http://<asterisk>:8088 <user> <password>")
asyncio.run(main(*sys.argv[1:]))
