// Reads an AsyncAPI file with AsyncAPI's own parser, which validates it, and prints what it found as one JSON object:
//
//     node check_asyncapi.js docs/asyncapi.yaml
//
// | key | meaning |
// | --- | --- |
// | `faults` | errors and warnings, each as a text |
// | `version` | that of the described application |
// | `messages` | by their names: content type, payload without its references, examples, and whether it has a correlation id |
// | `operations` | by their ids: `action`, and the names of their messages and of those of their replies |

'use strict';

const fs = require('fs');
const path = require('path');
const { Parser } = require('@asyncapi/parser');

// Of its severities 0 is an error and 1 a warning; the others are advice.
const WARNING = 1;

const names = (messages) => messages.map((message) => message.id());

async function main(file) {
  const text = fs.readFileSync(file, 'utf8');
  const { document, diagnostics } = await new Parser().parse(text, { source: path.resolve(file) });
  const faults = diagnostics
    .filter(({ severity }) => severity <= WARNING)
    .map(({ code, message, path: where }) => `${where.join('.')}: ${message} (${code})`);
  const found = { faults, messages: {}, operations: {} };
  if (document) {
    found.version = document.info().version();
    for (const message of document.components().messages().all()) {
      const { contentType, payload, examples, correlationId } = message.json();
      found.messages[message.id()] = { contentType, payload, examples, hasId: Boolean(correlationId) };
    }
    for (const operation of document.operations().all()) {
      const reply = operation.reply();
      found.operations[operation.id()] = {
        action: operation.action(),
        messages: names(operation.messages().all()),
        reply: reply ? names(reply.messages().all()) : [],
      };
    }
  }
  console.log(JSON.stringify(found));
}

main(process.argv[2]);
