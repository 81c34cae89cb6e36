#!/usr/bin/env node
// npm `smpp` as a client: binds, submits, collects receipts, enquires, unbinds; prints counts.
//
//   peer_client.js --port N [--host H] [--system-id S] [--password P] [--kind trx|txrx]
//                  [--count N] [--destination PREFIX] [--idle-ms N] [--end unbind|wait]
//
// Bounds: a window of 10, --count messages, 120 s in all. Output: one JSON line with the counts;
// with --end wait a line {"event":"waiting"} first, then it stays bound until the peer unbinds.
// NODE_PATH names the folder that holds the package. Exit status 0: it came to its end.
'use strict';
const smpp = require('smpp');

const options = {
  host: '127.0.0.1', port: 0, 'system-id': 'shop', password: 'shop-pw', kind: 'trx',
  count: 1000, destination: '447946', 'idle-ms': 0, end: 'unbind',
};
for (let i = 2; i + 1 < process.argv.length; i += 2) {
  options[process.argv[i].replace(/^--/, '')] = process.argv[i + 1];
}
const count = Number(options.count);
const WINDOW = 10;
const SOURCE = '12345';

const counts = {
  peer: 'npm smpp', role: 'client', kind: options.kind, bound: 0, submitted: 0, accepted: 0,
  refused: 0, receipts: 0, delivered: 0, unmatched: 0, duplicates: 0, wrong_receipt: 0,
  enquire_link_answered: 0, enquire_link_received: 0, unbind_answered: 0, unbind_received: 0,
  errors: [],
};
const numberOf = new Map();  // message id -> the number it was sent to
const receiptOf = new Map();  // message id -> state, also before its submit_sm_resp is here
const sessions = [];
let finishing = false;

function end(status) {
  console.log(JSON.stringify(counts));
  process.exit(status);
}
setTimeout(() => { counts.errors.push('not done in 120 s'); end(1); }, 120000);

function open(bind) {
  return new Promise((resolve) => {
    const session = smpp.connect({host: options.host, port: Number(options.port)}, () => {
      session[bind]({
        system_id: options['system-id'], password: options.password, interface_version: 0x34,
      }, (pdu) => {
        if (pdu.command_status === 0) { counts.bound++; } else {
          counts.errors.push(`${bind}_resp ${pdu.command_status}`);
          end(1);
        }
        resolve(session);
      });
    });
    sessions.push(session);
    session.on('error', (error) => counts.errors.push(String(error.message)));
    session.on('enquire_link', (pdu) => {
      counts.enquire_link_received++;
      session.send(pdu.response());
    });
    session.on('unbind', (pdu) => {
      counts.unbind_received++;
      session.send(pdu.response());
    });
    session.on('deliver_sm', (pdu) => { takeReceipt(pdu); session.send(pdu.response()); });
    session.on('close', () => {
      session.gone = true;
      if (!finishing) counts.errors.push('closed by the peer before the end');
      if (sessions.every((s) => s.gone)) end(counts.errors.length ? 1 : 0);
    });
  });
}

function takeReceipt(pdu) {
  const text = String(pdu.short_message.message);
  const id = (/id:(\S*)/.exec(text) || [])[1];
  const stat = (/stat:(\w+)/.exec(text) || [])[1];
  counts.receipts++;
  if (receiptOf.has(id)) counts.duplicates++;
  receiptOf.set(id, pdu);
  if (stat === 'DELIVRD') counts.delivered++;
  const tlvs = pdu.receipted_message_id === id && pdu.message_state === 2;
  if ((pdu.esm_class & 0x3c) !== 4 || !tlvs || pdu.destination_addr !== SOURCE) {
    counts.wrong_receipt++;
  }
}

function submitAll(session) {
  return new Promise((resolve) => {
    const one = () => {
      if (counts.submitted === count) return;
      const number = options.destination + String(counts.submitted++).padStart(6, '0');
      session.submit_sm({
        source_addr: SOURCE, dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: number,
        registered_delivery: 1, short_message: 'to ' + number,
      }, (pdu) => {
        if (pdu.command_status === 0) {
          counts.accepted++;
          numberOf.set(pdu.message_id, number);
        } else {
          counts.refused++;
        }
        if (counts.accepted + counts.refused === count) resolve();
        one();
      });
    };
    for (let i = 0; i < WINDOW; i++) one();
  });
}

const enquire = (session) => new Promise((resolve) => session.enquire_link((pdu) => {
  if (pdu.command_status === 0) counts.enquire_link_answered++;
  resolve();
}));
const unbind = (session) => new Promise((resolve) => session.unbind((pdu) => {
  if (pdu.command_status === 0) counts.unbind_answered++;
  session.close();
  resolve();
}));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function main() {
  const receiver = await open(options.kind === 'trx' ? 'bind_transceiver' : 'bind_receiver');
  const sender = options.kind === 'trx' ? receiver : await open('bind_transmitter');
  await submitAll(sender);
  for (let i = 0; i < 600 && receiptOf.size < counts.accepted; i++) await sleep(50);
  for (const session of sessions) await enquire(session);
  await sleep(Number(options['idle-ms']));
  for (const [id, pdu] of receiptOf) {
    if (!numberOf.has(id)) counts.unmatched++;
    else if (numberOf.get(id) !== pdu.source_addr) counts.wrong_receipt++;
  }
  finishing = true;
  if (options.end === 'wait') console.log(JSON.stringify({event: 'waiting'}));
  else for (const session of sessions) await unbind(session);
}
main();
