// TLS with the agent that AWS's guide to the Node.js driver passes, and Kinesis as stock programs read it.
import assert from "node:assert/strict";
import { Agent } from "node:https";
import { describe, test } from "node:test";
import { Kinesis } from "@aws-sdk/client-kinesis";
import { QLDB } from "@aws-sdk/client-qldb";
import driverPackage from "amazon-qldb-driver-nodejs";
import { NodeHttpHandler } from "@smithy/node-http-handler";

const { QLDB_ENDPOINT_TLS: endpoint, QLDB_AWS_ENDPOINT: kinesisEndpoint } = process.env;
const region = "us-east-1";
const skip = endpoint ? false : "runs under with_server.py --tls";
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function newLedger(name) {
    await new QLDB({ endpoint, region }).createLedger({
        Name: name, PermissionsMode: "ALLOW_ALL", DeletionProtection: false,
    });
    return name;
}

describe("TLS", { skip }, () => {
    for (const option of ["httpAgent", "httpsAgent"]) {
        test(`a driver with an https.Agent as ${option} works`, async () => {
            const ledger = await newLedger(`tls-${option.toLowerCase()}`);
            const agent = new Agent({ keepAlive: true, maxSockets: 10 });
            const driver = new driverPackage.QldbDriver(ledger, { endpoint, region }, { [option]: agent }, 10);
            await driver.executeLambda((t) => t.execute("CREATE TABLE Car"));
            await Promise.all(Array.from({ length: 10 }, (_, n) =>
                driver.executeLambda((t) => t.execute("INSERT INTO Car ?", { n }))));
            const found = await driver.executeLambda((t) => t.execute("SELECT n FROM Car"));
            assert.equal(found.getResultList().length, 10);
            driver.close();
            setTimeout(() => agent.destroy(), 200).unref();
        });
    }
});

describe("Kinesis of --with-aws", { skip }, () => {
    test("the stock client speaks HTTP/2, which moto does not", async () => {
        const kinesis = new Kinesis({ endpoint: kinesisEndpoint, region, maxAttempts: 1 });
        await assert.rejects(kinesis.listStreams({}));
        kinesis.destroy();
    });

    test("with NodeHttpHandler it reads a ledger's stream", async () => {
        const ledger = await newLedger("streamed");
        const kinesis = new Kinesis({ endpoint: kinesisEndpoint, region, requestHandler: new NodeHttpHandler() });
        await kinesis.createStream({ StreamName: "journal", ShardCount: 1 });
        const { StreamDescription: stream } = await kinesis.describeStream({ StreamName: "journal" });
        await new QLDB({ endpoint, region }).streamJournalToKinesis({
            LedgerName: ledger, StreamName: "all", InclusiveStartTime: new Date(0),
            RoleArn: "arn:aws:iam::123456789012:role/any",
            KinesisConfiguration: { StreamArn: stream.StreamARN, AggregationEnabled: false },
        });
        const driver = new driverPackage.QldbDriver(ledger, { endpoint, region });
        await driver.executeLambda((t) => t.execute("CREATE TABLE Car"));
        driver.close();
        let { ShardIterator: iterator } = await kinesis.getShardIterator({
            StreamName: "journal", ShardId: stream.Shards[0].ShardId, ShardIteratorType: "TRIM_HORIZON",
        });
        let records = [];
        for (let round = 0; records.length < 2 && round < 100; round++) {
            const page = await kinesis.getRecords({ ShardIterator: iterator });
            records = records.concat(page.Records);
            iterator = page.NextShardIterator;
            await sleep(100);
        }
        assert.ok(records.length >= 2, `${records.length} records`);
        kinesis.destroy();
    });
});
