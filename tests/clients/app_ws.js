// A media application on Node's `ws`, as one would write it: what it does with a call is given in one JSON argument
// (see tests/host/clients.rs), what comes of it goes to stdout, a JSON object per line.

'use strict';

const fs = require('fs');
const http = require('http');
const https = require('https');
const { once } = require('events');
const { WebSocket, WebSocketServer } = require('ws');

const MESSAGE = 1000;
const FRAGMENT = 500;

const job = JSON.parse(process.argv[2]);
const media = fs.readFileSync(job.media);

const report = (what) => console.log(JSON.stringify(what));

class Call {
  constructor(ws) {
    this.ws = ws;
    this.heard = [];
    this.events = [];
    this.arrived = () => {};
    this.closed = new Promise((resolve) => ws.on('close', resolve));
    const opened = () => report({ opened: ws.protocol, extensions: ws.extensions ? [ws.extensions] : [] });
    if (ws.readyState === WebSocket.OPEN) opened();
    else ws.on('open', opened);
    ws.on('message', (data, isBinary) => {
      if (isBinary) {
        this.heard.push(data);
        return;
      }
      report({ event: data.toString() });
      this.events.push(data.toString());
      this.arrived();
    });
  }

  async run() {
    await this.expect('MEDIA_START');
    this.command('ANSWER');
    for (const step of job.steps) await this[step]();
    this.ws.close(1000);
    report({ closed: await this.closed });
  }

  // Takes the next event, which must be one of these.
  async expect(...names) {
    while (this.events.length === 0) {
      await new Promise((resolve, reject) => {
        this.arrived = resolve;
        this.closed.then((code) => reject(new Error(`closed with ${code}, expected ${names}`)));
      });
    }
    const message = this.events.shift();
    const name = job.json ? JSON.parse(message).event : message.split(' ')[0];
    if (!names.includes(name)) throw new Error(`expected ${names}, received ${message}`);
    return name;
  }

  command(word, id) {
    if (job.json) this.ws.send(JSON.stringify({ command: word, correlation_id: id }));
    else this.ws.send(id === undefined ? word : `${word} ${id}`);
  }

  *messages() {
    for (let start = 0; start < media.length; start += MESSAGE) yield media.subarray(start, start + MESSAGE);
  }

  compare(step) {
    const heard = Buffer.concat(this.heard);
    const same = heard.subarray(0, media.length).equals(media);
    report({ compared: step, sent: media.length, heard: heard.length, same });
    this.heard = [];
  }

  // Each message in fragments. What is played comes back.
  async fragments() {
    this.command('START_MEDIA_BUFFERING');
    for (const message of this.messages()) {
      this.ws.send(message.subarray(0, FRAGMENT), { fin: false });
      this.ws.send(message.subarray(FRAGMENT), { fin: true });
    }
    this.command('STOP_MEDIA_BUFFERING', 'fragments');
    await this.expect('MEDIA_BUFFERING_COMPLETED');
    this.compare('fragments');
  }

  // As much as a program can say without waiting for anything, and then nothing more. Over TLS Node puts what has
  // gathered behind the first write into records of 16 KiB.
  async burst() {
    this.command('START_MEDIA_BUFFERING');
    for (const message of this.messages()) this.ws.send(message);
    this.command('MARK_MEDIA', 'all of it');
    this.command('STOP_MEDIA_BUFFERING', 'burst');
    await this.expect('MEDIA_MARK_PROCESSED');
    await this.expect('MEDIA_BUFFERING_COMPLETED');
    this.compare('burst');
  }

  // Fills the queue until Asterisk says that it is enough, and then wants none of it.
  async flow() {
    this.command('START_MEDIA_BUFFERING');
    let full = false;
    for (let round = 0; round < 100 && !full; round++) {
      for (let number = 0; number < 10; number++) this.ws.send(media.subarray(0, MESSAGE));
      // The answer tells that all this has been seen to.
      this.command('GET_STATUS');
      full = (await this.expect('STATUS', 'MEDIA_XOFF')) === 'MEDIA_XOFF';
    }
    if (!full) throw new Error('no MEDIA_XOFF');
    await this.expect('STATUS');
    this.command('REPORT_QUEUE_DRAINED');
    this.command('FLUSH_MEDIA');
    await this.expect('MEDIA_XON');
    await this.expect('QUEUE_DRAINED');
  }
}

async function connect() {
  const ws = new WebSocket(job.uri, 'media', job.tls ? { ca: fs.readFileSync(job.ca) } : {});
  // Asterisk's first message may come with its answer: be ready for it before that.
  await new Call(ws).run();
}

async function listen() {
  const server = job.tls
    ? https.createServer({ cert: fs.readFileSync(job.cert), key: fs.readFileSync(job.key) })
    : http.createServer();
  const sockets = new WebSocketServer({ server });
  server.listen(0, '127.0.0.1', () => report({ listening: server.address().port }));
  const [ws] = await once(sockets, 'connection');
  await new Call(ws).run();
  server.close();
}

(job.role === 'connect' ? connect() : listen()).catch((why) => {
  console.error(why);
  process.exit(1);
});
