"""A voice bot on Pipecat, as one would be written for a carrier: the carrier's serializer and FastAPIWebsocketTransport, both
unmodified, around a pipeline that echoes.

Its argument is one JSON object: `vendor`, `wire_rate` of the carrier's media, and if wanted `in_rate` and `out_rate` of the
pipeline, and `chunk_ms`, how much audio it writes at a time. Without rates they are Pipecat's own, and it resamples. It prints one
JSON object per line:

    listening   the port
    call        what Pipecat's own look at the opening messages finds, and as whose it knows them; null for Vonage
    running     the pipeline runs
    received    each text message from the carrier that is no media, as it came
    sent        each text message to the carrier that is no media, as it went; `after_ms`: since the last order was read
    dtmf        Pipecat's frame came, with this digit
    gone        the carrier has closed, or the pipeline is over

and reads orders from its standard input, one JSON object per line:

    play        a file of 16-bit samples at the pipeline's out_rate
    message     a message of the application's own, sent at once
    interrupt   InterruptionFrame
    end         EndFrame
"""

import asyncio
import json
import socket
import sys
import time

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InputDTMFFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    OutputTransportMessageUrgentFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.exotel import ExotelFrameSerializer
from pipecat.serializers.plivo import PlivoFrameSerializer
from pipecat.serializers.telnyx import TelnyxFrameSerializer
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.serializers.vonage import VonageFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.workers.runner import WorkerRunner

JOB = json.loads(sys.argv[1])
IN_RATE = JOB.get("in_rate", 16000)
OUT_RATE = JOB.get("out_rate", 24000)
WIRE_RATE = JOB["wire_rate"]


def say(**what):
    print(json.dumps(what), flush=True)


class Tap:
    """Says what goes by between the WebSocket and the application, and leaves it as it is."""

    def __init__(self, app):
        self.app = app
        self.ordered_at = time.monotonic()

    async def __call__(self, scope, receive, send):
        async def tapped_receive():
            message = await receive()
            self.tell("received", message)
            return message

        async def tapped_send(message):
            self.tell("sent", message)
            await send(message)

        await self.app(scope, tapped_receive, tapped_send)

    def tell(self, way, message):
        text = message.get("text")
        if text is None or '"media"' in text[:64] or '"playAudio"' in text[:64]:
            return
        after_ms = (time.monotonic() - self.ordered_at) * 1000
        say(**{way: text, "after_ms": after_ms})


class Echo(FrameProcessor):
    """Gives back what it hears."""

    async def process_frame(self, frame: Frame, direction: FrameDirection):
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            await self.push_frame(OutputAudioRawFrame(frame.audio, frame.sample_rate, frame.num_channels))
            return
        if isinstance(frame, InputDTMFFrame):
            say(dtmf=frame.button.value)
        await self.push_frame(frame, direction)


def serializer(call):
    vendor = JOB["vendor"]
    if vendor == "twilio":
        params = TwilioFrameSerializer.InputParams(auto_hang_up=False)
        return TwilioFrameSerializer(call["stream_id"], call["call_id"], params=params)
    if vendor == "telnyx":
        params = TelnyxFrameSerializer.InputParams(auto_hang_up=False)
        encoding = call["outbound_encoding"]
        return TelnyxFrameSerializer(call["stream_id"], encoding, encoding, call["call_id"], params=params)
    if vendor == "plivo":
        params = PlivoFrameSerializer.InputParams(auto_hang_up=False)
        return PlivoFrameSerializer(call["stream_id"], call["call_id"], params=params)
    if vendor == "exotel":
        params = ExotelFrameSerializer.InputParams(exotel_sample_rate=WIRE_RATE)
        return ExotelFrameSerializer(call["stream_id"], call["call_id"], params=params)
    return VonageFrameSerializer(VonageFrameSerializer.InputParams(vonage_sample_rate=WIRE_RATE))


app = FastAPI()
tap = Tap(app)


@app.websocket("/media")
async def media(websocket: WebSocket):
    await websocket.accept()
    call = None
    if JOB["vendor"] != "vonage":
        kind, call = await parse_telephony_websocket(websocket)
        say(call=call.model_dump(by_alias=True), kind=kind)
    else:
        say(call=None, kind="vonage")
    transport = FastAPIWebsocketTransport(
        websocket,
        FastAPIWebsocketParams(
            audio_in_enabled=True,
            audio_out_enabled=True,
            audio_out_10ms_chunks=JOB.get("chunk_ms", 20) // 10,
            audio_out_auto_silence=False,
            audio_out_end_silence_secs=0,
            serializer=serializer(call),
        ),
    )
    pipeline = Pipeline([transport.input(), Echo(), transport.output()])
    params = PipelineParams(audio_in_sample_rate=IN_RATE, audio_out_sample_rate=OUT_RATE)
    worker = PipelineWorker(pipeline, params=params, cancel_on_idle_timeout=False, enable_rtvi=False)

    @transport.event_handler("on_client_connected")
    async def connected(transport, client):
        say(running=True)

    @transport.event_handler("on_client_disconnected")
    async def disconnected(transport, client):
        await worker.cancel()

    orders = asyncio.create_task(obey(worker))
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    orders.cancel()
    say(gone=True)
    server.should_exit = True


async def obey(worker):
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        tap.ordered_at = time.monotonic()
        order = json.loads(line)
        if "play" in order:
            with open(order["play"], "rb") as file:
                frame = OutputAudioRawFrame(file.read(), OUT_RATE, 1)
        elif "message" in order:
            frame = OutputTransportMessageUrgentFrame(order["message"])
        elif "interrupt" in order:
            frame = InterruptionFrame()
        else:
            frame = EndFrame()
        await worker.queue_frame(frame)


logger.remove()
logger.add(sys.stderr, level="WARNING")
listener = socket.create_server(("127.0.0.1", 0))
server = uvicorn.Server(uvicorn.Config(tap, log_level="warning", ws="websockets-sansio"))
say(listening=listener.getsockname()[1])
asyncio.run(server.serve(sockets=[listener]))
