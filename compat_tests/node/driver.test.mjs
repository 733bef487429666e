// The official Node.js driver against the emulator: what its users rely on.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import driverPackage from "amazon-qldb-driver-nodejs";
import {
    addFault, clearFaults, client, closeDrivers, ENDPOINT_SHORT, ENDPOINT, FAULTS_SKIPPED, ionTexts, load, newDriver, newLedger, NO_RETRY,
    RetryConfig, run, SECONDS,
} from "./emulator.mjs";

const { isOccConflictException, isBadRequestException, isTransactionExpiredException } = driverPackage;
const named = (name) => (error) => error.name === name || error.constructor.name === name;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let ledger;
let driver;

before(async () => {
    ledger = await newLedger();
    driver = newDriver(ledger);
});
after(closeDrivers);

async function newTable() {
    const table = `T${Math.random().toString(36).slice(2)}`;
    assert.equal((await run(driver, `CREATE TABLE ${table}`)).length, 1);
    return table;
}

describe("sessions and pools", () => {
    test("a missing ledger is a bad request", async () => {
        await assert.rejects(run(newDriver("nowhere", { retry: NO_RETRY }), "SELECT 1 FROM <<0>>"), isBadRequestException);
    });

    test("a ledger without tables has no names", async () => {
        assert.deepEqual(await newDriver(await newLedger()).getTableNames(), []);
    });

    test("a pool that is used up says so", async () => {
        const one = newDriver(ledger, { pool: 1 });
        await one.executeLambda(async (t) => {
            await t.execute("SELECT 1 FROM <<0>>");
            await assert.rejects(run(one, "SELECT 1 FROM <<0>>"), named("SessionPoolEmptyError"));
        });
        assert.equal((await run(one, "SELECT 1 FROM <<0>>")).length, 1);
    });

    test("a closed driver refuses", async () => {
        const closed = newDriver(ledger);
        closed.close();
        await assert.rejects(closed.getTableNames(), named("DriverClosedError"));
    });

    test("a lambda that fails over and over leaves a clean session each time", async () => {
        const one = newDriver(ledger, { pool: 1 });
        for (let i = 0; i < 50; i++) {
            await assert.rejects(one.executeLambda(async (t) => {
                await t.execute("SELECT 1 FROM <<0>>");
                throw new Error("mine");
            }), /mine/);
        }
        assert.equal((await run(one, "SELECT 1 FROM <<0>>")).length, 1);
    });

    test("an abort in the lambda writes nothing", async () => {
        const table = await newTable();
        await assert.rejects(driver.executeLambda(async (t) => {
            await t.execute(`INSERT INTO ${table} {'a': 1}`);
            await t.abort();
        }), named("LambdaAbortedError"));
        assert.equal((await run(driver, `SELECT * FROM ${table}`)).length, 0);
    });
});

describe("tables", () => {
    test("are created, listed, indexed and dropped with one row each", async () => {
        const table = await newTable();
        assert.ok((await driver.getTableNames()).includes(table));
        assert.equal((await run(driver, `CREATE INDEX ON ${table} (Name)`)).length, 1);
        const [index] = await run(driver,
            `SELECT VALUE indexes[0] FROM information_schema.user_tables WHERE status = 'ACTIVE'AND name = '${table}'`);
        assert.equal(index.get("expr").stringValue(), "[Name]");
        assert.equal((await run(driver, `DROP TABLE ${table}`)).length, 1);
        assert.ok(!(await driver.getTableNames()).includes(table));
    });

    test("cannot be created twice or used before they are there", async () => {
        const table = await newTable();
        await assert.rejects(run(driver, `CREATE TABLE ${table}`), (error) =>
            error.name === "BadRequestException" && error.Code === "412"
            && error.message === `Table with name: USER.${table} already exists`);
        await assert.rejects(run(driver, "DELETE FROM NonExistentTable"), (error) =>
            error.name === "BadRequestException" && error.Code === "432");
        assert.equal((await run(driver, `SELECT name FROM ${table} WHERE name='Bob'`)).length, 0);
    });
});

describe("documents", () => {
    test("are inserted, read, quoted, counted and deleted", async () => {
        const table = await newTable();
        assert.equal((await run(driver, `INSERT INTO ${table} ?`, { Name: "one" })).length, 1);
        const [name] = await run(driver, `SELECT VALUE Name FROM "${table}" WHERE Name = ?`, "one");
        assert.equal(name.stringValue(), "one");
        assert.equal((await run(driver, `INSERT INTO ${table} <<?, ?>>`, { Name: "two" }, { Name: "three" })).length, 2);
        assert.equal((await run(driver, `SELECT VALUE Name FROM ${table} WHERE Name IN (?,?)`, "two", "three")).length, 2);
        assert.equal((await run(driver, `DELETE FROM ${table} WHERE Name = ?`, "one")).length, 1);
        assert.equal((await run(driver, `DELETE FROM ${table}`)).length, 2);
        const [count] = await run(driver, `SELECT COUNT(*) FROM ${table}`);
        assert.equal(count.get("_1").numberValue(), 0);
    });

    test("a lambda without a value works", async () => {
        const table = await newTable();
        await driver.executeLambda(async (t) => { await t.execute(`INSERT INTO ${table} ?`, { Name: "x" }); });
        assert.equal((await run(driver, `SELECT * FROM ${table}`)).length, 1);
    });

    test("a transaction reads what it wrote", async () => {
        const table = await newTable();
        await run(driver, `CREATE INDEX ON ${table} (k)`);
        await driver.executeLambda(async (t) => {
            await t.execute(`INSERT INTO ${table} ?`, { k: 1, v: "a" });
            await t.execute(`UPDATE ${table} SET v = ? WHERE k = ?`, "b", 1);
            const [value] = (await t.execute(`SELECT VALUE v FROM ${table} WHERE k = ?`, 1)).getResultList();
            assert.equal(value.stringValue(), "b");
            await t.execute(`DELETE FROM ${table} WHERE k = 1`);
            assert.equal((await t.execute(`SELECT * FROM ${table}`)).getResultList().length, 0);
        });
    });

    for (const text of ionTexts()) {
        test(`${text} is inserted, found and updated to`, async () => {
            const value = load(text);
            const table = shared.table;
            const condition = value.isNull() ? "Name IS NULL" : "Name = ?";
            const parameters = value.isNull() ? [] : [value];
            const found = await driver.executeLambda(async (t) => {
                const inserted = await t.execute(`INSERT INTO ${table} ?`, { Name: value });
                assert.equal(inserted.getResultList().length, 1);
                const rows = await t.execute(`SELECT VALUE Name FROM ${table} WHERE ${condition}`, ...parameters);
                return rows.getResultList();
            });
            assert.equal(found.length, 1);
            assert.ok(found[0].ionEquals(value), `${found[0]} is not ${text}`);
            const read = await run(driver, `SELECT VALUE Name FROM ${table} WHERE ${condition}`, ...parameters);
            assert.ok(read[0].ionEquals(value));
            await run(driver, `UPDATE ${table} SET Name = 'before'`);
            assert.equal((await run(driver, `UPDATE ${table} SET Name = ?`, value)).length, 1);
            const [updated] = await run(driver, `SELECT VALUE Name FROM ${table} WHERE ${condition}`, ...parameters);
            assert.ok(updated.ionEquals(value));
            await run(driver, `DELETE FROM ${table}`);
        });
    }
    const shared = {};
    before(async () => {
        ledger ??= await newLedger();
        driver ??= newDriver(ledger);
        shared.table = await newTable();
    });

    test("the commit digest agrees over parameters of every type", async () => {
        const values = ionTexts().map(load);
        const marks = values.map(() => "?").join(",");
        await driver.executeLambda(async (t) => {
            for (const value of values) await t.execute("SELECT VALUE ? FROM <<0>>", value);
            await t.execute(`SELECT VALUE [${marks}] FROM <<0>> /* é€😀 */`, ...values);
        }, NO_RETRY);
    });
});

describe("results", () => {
    const crossJoin = (table) => `SELECT * FROM ${"abcdef".split("").map((x) => `${table} as ${x}`).join(", ")}`;
    let table;
    before(async () => {
        table = await newTable();
        await run(driver, `INSERT INTO ${table} << {'col': 1}, {'col': 2}, {'col': 3} >>`);
    });

    test("buffered: 729 rows cost 1092 reads", async () => {
        const result = await driver.executeLambda((t) => t.execute(crossJoin(table)));
        assert.equal(result.getResultList().length, 729);
        assert.equal(result.getConsumedIOs().getReadIOs(), 1092);
        assert.ok(result.getTimingInformation().getProcessingTimeMilliseconds() > 0);
    });

    test("streamed: page by page to the same sum", async () => {
        await driver.executeLambda(async (t) => {
            const stream = await t.executeAndStreamResults(crossJoin(table));
            const first = stream.getConsumedIOs().getReadIOs();
            assert.ok(first > 0 && first < 1092);
            assert.ok(stream.getTimingInformation().getProcessingTimeMilliseconds() > 0);
            let rows = 0;
            for await (const row of stream) rows += row === undefined ? 0 : 1;
            assert.equal(rows, 729);
            assert.equal(stream.getConsumedIOs().getReadIOs(), 1092);
        });
    });

    test("two streams of one transaction may be read in turns and at once", async () => {
        await driver.executeLambda(async (t) => {
            const read = async () => {
                let rows = 0;
                for await (const row of await t.executeAndStreamResults(crossJoin(table))) rows += row === undefined ? 0 : 1;
                return rows;
            };
            const first = await t.executeAndStreamResults(crossJoin(table));
            const second = await t.executeAndStreamResults(crossJoin(table));
            const counts = [0, 0];
            const turns = [first, second].map((stream, i) => (async () => {
                for await (const row of stream) counts[i] += row === undefined ? 0 : 1;
            })());
            await Promise.all(turns);
            assert.deepEqual(counts, [729, 729]);
            assert.equal(await read(), 729);
        });
    });
});

describe("conflicts", () => {
    test("without retries the loser hears of it, in every interleaving of three", async () => {
        const table = await newTable();
        await run(driver, `INSERT INTO ${table} ?`, { n: 0 });
        const bump = () => driver.executeLambda(async (t) => {
            const [n] = (await t.execute(`SELECT VALUE n FROM ${table}`)).getResultList();
            await sleep(50);
            await t.execute(`UPDATE ${table} SET n = ?`, n.numberValue() + 5);
        }, NO_RETRY);
        const results = await Promise.allSettled([bump(), bump(), bump()]);
        const losers = results.filter((r) => r.status === "rejected");
        assert.equal(losers.length, 2);
        assert.ok(losers.every((r) => isOccConflictException(r.reason)));
        const [n] = await run(driver, `SELECT VALUE n FROM ${table}`);
        assert.equal(n.numberValue(), 5);
    });

    test("with retries every one of them succeeds", async () => {
        const table = await newTable();
        await run(driver, `INSERT INTO ${table} ?`, { n: 0 });
        const bump = () => driver.executeLambda(async (t) => {
            const [n] = (await t.execute(`SELECT VALUE n FROM ${table}`)).getResultList();
            await t.execute(`UPDATE ${table} SET n = ?`, n.numberValue() + 1);
        }, new RetryConfig(50));
        await Promise.all(Array.from({ length: 8 }, bump));
        const [n] = await run(driver, `SELECT VALUE n FROM ${table}`);
        assert.equal(n.numberValue(), 8);
    });

    test("a transaction that only read is validated too", async () => {
        const table = await newTable();
        await run(driver, `INSERT INTO ${table} ?`, { n: 0 });
        await assert.rejects(driver.executeLambda(async (t) => {
            await t.execute(`SELECT VALUE n FROM ${table}`);
            await run(driver, `UPDATE ${table} SET n = 1`);
        }, NO_RETRY), isOccConflictException);
    });
});

describe("expiry and faults", () => {
    let ledger;
    let driver;
    const table = "T";
    before(async () => {
        ledger = await newLedger();
        driver = newDriver(ledger);
        await run(driver, `CREATE TABLE ${table}`);
    });
    beforeEach(() => run(driver, `DELETE FROM ${table}`));
    afterEach(clearFaults);

    test("a transaction expires, and the driver goes on", async () => {
        const short = newDriver(await newLedger(ENDPOINT_SHORT), { endpoint: ENDPOINT_SHORT });
        let attempts = 0;
        await assert.rejects(short.executeLambda(async () => { attempts++; await sleep(1200); }), isTransactionExpiredException);
        assert.equal(attempts, 1);
        assert.equal((await run(short, "SELECT 1 FROM <<0>>")).length, 1);
    });

    // kind, which command, whether the driver retries, the error it surfaces without retries
    const cases = [
        ["occ", "CommitTransaction", true, "OccConflictException"],
        ["occ", "ExecuteStatement", true, "OccConflictException"],
        ["invalid-session", "ExecuteStatement", true, "InvalidSessionException"],
        ["invalid-session", "CommitTransaction", true, "InvalidSessionException"],
        ["transaction-expired", "ExecuteStatement", false, "InvalidSessionException"],
        ["internal-failure", "ExecuteStatement", true, "InternalFailure"],
        ["internal-failure", "CommitTransaction", true, "InternalFailure"],
        ["service-unavailable", "StartTransaction", true, "ServiceUnavailable"],
        ["capacity-exceeded", "ExecuteStatement", true, "CapacityExceededException"],
        ["rate-exceeded", "ExecuteStatement", false, "RateExceededException"],
        ["limit-exceeded", "StartTransaction", false, "LimitExceededException"],
        ["rate-exceeded", "StartSession", true, "RateExceededException"],
        ["internal-failure", "StartSession", true, "InternalFailure"],
    ];
    for (const [kind, command, retried, name] of cases) {
        test(`${kind} at ${command} is ${retried ? "retried" : "not retried"}`, { skip: FAULTS_SKIPPED }, async () => {
            const fresh = newDriver(ledger);
            await addFault({ kind, commands: [command], ledger, count: 2 });
            let attempts = 0;
            const work = fresh.executeLambda(async (t) => {
                attempts++;
                await t.execute(`INSERT INTO ${table} ?`, { a: attempts });
            });
            if (retried) {
                await work;
                assert.equal(attempts, ["StartTransaction", "StartSession"].includes(command) ? 1 : 3);
            } else {
                await assert.rejects(work, named(name));
            }
            await clearFaults();
            assert.equal((await run(fresh, `SELECT * FROM ${table}`)).length, retried ? 1 : 0);
        });
    }

    test("a commit whose answer is lost has happened, one that did not arrive has not", { skip: FAULTS_SKIPPED }, async () => {
        for (const [kind, rows] of [["drop-after", 1], ["drop-before", 0]]) {
            await run(driver, `DELETE FROM ${table}`);
            await addFault({ kind, ledger, count: 1, statement: "^INSERT" });
            await assert.rejects(run(newDriver(ledger), `INSERT INTO ${table} ?`, { a: 1 }));
            assert.equal((await run(driver, `SELECT * FROM ${table}`)).length, rows, kind);
        }
    });

    test("a late answer is waited for", { skip: FAULTS_SKIPPED }, async () => {
        await addFault({ kind: "latency", ledger, latency_ms: 300, commands: ["ExecuteStatement"], count: 1 });
        const started = Date.now();
        await run(driver, "SELECT 1 FROM <<0>>");
        assert.ok(Date.now() - started >= 295);
    });
});

test("the clients see the errors of the control plane by class", async () => {
    const qldb = client(ENDPOINT);
    await assert.rejects(qldb.describeLedger({ Name: "nowhere" }), named("ResourceNotFoundException"));
    await assert.rejects(qldb.createLedger({ Name: ledger, PermissionsMode: "ALLOW_ALL" }), (error) =>
        error.name === "ResourceAlreadyExistsException" && error.message === "Ledger name already exists");
    assert.equal((await qldb.describeLedger({ Name: ledger })).State, "ACTIVE");
});

test(`16 workers for ${SECONDS} s meet nothing unexpected`, async () => {
    const table = await newTable();
    await run(driver, `CREATE INDEX ON ${table} (k)`);
    await run(driver, `INSERT INTO ${table} ?`, Array.from({ length: 8 }, (_, k) => ({ k, n: 0 })));
    const busy = newDriver(ledger);
    const until = Date.now() + SECONDS * 1000;
    const done = new Array(8).fill(0);
    await Promise.all(Array.from({ length: 16 }, async (_, worker) => {
        while (Date.now() < until) {
            const k = (worker + done[worker % 8]) % 8;
            await busy.executeLambda(async (t) => {
                const [n] = (await t.execute(`SELECT VALUE n FROM ${table} WHERE k = ?`, k)).getResultList();
                await t.execute(`UPDATE ${table} SET n = ? WHERE k = ?`, n.numberValue() + 1, k);
            }, new RetryConfig(100));
            done[k]++;
        }
    }));
    const rows = await run(driver, `SELECT k, n FROM ${table}`);
    for (const row of rows) assert.equal(row.get("n").numberValue(), done[row.get("k").numberValue()]);
});
