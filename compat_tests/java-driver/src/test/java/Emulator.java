import com.amazon.ion.IonStruct;
import com.amazon.ion.IonSystem;
import com.amazon.ion.IonValue;
import com.amazon.ion.system.IonSystemBuilder;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.qldb.QldbClient;
import software.amazon.awssdk.services.qldbsession.QldbSessionClient;
import software.amazon.qldb.QldbDriver;
import software.amazon.qldb.QldbDriverBuilder;
import software.amazon.qldb.Result;
import software.amazon.qldb.RetryPolicy;
import software.amazon.qldb.TransactionExecutor;

/** What every test needs: a ledger of its own, drivers, fault rules and Ion values. */
final class Emulator {
    static final String ENDPOINT = System.getenv("QLDB_ENDPOINT");
    static final String ENDPOINT_SHORT = System.getenv("QLDB_ENDPOINT_SHORT");
    static final IonSystem ION = IonSystemBuilder.standard().build();
    static final RetryPolicy NO_RETRY = RetryPolicy.none();
    private static final StaticCredentialsProvider CREDENTIALS =
            StaticCredentialsProvider.create(AwsBasicCredentials.create("local", "local"));
    private static final AtomicInteger LEDGERS = new AtomicInteger();
    private static final AtomicInteger TABLES = new AtomicInteger();
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    private Emulator() { }

    static QldbClient control(String endpoint) {
        return QldbClient.builder().endpointOverride(URI.create(endpoint)).region(Region.US_EAST_1)
                .credentialsProvider(CREDENTIALS).build();
    }

    static String newLedger(String endpoint) {
        String name = "java-" + ProcessHandle.current().pid() + "-" + LEDGERS.incrementAndGet();
        try (QldbClient client = control(endpoint)) {
            client.createLedger(r -> r.name(name).permissionsMode("ALLOW_ALL").deletionProtection(false));
        }
        return name;
    }

    static QldbDriverBuilder builder(String endpoint, String ledger) {
        return QldbDriver.builder().ledger(ledger).sessionClientBuilder(QldbSessionClient.builder()
                .endpointOverride(URI.create(endpoint)).region(Region.US_EAST_1).credentialsProvider(CREDENTIALS));
    }

    static QldbDriver newDriver(String ledger) {
        return builder(ENDPOINT, ledger).build();
    }

    static List<IonValue> run(QldbDriver driver, String statement, IonValue... parameters) {
        return driver.execute(t -> {
            return rows(t.execute(statement, parameters));
        });
    }

    static List<IonValue> rows(Result result) {
        List<IonValue> rows = new ArrayList<>();
        result.forEach(rows::add);
        return rows;
    }

    static List<IonValue> rows(TransactionExecutor t, String statement, IonValue... parameters) {
        return rows(t.execute(statement, parameters));
    }

    static String newTable(QldbDriver driver) {
        String name = "T" + TABLES.incrementAndGet();
        run(driver, "CREATE TABLE " + name);
        return name;
    }

    static IonValue ion(String text) {
        return ION.singleValue(text);
    }

    static IonValue document(String field, IonValue value) {
        IonStruct struct = ION.newEmptyStruct();
        struct.put(field, value.clone());
        return struct;
    }

    /** Every Ion type and every typed null, each plain and annotated. */
    static List<String> ionTexts() throws IOException {
        List<String> texts = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of("..", "ion_values.ion"))) {
            texts.add(line);
            texts.add("annotation::" + line);
        }
        return texts;
    }

    static void addFault(String rule) throws Exception {
        admin(HttpRequest.newBuilder().POST(HttpRequest.BodyPublishers.ofString(rule)));
    }

    static void clearFaults() throws Exception {
        admin(HttpRequest.newBuilder().DELETE());
    }

    private static void admin(HttpRequest.Builder request) throws Exception {
        HttpResponse<String> reply = HTTP.send(request.uri(URI.create(ENDPOINT + "/_qldb/faults"))
                .timeout(Duration.ofSeconds(10)).build(), HttpResponse.BodyHandlers.ofString());
        if (reply.statusCode() != 200) {
            throw new IllegalStateException(reply.statusCode() + " " + reply.body());
        }
    }
}
