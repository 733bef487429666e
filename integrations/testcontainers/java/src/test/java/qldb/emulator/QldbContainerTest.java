package qldb.emulator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.net.HttpURLConnection;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class QldbContainerTest {
  @Test
  void whatTheEngineIsAskedFor(@TempDir Path folder) throws Exception {
    Path seed = Files.createFile(folder.resolve("cars.partiql"));
    var container = new QldbContainer().withSeed(seed);
    assertEquals(List.of(7532), container.getExposedPorts());
    assertEquals(Map.of("QLDB_EMULATOR_EPHEMERAL", "1"), container.getEnvMap());
    assertTrue(container.getCopyToFileContainerPathMap().containsValue("/etc/localstack/init/ready.d/cars.partiql"));
  }

  @Test
  void itServes() throws Exception {
    assumeTrue(hasImage(), "needs a Docker engine with the image qldb-emulator:latest");
    try (var qldb = new QldbContainer()) {
      qldb.start();
      var connection = (HttpURLConnection) qldb.url().resolve("/_qldb/ready").toURL().openConnection();
      assertEquals(200, connection.getResponseCode());
    }
  }

  private static boolean hasImage() throws Exception {
    try {
      return new ProcessBuilder("docker", "image", "inspect", "qldb-emulator:latest").start().waitFor() == 0;
    } catch (java.io.IOException noDocker) {
      return false;
    }
  }
}
