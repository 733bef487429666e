package qldb.emulator;

import java.net.URI;
import java.nio.file.Path;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.utility.DockerImageName;
import org.testcontainers.utility.MountableFile;

/** The emulator, ready when its seeds have run. */
public class QldbContainer extends GenericContainer<QldbContainer> {
  static final int PORT = 7532;
  static final String INIT_FOLDER = "/etc/localstack/init/ready.d/";
  private static final DockerImageName IMAGE = DockerImageName.parse("qldb-emulator:latest");

  public QldbContainer() {
    this(IMAGE);
  }

  public QldbContainer(DockerImageName image) {
    super(image);
    withExposedPorts(PORT);
    withEnv("QLDB_EMULATOR_EPHEMERAL", "1");
    waitingFor(Wait.forHttp("/_qldb/ready").forPort(PORT).forStatusCode(200));
  }

  /** Fills ledgers from a file (.partiql, .ion, .json) before the container is ready. */
  public QldbContainer withSeed(Path file) {
    return withCopyFileToContainer(MountableFile.forHostPath(file), INIT_FOLDER + file.getFileName());
  }

  /** Where the server listens, for endpointOverride. */
  public URI url() {
    return URI.create("http://" + getHost() + ":" + getMappedPort(PORT));
  }
}
