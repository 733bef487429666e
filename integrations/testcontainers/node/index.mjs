import { basename, resolve } from "node:path";
import { AbstractStartedContainer, GenericContainer, Wait } from "testcontainers";

export const PORT = 7532;
export const INIT_FOLDER = "/etc/localstack/init/ready.d";

/** The emulator, ready when its seeds have run. */
export class QldbContainer extends GenericContainer {
  constructor(image = "qldb-emulator:latest") {
    super(image);
    this.withExposedPorts(PORT)
      .withEnvironment({ QLDB_EMULATOR_EPHEMERAL: "1" })
      .withWaitStrategy(Wait.forHttp("/_qldb/ready", PORT).forStatusCode(200));
  }

  /** Fills ledgers from files (.partiql, .ion, .json) before the container is ready. */
  withSeeds(...files) {
    return this.withCopyFilesToContainer(
      files.map((file) => ({ source: resolve(file), target: `${INIT_FOLDER}/${basename(file)}` })),
    );
  }

  async start() {
    return new StartedQldbContainer(await super.start());
  }
}

export class StartedQldbContainer extends AbstractStartedContainer {
  /** Where the server listens, seen from the test. */
  get url() {
    return `http://${this.getHost()}:${this.getMappedPort(PORT)}`;
  }
}
