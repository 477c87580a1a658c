// A small media application, to start your own from. It plays a recording to the caller, keeps what the caller says in
// a file, and falls silent when the caller speaks. The caller's keys steer it: 1 plays the recording again, # hangs up,
// any other key stops what is being played.
//
// Both ways to connect are here. Asterisk connects to the application, which stands in its websocket_client.conf, for
// `Dial(WebSocket/my-app/c(ulaw)f(json))`:
//
//     node app.js listen 127.0.0.1:8765 prompt.ulaw
//
// Or the application connects to a channel `WebSocket/INCOMING/c(ulaw)f(json)`; the id is the channel's variable
// MEDIA_WEBSOCKET_CONNECTION_ID:
//
//     node app.js connect ws://127.0.0.1:8088/media/<id> prompt.ulaw
//
// Without a recording it plays a tone. It needs `ws` (npm install ws). Media is raw audio in the channel's format, in
// binary messages; commands and events are JSON, in text messages.

'use strict';

const fs = require('fs');
const { setTimeout: sleep } = require('timers/promises');
const { WebSocket, WebSocketServer } = require('ws');

// How much of the recording goes into one message: any size will do between START_ and STOP_MEDIA_BUFFERING. And how
// long to wait before the next one: MEDIA_XOFF needs a moment to arrive.
const MESSAGE_BYTES = 1000;
const MESSAGE_PAUSE_MS = 10;

// The caller speaks: so many messages of 20 ms in a row are louder than this on average, of 32124.
const LOUD = 1000;
const LOUD_MESSAGES = 5;

// What the 256 codes of ulaw (ITU-T G.711) stand for.
const VALUES = Array.from({ length: 256 }, (_, inverted) => {
  const code = ~inverted & 0xff;
  const magnitude = ((((code & 0x0f) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84;
  return code & 0x80 ? -magnitude : magnitude;
});

// Two seconds of 400 Hz: 20 samples, again and again.
function tone() {
  const period = Array.from({ length: 20 }, (_, sample) => {
    const value = 8000 * Math.sin((2 * Math.PI * sample) / 20);
    const distances = VALUES.map((other) => Math.abs(other - value));
    return distances.indexOf(Math.min(...distances));
  });
  return Buffer.alloc(16000, Buffer.from(period));
}

class Call {
  constructor(ws, recording, number) {
    Object.assign(this, { ws, recording, number });
    this.heard = [];
    this.loud = 0;
    // The id of the recording that is being sent or played; null if there is none. And how many there were.
    this.playing = null;
    this.plays = 0;
    this.maySend = true;
    this.onXon = () => {};
    ws.on('message', (data, isBinary) => {
      if (isBinary) return this.hear(data);
      console.log(`call ${number} <- ${data}`);
      try {
        return this.react(JSON.parse(data));
      } catch (why) {
        console.error(`call ${number}: ${why.message}; was it dialled with c(ulaw)f(json)?`);
        return ws.close(1011);
      }
    });
    ws.on('error', (why) => console.error(`call ${number}: ${why.message}`));
    ws.on('close', (code) => {
      this.playing = null;
      fs.writeFileSync(`heard-${number}.ulaw`, Buffer.concat(this.heard));
      console.log(`call ${number}: closed, code ${code}`);
    });
  }

  hear(media) {
    this.heard.push(media);
    const volume = media.reduce((sum, code) => sum + Math.abs(VALUES[code]), 0) / media.length;
    this.loud = volume > LOUD ? this.loud + 1 : 0;
    if (this.loud >= LOUD_MESSAGES) this.stop();
  }

  // New versions may send more events, and more fields: they are let pass.
  react(event) {
    if (event.event === 'MEDIA_START') {
      if (event.format !== 'ulaw') throw new Error(`the recording is ulaw, the call ${event.format}`);
      this.play();
    } else if (event.event === 'DTMF_END') {
      this.stop();
      if (event.digit === '1') this.play();
      else if (event.digit === '#') this.command('HANGUP');
    } else if (event.event === 'MEDIA_FLUSHED') {
      console.log(`call ${this.number}: ${event.played_ms} ms were heard`);
    } else if (event.event === 'MEDIA_XOFF') {
      this.maySend = false;
    } else if (event.event === 'MEDIA_XON') {
      this.maySend = true;
      this.onXon();
    } else if (event.event === 'MEDIA_BUFFERING_COMPLETED' && event.correlation_id === this.playing) {
      // One of an earlier time may cross with our FLUSH_MEDIA.
      this.playing = null;
    }
  }

  // Sends the recording. It is played in real time, however fast it comes.
  async play() {
    const id = String(++this.plays);
    this.playing = id;
    this.command('START_MEDIA_BUFFERING');
    const half = Math.floor(this.recording.length / 2);
    for (let start = 0; start < this.recording.length; start += MESSAGE_BYTES) {
      while (!this.maySend) await new Promise((resolve) => (this.onXon = resolve));
      if (this.playing !== id) return;
      this.ws.send(this.recording.subarray(start, start + MESSAGE_BYTES));
      // MEDIA_MARK_PROCESSED will tell when the caller has heard so much of it.
      if (start <= half && half < start + MESSAGE_BYTES) this.command('MARK_MEDIA', 'half');
      await sleep(MESSAGE_PAUSE_MS);
      if (this.playing !== id) return;
    }
    this.command('STOP_MEDIA_BUFFERING', id);
  }

  stop() {
    if (this.playing !== null) this.command('FLUSH_MEDIA', this.playing);
    this.playing = null;
  }

  command(command, correlation_id) {
    const text = JSON.stringify({ command, correlation_id });
    console.log(`call ${this.number} -> ${text}`);
    this.ws.send(text);
  }
}

const [role, address, file] = process.argv.slice(2);
const recording = file ? fs.readFileSync(file) : tone();
if (role === 'connect' && address) {
  new Call(new WebSocket(address, 'media'), recording, 1);
} else if (role === 'listen' && address) {
  let number = 0;
  const [, host, port] = address.match(/^(.*):(\d+)$/);
  new WebSocketServer({ host, port }).on('connection', (ws) => new Call(ws, recording, ++number));
} else {
  console.error('usage: app.js listen <address:port> | connect <ws://…/media/id>, and a recording in ulaw');
  process.exit(1);
}
