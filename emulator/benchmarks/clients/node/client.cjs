// The same as pyqldb_client.py for the Node.js driver: reads a job from standard input, writes a result to standard
// output (see there).  It needs a third of pyqldb's time for a transaction, so it shows three times as much of the
// server's.
"use strict";

const { QldbDriver, RetryConfig } = require("amazon-qldb-driver-nodejs");
const { Agent } = require("node:http");
const { readFileSync } = require("node:fs");

const WARM_UP = 50;
const vin = (number) => `1N4AL11D${String(number).padStart(9, "0")}`;

// A generator of our own (mulberry32): Math.random cannot be seeded.
function randomNumbers(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function select(test, random) {
  const options = {
    endpoint: test.endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    maxAttempts: 1,
  };
  const http = { httpAgent: new Agent({ keepAlive: true, maxSockets: 1 }) };
  // A retry would hide a failure and count its time: there are none.
  const driver = new QldbDriver(test.ledger, options, http, 1, new RetryConfig(0));
  return async () => {
    const wanted = vin(random(test.keys));
    const rows = await driver.executeLambda(async (transaction) =>
      (await transaction.execute("SELECT * FROM VehicleRegistration WHERE VIN = ?", wanted)).getResultList(),
    );
    const isRight = !test.checks_key || rows[0].get("VIN").stringValue() === wanted;
    if (rows.length !== 1 || !isRight) throw new Error(`asked for ${wanted}, got ${rows}`);
  };
}

const KINDS = { select };

async function main() {
  const job = JSON.parse(readFileSync(0, "utf8"));
  const random = randomNumbers(job.seed);
  const transactions = job.cases.map((test) => KINDS[test.kind](test, random));
  for (let i = 0; i < WARM_UP; i++) for (const transaction of transactions) await transaction();
  const means = transactions.map(() => []);
  const order = transactions.map((_, number) => number);
  for (let repetition = 0; repetition < job.repetitions; repetition++) {
    const totals = transactions.map(() => 0);
    for (let i = 0; i < job.count; i++) {
      for (let last = order.length - 1; last > 0; last--) {
        const other = random(last + 1);
        [order[last], order[other]] = [order[other], order[last]];
      }
      for (const number of order) {
        const began = process.hrtime.bigint();
        await transactions[number]();
        totals[number] += Number(process.hrtime.bigint() - began);
      }
    }
    totals.forEach((total, number) => means[number].push(total / job.count));
  }
  process.stdout.write(JSON.stringify({ means_ns: means }), () => process.exit(0));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
