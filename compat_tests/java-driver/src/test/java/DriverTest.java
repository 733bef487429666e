import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.amazon.ion.IonInt;
import com.amazon.ion.IonStruct;
import com.amazon.ion.IonText;
import com.amazon.ion.IonValue;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledIfEnvironmentVariable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.services.qldb.QldbClient;
import software.amazon.awssdk.services.qldb.model.ResourceAlreadyExistsException;
import software.amazon.awssdk.services.qldb.model.ResourceNotFoundException;
import software.amazon.awssdk.services.qldb.model.ResourcePreconditionNotMetException;
import software.amazon.awssdk.services.qldbsession.model.BadRequestException;
import software.amazon.awssdk.services.qldbsession.model.InvalidSessionException;
import software.amazon.awssdk.services.qldbsession.model.OccConflictException;
import software.amazon.qldb.QldbDriver;
import software.amazon.qldb.Result;
import software.amazon.qldb.RetryPolicy;
import software.amazon.qldb.exceptions.QldbDriverException;
import software.amazon.qldb.exceptions.TransactionAbortedException;

/** The official Java driver against the emulator: what its users rely on. */
class DriverTest {
    private static final double SECONDS =
            Double.parseDouble(System.getenv().getOrDefault("QLDB_COMPAT_SECONDS", "4"));
    private static String ledger;
    private static QldbDriver driver;
    private static String table;

    @BeforeAll
    static void start() {
        ledger = Emulator.newLedger(Emulator.ENDPOINT);
        driver = Emulator.newDriver(ledger);
        table = Emulator.newTable(driver);
    }

    @AfterAll
    static void stop() throws Exception {
        driver.close();
    }

    @AfterEach
    void clean() throws Exception {
        Emulator.clearFaults();
        Emulator.run(driver, "DELETE FROM " + table);
    }

    private static IonValue ion(String text) {
        return Emulator.ion(text);
    }

    private static int number(IonValue value) {
        return ((IonInt) value).intValue();
    }

    // --- sessions and pools ---------------------------------------------------------------------------------

    @Test
    void aMissingLedgerIsABadRequest() throws Exception {
        try (QldbDriver nowhere = Emulator.newDriver("nowhere")) {
            assertThrows(BadRequestException.class, nowhere::getTableNames);
        }
    }

    @Test
    void aPoolThatIsUsedUpSaysSo() throws Exception {
        try (QldbDriver one = Emulator.builder(Emulator.ENDPOINT, ledger).maxConcurrentTransactions(1).build()) {
            one.execute(t -> {
                assertFalse(t.getTransactionId().isEmpty());
                assertThrows(QldbDriverException.class, one::getTableNames);
            });
            assertTrue(one.getTableNames().iterator().hasNext());
        }
    }

    @Test
    void aClosedDriverRefuses() throws Exception {
        QldbDriver closed = Emulator.newDriver(ledger);
        closed.close();
        assertThrows(QldbDriverException.class, closed::getTableNames);
    }

    @Test
    void anAbortWritesNothing() {
        assertThrows(TransactionAbortedException.class, () -> driver.execute(t -> {
            t.execute("INSERT INTO " + table + " {'a': 1}");
            t.abort();
        }));
        assertEquals(0, Emulator.run(driver, "SELECT * FROM " + table).size());
    }

    // --- tables ---------------------------------------------------------------------------------------------

    @Test
    void tablesAreCreatedListedIndexedAndDroppedWithOneRowEach() throws Exception {
        String own = Emulator.newLedger(Emulator.ENDPOINT);
        try (QldbDriver fresh = Emulator.newDriver(own)) {
            assertFalse(fresh.getTableNames().iterator().hasNext());
            assertEquals(1, Emulator.run(fresh, "CREATE TABLE Fresh").size());
            assertEquals("Fresh", String.join(" ", fresh.getTableNames()));
            assertEquals(1, Emulator.run(fresh, "CREATE INDEX ON Fresh (ColumnName)").size());
            List<IonValue> found = Emulator.run(fresh, "SELECT VALUE indexes[0] FROM information_schema.user_tables"
                    + " WHERE status = 'ACTIVE' AND name ='Fresh'");
            assertEquals("[ColumnName]", ((IonText) ((IonStruct) found.get(0)).get("expr")).stringValue());
            assertEquals(1, Emulator.run(fresh, "DROP TABLE Fresh").size());
            assertFalse(fresh.getTableNames().iterator().hasNext());
        }
    }

    @Test
    void tablesCannotBeCreatedTwiceOrUsedBeforeTheyAreThere() {
        BadRequestException twice =
                assertThrows(BadRequestException.class, () -> Emulator.run(driver, "CREATE TABLE " + table));
        assertTrue(twice.getMessage().startsWith("Table with name: USER." + table + " already exists"));
        assertThrows(BadRequestException.class, () -> Emulator.run(driver, "DELETE FROM NonExistentTable"));
    }

    // --- documents ------------------------------------------------------------------------------------------

    @Test
    void documentsAreInsertedReadQuotedCountedAndDeleted() {
        assertEquals(0, Emulator.run(driver, "SELECT * FROM " + table).size());
        assertEquals(1, Emulator.run(driver, "INSERT INTO " + table + " ?", ion("{Name: \"one\"}")).size());
        assertEquals(ion("\"one\""),
                Emulator.run(driver, "SELECT VALUE Name FROM \"" + table + "\" WHERE Name = 'one'").get(0));
        assertEquals(2, Emulator.run(driver, "INSERT INTO " + table + " <<?, ?>>",
                ion("{Name: \"two\"}"), ion("{Name: \"three\"}")).size());
        assertEquals(2, Emulator.run(driver, "SELECT VALUE Name FROM " + table + " WHERE Name IN (?,?)",
                ion("\"two\""), ion("\"three\"")).size());
        assertEquals(1, Emulator.run(driver, "DELETE FROM " + table + " WHERE Name = ?", ion("\"one\"")).size());
        assertEquals(2, Emulator.run(driver, "DELETE FROM " + table).size());
        assertEquals(ion("{_1: 0}"), Emulator.run(driver, "SELECT COUNT(*) FROM " + table).get(0));
    }

    @Test
    void aTransactionReadsWhatItWrote() {
        driver.execute(t -> {
            t.execute("INSERT INTO " + table + " ?", ion("{k: 1, v: 1}"));
            t.execute("UPDATE " + table + " SET v = ? WHERE k = ?", ion("2"), ion("1"));
            assertEquals(2, number(Emulator.rows(t, "SELECT VALUE v FROM " + table + " WHERE k = 1").get(0)));
        });
    }

    static Stream<String> ionTexts() throws IOException {
        return Emulator.ionTexts().stream();
    }

    @ParameterizedTest
    @MethodSource("ionTexts")
    void everyIonTypeIsInsertedFoundAndUpdatedTo(String text) {
        IonValue value = ion(text);
        String condition = value.isNullValue() ? "Name IS NULL" : "Name = ?";
        IonValue[] parameters = value.isNullValue() ? new IonValue[0] : new IonValue[] {value};
        String find = "SELECT VALUE Name FROM " + table + " WHERE " + condition;
        assertEquals(1, Emulator.run(driver, "INSERT INTO " + table + " ?", Emulator.document("Name", value)).size());
        assertEquals(List.of(value), Emulator.run(driver, find, parameters));
        Emulator.run(driver, "UPDATE " + table + " SET Name = 'before'");
        assertEquals(1, Emulator.run(driver, "UPDATE " + table + " SET Name = ?", value).size());
        assertEquals(List.of(value), Emulator.run(driver, find, parameters));
    }

    @Test
    void theCommitDigestAgreesOverParametersOfEveryType() throws IOException {
        List<IonValue> values = new ArrayList<>();
        for (String text : Emulator.ionTexts()) {
            values.add(ion(text));
        }
        String marks = String.join(",", Collections.nCopies(values.size(), "?"));
        driver.execute(t -> {
            values.forEach(value -> t.execute("SELECT VALUE ? FROM <<0>>", value));
            t.execute("SELECT VALUE [" + marks + "] FROM <<0>> /* \u00e9\u20ac\ud83d\ude00 */", values);
        }, Emulator.NO_RETRY);
    }

    // --- results --------------------------------------------------------------------------------------------

    private static String crossJoin() {
        List<String> sources = new ArrayList<>();
        for (String name : "a b c d e f".split(" ")) {
            sources.add(table + " as " + name);
        }
        return "SELECT * FROM " + String.join(", ", sources);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 2, 3})
    void pagesAreStreamedAndBufferedToTheSameSums(int readAhead) throws Exception {
        ExecutorService threads = Executors.newCachedThreadPool();
        try (QldbDriver reading = Emulator.builder(Emulator.ENDPOINT, ledger).readAhead(readAhead, threads).build()) {
            Emulator.run(driver, "INSERT INTO " + table + " << {'col': 1}, {'col': 2}, {'col': 3} >>");
            reading.execute(t -> {
                Result streamed = t.execute(crossJoin());
                assertTrue(streamed.getConsumedIOs().getReadIOs() > 0);
                assertEquals(729, Emulator.rows(streamed).size());
                assertEquals(1092, streamed.getConsumedIOs().getReadIOs());
                assertTrue(streamed.getTimingInformation().getProcessingTimeMilliseconds() > 0);
            });
            Result buffered = reading.execute(t -> { return t.execute(crossJoin()); });
            assertEquals(1092, buffered.getConsumedIOs().getReadIOs());
            assertEquals(729, Emulator.rows(buffered).size());
            assertTrue(buffered.getTimingInformation().getProcessingTimeMilliseconds() > 0);
        } finally {
            threads.shutdown();
        }
    }

    // --- conflicts ------------------------------------------------------------------------------------------

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theLoserOfAConflictRetriesOrHearsOfIt(boolean retries) {
        Emulator.run(driver, "INSERT INTO " + table + " ?", ion("{n: 0}"));
        AtomicInteger attempts = new AtomicInteger();
        Runnable outer = () -> driver.execute(t -> {
            t.execute("SELECT VALUE n FROM " + table);
            if (attempts.incrementAndGet() == 1) {
                Emulator.run(driver, "UPDATE " + table + " SET n = 1");
            }
        }, retries ? RetryPolicy.maxRetries(4) : Emulator.NO_RETRY);
        if (retries) {
            outer.run();
        } else {
            assertThrows(OccConflictException.class, outer::run);
        }
        assertEquals(retries ? 2 : 1, attempts.get());
    }

    /** Through a balancer a fault rule would reach one of the servers: see with_cluster.py. */
    private static final String ONE_SERVER = "fault rules belong to one server";

    // --- expiry and faults ----------------------------------------------------------------------------------

    @Test
    void aTransactionExpiresAndTheDriverGoesOn() throws Exception {
        String own = Emulator.newLedger(Emulator.ENDPOINT_SHORT);
        try (QldbDriver hasty = Emulator.builder(Emulator.ENDPOINT_SHORT, own).build()) {
            AtomicInteger attempts = new AtomicInteger();
            InvalidSessionException error = assertThrows(InvalidSessionException.class, () -> hasty.execute(t -> {
                attempts.incrementAndGet();
                sleep(1200);
            }));
            assertTrue(error.getMessage().matches("Transaction.*has expired.*"));
            assertEquals(1, attempts.get());
            assertEquals(1, Emulator.run(hasty, "SELECT 1 FROM <<0>>").size());
        }
    }

    private static void sleep(long milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    @DisabledIfEnvironmentVariable(named = "QLDB_CLUSTER_DATABASE", matches = ".+", disabledReason = ONE_SERVER)
    @ParameterizedTest(name = "{0} at {1}, retried {2}")
    @CsvSource({
        "occ, CommitTransaction, true",
        "occ, ExecuteStatement, true",
        "invalid-session, ExecuteStatement, true",
        "transaction-expired, CommitTransaction, false",
        "internal-failure, ExecuteStatement, true",
        "internal-failure, CommitTransaction, true",
        "service-unavailable, StartTransaction, true",
        "capacity-exceeded, ExecuteStatement, true",
        "rate-exceeded, ExecuteStatement, false",
        "limit-exceeded, StartTransaction, false",
        "drop-before, ExecuteStatement, true",
    })
    void theDriverRetriesWhatTheServiceMayRecoverFrom(String kind, String command, boolean retried) throws Exception {
        try (QldbDriver fresh = Emulator.newDriver(ledger)) {
            Emulator.addFault("{\"kind\": \"" + kind + "\", \"commands\": [\"" + command + "\"], \"ledger\": \""
                    + ledger + "\", \"count\": 2}");
            AtomicInteger attempts = new AtomicInteger();
            Runnable work = () -> fresh.execute(t -> {
                attempts.incrementAndGet();
                t.execute("INSERT INTO " + table + " ?", ion("{a: 1}"));
            });
            if (retried) {
                work.run();
                assertEquals(command.equals("StartTransaction") ? 1 : 3, attempts.get());
            } else {
                assertThrows(SdkException.class, work::run);
            }
            Emulator.clearFaults();
            assertEquals(retried ? 1 : 0, Emulator.run(fresh, "SELECT * FROM " + table).size());
        }
    }

    @DisabledIfEnvironmentVariable(named = "QLDB_CLUSTER_DATABASE", matches = ".+", disabledReason = ONE_SERVER)
    @Test
    void aCommitWhoseAnswerIsLostIsDoneAgain() throws Exception {
        Emulator.addFault("{\"kind\": \"drop-after\", \"ledger\": \"" + ledger + "\", \"count\": 1, \"statement\": \"^INSERT\"}");
        try (QldbDriver fresh = Emulator.newDriver(ledger)) {
            Emulator.run(fresh, "INSERT INTO " + table + " ?", ion("{a: 1}"));
        }
        // The driver repeats after a lost connection, so what is not idempotent happens twice: as it did with QLDB.
        assertEquals(2, Emulator.run(driver, "SELECT * FROM " + table).size());
    }

    // --- control plane --------------------------------------------------------------------------------------

    @Test
    void theControlPlanesErrorsHaveTheirClasses() {
        try (QldbClient client = Emulator.control(Emulator.ENDPOINT)) {
            assertThrows(ResourceNotFoundException.class, () -> client.describeLedger(r -> r.name("nowhere")));
            assertThrows(ResourceAlreadyExistsException.class,
                    () -> client.createLedger(r -> r.name(ledger).permissionsMode("ALLOW_ALL")));
            client.createLedger(r -> r.name("java-protected").permissionsMode("STANDARD"));
            assertThrows(ResourcePreconditionNotMetException.class, () -> client.deleteLedger(r -> r.name("java-protected")));
            assertEquals("ACTIVE", client.describeLedger(r -> r.name("java-protected")).stateAsString());
            client.updateLedger(r -> r.name("java-protected").deletionProtection(false));
            client.deleteLedger(r -> r.name("java-protected"));
        }
    }

    // --- load -----------------------------------------------------------------------------------------------

    @Test
    void sixteenThreadsMeetNothingUnexpected() throws Exception {
        String own = Emulator.newLedger(Emulator.ENDPOINT);
        ExecutorService threads = Executors.newFixedThreadPool(16);
        try (QldbDriver busy = Emulator.builder(Emulator.ENDPOINT, own)
                .transactionRetryPolicy(RetryPolicy.maxRetries(100)).build()) {
            Emulator.run(busy, "CREATE TABLE Busy");
            Emulator.run(busy, "CREATE INDEX ON Busy (k)");
            for (int k = 0; k < 8; k++) {
                Emulator.run(busy, "INSERT INTO Busy ?", ion("{k: " + k + ", n: 0}"));
            }
            long until = System.nanoTime() + (long) (SECONDS * 1e9);
            AtomicIntegerArray done = new AtomicIntegerArray(8);
            List<Future<?>> workers = new ArrayList<>();
            for (int worker = 0; worker < 16; worker++) {
                int start = worker;
                workers.add(threads.submit(() -> {
                    for (int k = start % 8; System.nanoTime() < until; k = (k + 1) % 8) {
                        IonValue key = Emulator.ION.newInt(k);
                        busy.execute(t -> {
                            Emulator.rows(t, "SELECT VALUE n FROM Busy WHERE k = ?", key);
                            t.execute("UPDATE Busy SET n = n + 1 WHERE k = ?", key);
                        });
                        done.incrementAndGet(k);
                    }
                }));
            }
            for (Future<?> worker : workers) {
                worker.get();
            }
            for (int k = 0; k < 8; k++) {
                IonValue n = Emulator.run(busy, "SELECT VALUE n FROM Busy WHERE k = ?", Emulator.ION.newInt(k)).get(0);
                assertNotEquals(0, number(n));
                assertEquals(done.get(k), number(n));
            }
        } finally {
            threads.shutdownNow();
        }
    }
}
