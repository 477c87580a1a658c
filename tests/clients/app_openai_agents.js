// A voice bot on the OpenAI Agents SDK's transport for Twilio (@openai/agents-extensions), unmodified, and in place of
// OpenAI's Realtime API a server of this file's own, which gives back the audio that it is sent.
//
// It prints one JSON object per line:
//
//     listening   the port for Asterisk
//     running     the session is up
//     received    each message from Asterisk that is no media, as the SDK has understood it
//     truncated   what the SDK tells OpenAI that the caller has heard, ms, after an interruption: it goes by the marks
//     error       what the SDK complains of
//     gone        Asterisk has closed
//
// and reads orders from its standard input, one JSON object per line:
//
//     play        a file of ulaw, as one answer
//     speech      OpenAI hears that the caller speaks
//     end         the session ends

'use strict';

const fs = require('node:fs');
const readline = require('node:readline');
const { WebSocketServer } = require('ws');
const { RealtimeAgent, RealtimeSession } = require('@openai/agents/realtime');
const { TwilioRealtimeTransportLayer } = require('@openai/agents-extensions');

// What OpenAI sends at a time; no multiple of a frame.
const DELTA_BYTES = 1000;

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

// In place of OpenAI.
class Realtime {
  constructor() {
    this.server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    this.events = 0;
    this.answers = 0;
    this.echoes = false;
    this.updated = false;
    this.server.on('connection', (socket) => {
      this.socket = socket;
      this.send({ type: 'session.created', session: {} });
      socket.on('message', (text) => this.onEvent(JSON.parse(text)));
    });
  }

  get url() {
    return `ws://127.0.0.1:${this.server.address().port}`;
  }

  onEvent(event) {
    if (event.type === 'session.update') {
      this.send({ type: 'session.updated', session: event.session });
      if (!this.updated) {
        say({ running: true });
        this.updated = true;
      }
    } else if (event.type === 'input_audio_buffer.append') {
      if (!this.echoes) {
        this.begin();
        this.echoes = true;
      }
      this.delta(event.audio);
    } else if (event.type === 'conversation.item.truncate') {
      say({ truncated: event.audio_end_ms });
    }
  }

  send(event) {
    this.events += 1;
    this.socket.send(JSON.stringify({ event_id: `event_${this.events}`, ...event }));
  }

  begin() {
    this.answers += 1;
    this.send({ type: 'response.created', response: { id: this.response } });
  }

  get response() {
    return `resp_${this.answers}`;
  }

  get place() {
    return { response_id: this.response, item_id: `item_${this.answers}`, output_index: 0, content_index: 0 };
  }

  delta(audio) {
    this.send({ type: 'response.output_audio.delta', ...this.place, delta: audio });
  }

  play(media) {
    if (this.echoes) {
      this.done();
    }
    this.begin();
    for (let begin = 0; begin < media.length; begin += DELTA_BYTES) {
      this.delta(media.subarray(begin, begin + DELTA_BYTES).toString('base64'));
    }
    this.done();
  }

  done() {
    this.send({ type: 'response.output_audio.done', ...this.place });
    this.send({ type: 'response.done', response: { id: this.response } });
    this.echoes = false;
  }

  speech() {
    this.send({ type: 'input_audio_buffer.speech_started', item_id: 'item_caller', audio_start_ms: 0 });
  }
}

const realtime = new Realtime();
const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
server.on('listening', () => say({ listening: server.address().port }));
server.on('connection', async (twilioWebSocket) => {
  const transport = new TwilioRealtimeTransportLayer({ twilioWebSocket });
  const session = new RealtimeSession(new RealtimeAgent({ name: 'bot', instructions: '' }), { transport });
  transport.on('*', (event) => {
    if (event.type === 'twilio_message' && event.message.event !== 'media') {
      say({ received: JSON.stringify(event.message) });
    }
  });
  session.on('error', (error) => say({ error: String(error.error?.message ?? JSON.stringify(error)) }));
  twilioWebSocket.on('close', (code) => {
    say({ gone: code });
    process.exit(0);
  });
  readline.createInterface({ input: process.stdin }).on('line', (line) => {
    const order = JSON.parse(line);
    if (order.play) {
      realtime.play(fs.readFileSync(order.play));
    } else if (order.speech) {
      realtime.speech();
    } else {
      session.close();
      twilioWebSocket.close(1000);
    }
  });
  await session.connect({ apiKey: 'none', url: realtime.url });
});
