"""A media application on autobahn and Twisted that does what the three tests of chan_websocket in Asterisk's test suite
do, step by step: what it does is given in one JSON argument (see tests/host/clients.rs), what comes of it goes to
stdout, a JSON object per line.
"""

import base64
import json
import sys

from autobahn.twisted.websocket import (
    WebSocketClientFactory,
    WebSocketClientProtocol,
    WebSocketServerFactory,
    WebSocketServerProtocol,
    connectWS,
)
from twisted.internet import reactor, ssl

JOB = json.loads(sys.argv[1])
MESSAGE = 1000


def report(**what):
    print(json.dumps(what), flush=True)


class Media:
    """One end of the media WebSocket, client or server."""

    def onConnect(self, peer):
        self.heard = bytearray()
        with open(JOB["media"], "rb") as file:
            self.media = file.read()
        self.extensions = [str(extension) for extension in getattr(peer, "extensions", [])]
        # The return value selects one of the offered subprotocols.
        return "media" if isinstance(self, WebSocketServerProtocol) else None

    def onOpen(self):
        report(opened=self.websocket_protocol_in_use, extensions=self.extensions)

    def onMessage(self, payload, isBinary):
        if isBinary:
            self.heard += payload
            return
        message = payload.decode()
        report(event=message)
        reaction = getattr(self, f"{JOB['scenario']}_{message.split(' ')[0].lower()}", None)
        if reaction:
            reaction()

    def onClose(self, wasClean, code, reason):
        report(closed=code, reason=reason)
        reactor.stop()

    def command(self, command):
        self.sendMessage(command.encode(), isBinary=False)

    def send_media(self):
        self.command("START_MEDIA_BUFFERING")
        for start in range(0, len(self.media), MESSAGE):
            self.sendMessage(self.media[start : start + MESSAGE], isBinary=True)
        self.command("STOP_MEDIA_BUFFERING")

    # A call to which a recording is played, and which plays it back.

    def basic_media_start(self):
        self.command("ANSWER")
        self.send_media()

    def basic_media_buffering_completed(self):
        self.sendClose(1000)
        same = bytes(self.heard[: len(self.media)]) == self.media
        report(compared="basic", sent=len(self.media), heard=len(self.heard), same=same)

    # More media at once than the queue accepts.

    def flow_media_start(self):
        self.command("ANSWER")
        self.send_media()

    def flow_media_xon(self):
        self.command("REPORT_QUEUE_DRAINED")
        self.command("FLUSH_MEDIA")

    def flow_queue_drained(self):
        self.sendClose(1000)


class MediaClient(Media, WebSocketClientProtocol):
    pass


class MediaServer(Media, WebSocketServerProtocol):
    pass


# autobahn rounds the end of a timeout down to a whole second: its default of one second can expire at once.
TIMEOUTS = {"openHandshakeTimeout": 20, "closeHandshakeTimeout": 20}


def connect(uri):
    factory = WebSocketClientFactory(uri, protocols=["media"])
    factory.protocol = MediaClient
    # Messages are sent in fragments of this size.
    factory.setProtocolOptions(tcpNoDelay=True, autoFragmentSize=500, **TIMEOUTS)
    tls = None
    if JOB["tls"]:
        with open(JOB["ca"], "rb") as file:
            authority = ssl.Certificate.loadPEM(file.read())
        tls = ssl.optionsForClientTLS("localhost", authority)
    connectWS(factory, tls)


def listen():
    factory = WebSocketServerFactory(protocols=["media"])
    factory.protocol = MediaServer
    factory.setProtocolOptions(**TIMEOUTS)
    if JOB["tls"]:
        tls = ssl.DefaultOpenSSLContextFactory(JOB["key"], JOB["cert"])
        port = reactor.listenSSL(0, factory, tls, interface="127.0.0.1")
    else:
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    report(listening=port.getHost().port)


class Ari(WebSocketClientProtocol):
    """Waits for a channel to be dialled: the event has the id to connect to, among the channel's variables."""

    def onOpen(self):
        report(subscribed=True)

    def onMessage(self, payload, isBinary):
        event = json.loads(payload)
        if event["type"] == "Dial" and not event["dialstatus"]:
            connect(JOB["uri"] + event["peer"]["channelvars"]["MEDIA_WEBSOCKET_CONNECTION_ID"])


if JOB["role"] == "listen":
    listen()
elif JOB["role"] == "connect":
    connect(JOB["uri"])
else:
    credentials = base64.b64encode(JOB["credentials"].encode()).decode()
    factory = WebSocketClientFactory(JOB["ari"], headers={"Authorization": f"Basic {credentials}"})
    factory.protocol = Ari
    factory.setProtocolOptions(**TIMEOUTS)
    connectWS(factory)
reactor.run()
