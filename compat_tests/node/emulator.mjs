// What every test needs: a ledger of its own, drivers, and the emulator's fault rules.
import { readFileSync } from "node:fs";
import http from "node:http";
import { QLDB } from "@aws-sdk/client-qldb";
import driverPackage from "amazon-qldb-driver-nodejs";
import ion from "ion-js";

export const { QldbDriver, RetryConfig } = driverPackage;
export const ENDPOINT = process.env.QLDB_ENDPOINT;
export const ENDPOINT_SHORT = process.env.QLDB_ENDPOINT_SHORT;
export const SECONDS = Number(process.env.QLDB_COMPAT_SECONDS ?? 4);
export const NO_RETRY = new RetryConfig(0);

export const client = (endpoint) => new QLDB({ endpoint, region: "us-east-1" });

let ledgers = 0;

export async function newLedger(endpoint = ENDPOINT) {
    const name = `node-${process.pid}-${++ledgers}`;
    await client(endpoint).createLedger({ Name: name, PermissionsMode: "ALLOW_ALL", DeletionProtection: false });
    return name;
}

const opened = [];

export function newDriver(ledger, { endpoint = ENDPOINT, pool = 0, retry } = {}) {
    const agent = new http.Agent({ keepAlive: true });
    const driver = new QldbDriver(ledger, { endpoint, region: "us-east-1" }, { httpAgent: agent }, pool, retry);
    opened.push([driver, agent]);
    return driver;
}

export function closeDrivers() {
    for (const [driver, agent] of opened.splice(0)) {
        driver.close();
        setTimeout(() => agent.destroy(), 200).unref();
    }
}

export const run = (driver, statement, ...parameters) =>
    driver.executeLambda(async (t) => (await t.execute(statement, ...parameters)).getResultList());

async function admin(method, path, body) {
    const reply = await fetch(`${ENDPOINT}/_qldb${path}`, { method, body: body && JSON.stringify(body) });
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`);
    return reply.json();
}

// Through a balancer a rule would reach one of the servers: see with_cluster.py.
export const FAULTS_SKIPPED = process.env.QLDB_CLUSTER_DATABASE ? "fault rules belong to one server" : false;
export const addFault = (rule) => admin("POST", "/faults", rule);
export const clearFaults = () => admin("DELETE", "/faults");

// Every Ion type and every typed null, each plain and annotated.
export function ionTexts() {
    const lines = readFileSync(new URL("../ion_values.ion", import.meta.url), "utf8").trim().split("\n");
    return lines.flatMap((line) => [line, `annotation::${line}`]);
}

export const load = (text) => ion.load(text);
