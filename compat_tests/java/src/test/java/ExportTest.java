import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.amazon.ion.IonStruct;
import com.amazon.ion.IonValue;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Exports of a ledger in which every kind of transaction occurs; QLDB_EXPORTS says where they are. */
class ExportTest {
    private static final Path EXPORTS = Path.of(System.getenv("QLDB_EXPORTS"));

    private static List<IonStruct> values(String format) throws IOException {
        List<IonStruct> values = new ArrayList<>();
        List<Path> files;
        try (Stream<Path> found = Files.walk(EXPORTS.resolve(format))) {
            files = found.filter(path -> path.toString().endsWith(".ion")).collect(Collectors.toList());
        }
        files.sort((a, b) -> Long.compare(first(a), first(b)));
        for (Path file : files) {
            Iterator<IonValue> iterator = Journal.ION.iterate(Files.newInputStream(file));
            while (iterator.hasNext()) {
                values.add((IonStruct) iterator.next());
            }
        }
        return values;
    }

    private static long first(Path file) {
        String range = file.getFileName().toString().split("\\.")[1];
        return Long.parseLong(range.split("-")[0]);
    }

    private static List<Journal.Block> blocks(String format) throws IOException {
        List<Journal.Block> blocks = new ArrayList<>();
        for (IonStruct value : values(format)) {
            blocks.add(Journal.MAPPER.readValue(value, Journal.Block.class));
        }
        return blocks;
    }

    @ParameterizedTest
    @ValueSource(strings = {"ION_TEXT", "ION_BINARY"})
    void everyBlockIsMappedStrictlyAndHoldsWithin(String format) throws IOException {
        List<String> problems = new ArrayList<>();
        for (Journal.Block block : blocks(format)) {
            for (String problem : block.problems()) {
                problems.add(block.blockAddress + ": " + problem);
            }
        }
        assertEquals(List.of(), problems);
    }

    @ParameterizedTest
    @ValueSource(strings = {"ION_TEXT", "ION_BINARY"})
    void theBlocksAreAChainAndLeadToTheDigest(String format) throws IOException {
        List<byte[]> hashes = new ArrayList<>();
        byte[] previous = new byte[0];
        long expected = 0;
        for (Journal.Block block : blocks(format)) {
            assertEquals(expected++, block.blockAddress.sequenceNo);
            assertArrayEquals(previous, block.previousBlockHash);
            previous = block.blockHash;
            hashes.add(previous);
        }
        String digest = Files.readString(EXPORTS.resolve("digest.txt")).trim();
        assertEquals(digest, Base64.getEncoder().encodeToString(Journal.merkle(hashes)));
    }

    @Test
    void everyKindOfTransactionIsAmongThem() throws IOException {
        List<Journal.Block> blocks = blocks("ION_TEXT");
        assertTrue(blocks.stream().anyMatch(b -> b.transactionInfo.statements == null), "genesis");
        assertTrue(blocks.stream().anyMatch(b -> b.redactionInfo != null), "redaction");
        assertTrue(blocks.stream().anyMatch(b -> b.revisions == null && b.transactionInfo.statements != null), "read");
        Stream<Journal.Revision> revisions =
                blocks.stream().filter(b -> b.revisions != null).flatMap(b -> b.revisions.stream());
        List<Journal.Revision> all = revisions.collect(Collectors.toList());
        assertTrue(all.stream().anyMatch(r -> r.metadata == null), "DDL");
        assertTrue(all.stream().anyMatch(r -> r.data != null && r.metadata.version == 0), "insert");
        assertTrue(all.stream().anyMatch(r -> r.data != null && r.metadata.version > 0), "update");
        assertTrue(all.stream().anyMatch(r -> r.dataHash != null), "redacted");
        assertTrue(
                all.stream().anyMatch(r -> r.metadata != null && r.data == null && r.dataHash == null), "deletion");
    }

    @Test
    void aFieldThatIsNotDocumentedWouldBeRefused() throws IOException {
        IonStruct block = values("ION_TEXT").get(0).clone();
        block.put("extra").newInt(1);
        assertThrows(
                UnrecognizedPropertyException.class, () -> Journal.MAPPER.readValue(block, Journal.Block.class));
    }

    @Test
    void aChangedValueWouldBeFound() throws IOException {
        for (IonStruct value : values("ION_TEXT")) {
            Journal.Block block = Journal.MAPPER.readValue(value, Journal.Block.class);
            block.entriesHash = Journal.sha256(block.entriesHash);
            assertFalse(block.problems().isEmpty());
        }
    }
}
