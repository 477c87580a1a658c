"""A voice bot on getpatter, unmodified, with its own handlers for carriers' streams, and in place of OpenAI's Realtime API a
server of this file's own, which gives back the audio that it is sent.

Its argument is one JSON object with `vendor`: `twilio`, `telnyx` or `plivo`; with `token` it has Twilio's own library check who
calls. It prints one JSON object per line:

    listening   the port for Asterisk
    signed      whether X-Twilio-Signature is right
    call        what the SDK found in the opening messages
    running     the session with OpenAI is up
    dtmf        what the SDK makes of a digit
    ended       the SDK's call is over
"""

import asyncio
import json
import logging
import socket
import sys

import uvicorn
import websockets
from fastapi import FastAPI, WebSocket
from getpatter.models import Agent
from getpatter.providers.openai_realtime import OpenAIRealtimeAdapter
from getpatter.telephony.plivo import plivo_stream_bridge
from getpatter.telephony.telnyx import telnyx_stream_bridge
from getpatter.telephony.twilio import twilio_stream_bridge
from twilio.request_validator import RequestValidator

JOB = json.loads(sys.argv[1])
BRIDGES = {"twilio": twilio_stream_bridge, "telnyx": telnyx_stream_bridge, "plivo": plivo_stream_bridge}


def say(**what):
    print(json.dumps(what), flush=True)


async def realtime(connection):
    """In place of OpenAI: one answer without end, of what it hears."""
    place = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
    count = 0

    async def send(**event):
        nonlocal count
        count += 1
        await connection.send(json.dumps({"event_id": f"event_{count}", **event}))

    await send(type="session.created", session={"id": "sess_1"})
    answering = False
    async for text in connection:
        event = json.loads(text)
        if event["type"] == "session.update":
            await send(type="session.updated", session=event["session"])
            say(running=True)
        elif event["type"] == "input_audio_buffer.append":
            if not answering:
                answering = True
                await send(type="response.created", response={"id": "resp_1"})
            await send(type="response.output_audio.delta", delta=event["audio"], **place)


app = FastAPI()


@app.websocket("/media")
async def media(websocket: WebSocket):
    async def started(call):
        say(call=call)

    async def ended(call):
        say(ended=call["call_id"])

    async def heard(transcript):
        say(dtmf=transcript["text"])

    if token := JOB.get("token"):
        signature = websocket.headers.get("x-twilio-signature", "")
        say(signed=RequestValidator(token).validate(str(websocket.url), {}, signature))
    agent = Agent(system_prompt="", provider="openai_realtime")
    bridge = BRIDGES[JOB["vendor"]]
    await bridge(websocket, agent, "none", on_call_start=started, on_call_end=ended, on_transcript=heard)
    server.should_exit = True


async def main():
    async with websockets.serve(realtime, "127.0.0.1", 0) as openai:
        port = openai.sockets[0].getsockname()[1]
        OpenAIRealtimeAdapter.OPENAI_REALTIME_URL = f"ws://127.0.0.1:{port}"
        listener = socket.create_server(("127.0.0.1", 0))
        say(listening=listener.getsockname()[1])
        await server.serve(sockets=[listener])


logging.basicConfig(level=logging.WARNING)
server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="websockets-sansio"))
asyncio.run(main())
