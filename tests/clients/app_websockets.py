"""A media application on Python's `websockets`, as one would write it with asyncio: what it does with a call is given
in one JSON argument (see tests/host/clients.rs), what comes of it goes to stdout, a JSON object per line.
"""

import asyncio
import json
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

MESSAGE = 1000
FRAGMENT = 500


def report(**what):
    print(json.dumps(what), flush=True)


class Call:
    def __init__(self, ws, job):
        self.ws = ws
        self.json = job["json"]
        with open(job["media"], "rb") as file:
            self.media = file.read()
        self.heard = bytearray()
        self.events = asyncio.Queue()

    async def run(self, steps):
        report(opened=self.ws.subprotocol, extensions=[str(extension) for extension in self.ws.protocol.extensions])
        reader = asyncio.create_task(self.read())
        await self.expect("MEDIA_START")
        await self.command("ANSWER")
        for step in steps:
            await getattr(self, step)()
        await self.ws.close(1000)
        await reader
        report(closed=self.ws.close_code)

    async def read(self):
        async for message in self.ws:
            if isinstance(message, str):
                report(event=message)
                self.events.put_nowait(message)
            else:
                self.heard += message

    async def expect(self, *names):
        """Takes the next event, which must be one of these."""
        message = await asyncio.wait_for(self.events.get(), 20)
        name = json.loads(message)["event"] if self.json else message.split(" ")[0]
        if name not in names:
            raise ValueError(f"expected {names}, received {message}")
        return name

    async def command(self, word, correlation_id=None):
        if self.json:
            command = {"command": word}
            if correlation_id is not None:
                command["correlation_id"] = correlation_id
            await self.ws.send(json.dumps(command))
        else:
            await self.ws.send(word if correlation_id is None else f"{word} {correlation_id}")

    def messages(self):
        return [self.media[start : start + MESSAGE] for start in range(0, len(self.media), MESSAGE)]

    def compare(self, step):
        heard = bytes(self.heard)
        same = heard[: len(self.media)] == self.media
        report(compared=step, sent=len(self.media), heard=len(heard), same=same)
        self.heard.clear()

    async def fragments(self):
        """Each message in fragments. What is played comes back."""
        await self.command("START_MEDIA_BUFFERING")
        for message in self.messages():
            await self.ws.send([message[:FRAGMENT], message[FRAGMENT:]])
        await self.command("STOP_MEDIA_BUFFERING", "fragments")
        await self.expect("MEDIA_BUFFERING_COMPLETED")
        self.compare("fragments")

    async def burst(self):
        """As much as a program can say without waiting for anything, and then nothing more."""
        await self.command("START_MEDIA_BUFFERING")
        for message in self.messages():
            await self.ws.send(message)
        await self.command("MARK_MEDIA", "all of it")
        await self.command("STOP_MEDIA_BUFFERING", "burst")
        await self.expect("MEDIA_MARK_PROCESSED")
        await self.expect("MEDIA_BUFFERING_COMPLETED")
        self.compare("burst")

    async def flow(self):
        """Fills the queue until Asterisk says that it is enough, and then wants none of it."""
        await self.command("START_MEDIA_BUFFERING")
        full = False
        for _ in range(100):
            for _ in range(10):
                await self.ws.send(self.media[:MESSAGE])
            # The answer shows that everything before it has been processed.
            await self.command("GET_STATUS")
            if await self.expect("STATUS", "MEDIA_XOFF") == "MEDIA_XOFF":
                await self.expect("STATUS")
                full = True
                break
        if not full:
            raise ValueError("no MEDIA_XOFF")
        await self.command("REPORT_QUEUE_DRAINED")
        await self.command("FLUSH_MEDIA")
        await self.expect("MEDIA_XON")
        await self.expect("QUEUE_DRAINED")


async def main(job):
    if job["role"] == "connect":
        tls = ssl.create_default_context(cafile=job["ca"]) if job["tls"] else None
        async with connect(job["uri"], subprotocols=["media"], ssl=tls) as ws:
            await Call(ws, job).run(job["steps"])
        return
    tls = None
    if job["tls"]:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(job["cert"], job["key"])
    over = asyncio.get_running_loop().create_future()

    async def call(ws):
        try:
            over.set_result(await Call(ws, job).run(job["steps"]))
        except Exception as why:
            over.set_exception(why)

    async with serve(call, "127.0.0.1", 0, subprotocols=["media"], ssl=tls) as server:
        report(listening=server.sockets[0].getsockname()[1])
        await over


asyncio.run(main(json.loads(sys.argv[1])))
