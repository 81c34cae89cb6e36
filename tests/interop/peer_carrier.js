#!/usr/bin/env node
// npm `smpp` as a carrier: takes binds and messages, sends receipts, enquires; prints counts.
//
//   peer_carrier.js [--password P] [--receipt-delay-ms N] [--unbind-after N]
//
// The first line is {"port":N}; each bind says {"event":"bound"}. On SIGTERM, or --unbind-after N
// receipts, it unbinds every session and waits for the responses; at its end it prints one JSON
// line with the counts. Ids are counters ("1", "2").
// Bounds: ends by itself after 180 s. NODE_PATH names the folder that holds the package.
'use strict';
const smpp = require('smpp');

const options = {password: 'carrier', 'receipt-delay-ms': 5, 'unbind-after': 0};
for (let i = 2; i + 1 < process.argv.length; i += 2) {
  options[process.argv[i].replace(/^--/, '')] = process.argv[i + 1];
}
const counts = {
  peer: 'npm smpp', role: 'carrier', bound_transmitter: 0, bound_receiver: 0,
  bound_transceiver: 0, submits: 0, wrong_text: 0, receipts: 0, receipts_answered: 0,
  receipts_refused: 0, enquire_link_answered: 0, enquire_link_received: 0, unbind_answered: 0,
  unbind_received: 0, errors: [],
};
const sessions = new Set();
let waiting = [];  // receipts that no receiver was bound for
let ending = false;

function stamp(date) {
  return date.toISOString().replace(/\D/g, '').slice(2, 12);
}

function receiptFor(id, pdu) {
  const when = stamp(new Date());
  return {
    esm_class: 4, source_addr: pdu.destination_addr, destination_addr: pdu.source_addr,
    short_message: `id:${id} sub:001 dlvrd:001 submit date:${when} done date:${when} ` +
        'stat:DELIVRD err:000 text:',
    receipted_message_id: id, message_state: 2,
  };
}

function sendReceipt(receipt) {
  const session = [...sessions].find((s) => s.receives);
  if (!session) { waiting.push(receipt); return; }
  counts.receipts++;
  session.deliver_sm(receipt, (pdu) => {
    if (pdu.command_status === 0) counts.receipts_answered++; else counts.receipts_refused++;
    if (counts.receipts_answered === Number(options['unbind-after'])) unbindAll();
  });
}

function takeBind(session, pdu, kind) {
  if (pdu.password !== options.password) {
    session.send(pdu.response({command_status: smpp.ESME_RINVPASWD}));
    return;
  }
  counts[`bound_${kind}`]++;
  session.receives = kind !== 'transmitter';
  sessions.add(session);
  session.send(pdu.response({system_id: 'npm', sc_interface_version: 0x34}));
  console.log(JSON.stringify({event: 'bound', kind}));
  session.enquire_link((answer) => {
    if (answer.command_status === 0) counts.enquire_link_answered++;
  });
  if (session.receives) waiting.splice(0).forEach(sendReceipt);
}

function takeSubmit(session, pdu) {
  const id = String(++counts.submits);
  if (String(pdu.short_message.message) !== 'to ' + pdu.destination_addr) counts.wrong_text++;
  session.send(pdu.response({message_id: id}));
  if (pdu.registered_delivery & 1) {
    setTimeout(() => sendReceipt(receiptFor(id, pdu)), Number(options['receipt-delay-ms']));
  }
}

function unbindAll() {
  for (const session of sessions) {
    session.unbind((pdu) => {
      if (pdu.command_status === 0) counts.unbind_answered++;
      session.close();
    });
  }
}

function end() {
  console.log(JSON.stringify(counts));
  process.exit(0);
}

const server = smpp.createServer((session) => {
  for (const kind of ['transmitter', 'receiver', 'transceiver']) {
    session.on(`bind_${kind}`, (pdu) => takeBind(session, pdu, kind));
  }
  session.on('submit_sm', (pdu) => takeSubmit(session, pdu));
  session.on('enquire_link', (pdu) => {
    counts.enquire_link_received++;
    session.send(pdu.response());
  });
  session.on('unbind', (pdu) => {
    counts.unbind_received++;
    session.send(pdu.response());
    session.close();
  });
  session.on('error', (error) => counts.errors.push(String(error.message)));
  session.on('close', () => {
    sessions.delete(session);
    if (ending && !sessions.size) end();
  });
});
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({port: server.address().port})));

process.on('SIGTERM', () => {
  ending = true;
  server.close();
  if (!sessions.size) end();
  unbindAll();
  setTimeout(end, 3000);
});
setTimeout(end, 180000);
