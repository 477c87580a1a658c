// A small application that presses its way through a telephone menu, as soon as the call is bridged.
//
//     node menu.js 127.0.0.1:8765 1w2#
//
// Asterisk connects to it, for `Dial(WebSocket/my-app/c(ulaw)f(json))`: here key 1, a second later 2 and #. A `w` is half a
// second. When the other side presses a key itself, what has not been pressed yet is stopped.
//
// It needs `ws` (npm install ws).

'use strict';

const { WebSocketServer } = require('ws');

class Call {
  constructor(ws, digits, number) {
    Object.assign(this, { ws, digits, number });
    // What is heard is a binary message.
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
      this.command('SUBSCRIBE', { events: ['CALL_STATE'] });
    } else if (event.event === 'CALL_STATE') {
      this.say(event.state);
      if (event.state === 'bridged' && this.digits) {
        this.command('SEND_DTMF', { digits: this.digits, duration: 120, pause: 80, correlation_id: 'menu' });
        this.digits = '';
      }
    } else if (event.event === 'DTMF_END') {
      this.command('SEND_DTMF', { digits: '', correlation_id: 'stop' });
    } else if (event.event === 'DTMF_SENT' && event.cancelled) {
      this.say(`stopped after ${event.sent} keys`);
    } else if (event.event === 'DTMF_SENT' && event.correlation_id === 'menu') {
      this.say('all keys pressed');
    } else if (event.event === 'ERROR') {
      this.say(`error: ${event.error_text}`);
    }
  }
}

const [address, digits] = process.argv.slice(2);
if (!digits) {
  console.error('usage: menu.js <address:port> <digits>');
  process.exit(1);
}
let number = 0;
const [, host, port] = address.match(/^(.*):(\d+)$/);
new WebSocketServer({ host, port }).on('connection', (ws) => new Call(ws, digits, ++number));
