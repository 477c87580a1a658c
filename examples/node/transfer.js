// A small application that logs what becomes of its call, and hands the caller on: to extension 200 on key 0.
//
//     node transfer.js 127.0.0.1:8765
//
// Asterisk connects to it, for `Dial(WebSocket/my-app/c(ulaw)f(json))`. It may transfer to the contexts that
// chan_websocket.conf permits it:
//
//     [my-app]
//     type = connection
//     transfer_contexts = agents
//
// It needs `ws` (npm install ws).

'use strict';

const { WebSocketServer } = require('ws');

const EVENTS = ['CALL_STATE', 'CONNECTED_LINE', 'MEDIA_STOP'];
const EXTENSION = '200';

class Call {
  constructor(ws, number) {
    Object.assign(this, { ws, number });
    // What the caller says is a binary message.
    ws.on('message', (data, isBinary) => isBinary || this.react(JSON.parse(data)));
    ws.on('error', (why) => this.say(`error: ${why.message}`));
    ws.on('close', (code) => this.say(`closed, code ${code}`));
  }

  say(text) {
    console.log(`call ${this.number}: ${text}`);
  }

  command(command, fields) {
    this.ws.send(JSON.stringify({ command, ...fields }));
  }

  react(event) {
    if (event.event === 'MEDIA_START') {
      // Nothing but MEDIA_START, where the module is not this one.
      this.command('SUBSCRIBE', { events: EVENTS });
    } else if (event.event === 'CALL_STATE') {
      this.say(`${event.state} ${event.peer ?? ''}`.trim());
    } else if (event.event === 'CONNECTED_LINE') {
      this.say(`with ${event.name || 'somebody'}, number ${event.number || 'unknown'}`);
    } else if (event.event === 'DTMF_END' && event.digit === '0') {
      // One context is permitted, so it need not be named.
      this.command('TRANSFER', { exten: EXTENSION, correlation_id: 'hand-on' });
    } else if (event.event === 'TRANSFERRED') {
      this.say(`transfer to ${EXTENSION}: ${event.result}`);
    } else if (event.event === 'MEDIA_STOP') {
      this.say(`over after ${event.duration_ms} ms, by ${event.ended_by}`);
    } else if (event.event === 'ERROR') {
      this.say(`error: ${event.error_text}`);
    }
  }
}

const [address] = process.argv.slice(2);
if (!address) {
  console.error('usage: transfer.js <address:port>');
  process.exit(1);
}
let number = 0;
const [, host, port] = address.match(/^(.*):(\d+)$/);
new WebSocketServer({ host, port }).on('connection', (ws) => new Call(ws, ++number));
