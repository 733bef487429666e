// Without an engine: what would be asked of one.  With one, and the image: that the server answers.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { INIT_FOLDER, PORT, QldbContainer, StartedQldbContainer } from "./index.mjs";

const hasImage = spawnSync("docker", ["image", "inspect", "qldb-emulator:latest"]).status === 0;

test("what the engine is asked for", () => {
  const container = new QldbContainer().withSeeds("cars.partiql");
  assert.deepEqual(container.exposedPorts, [PORT]);
  assert.deepEqual(container.createOpts.Env, ["QLDB_EMULATOR_EPHEMERAL=1"]);
  assert.equal(container.filesToCopy[0].target, `${INIT_FOLDER}/cars.partiql`);
});

test("the address is the mapped port", () => {
  const started = { getHost: () => "localhost", getMappedPort: (port) => port + 1 };
  assert.equal(new StartedQldbContainer(started).url, "http://localhost:7533");
});

test("it serves", { skip: !hasImage && "needs a Docker engine with the image qldb-emulator:latest" }, async () => {
  const qldb = await new QldbContainer().start();
  try {
    assert.equal((await fetch(`${qldb.url}/_qldb/ready`)).status, 200);
  } finally {
    await qldb.stop();
  }
});
