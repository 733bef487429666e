import com.amazon.ion.IonReader;
import com.amazon.ion.IonStruct;
import com.amazon.ion.IonSystem;
import com.amazon.ion.IonValue;
import com.amazon.ion.system.IonReaderBuilder;
import com.amazon.ion.system.IonSystemBuilder;
import com.amazon.ionhash.IonHashReader;
import com.amazon.ionhash.IonHashReaderBuilder;
import com.amazon.ionhash.MessageDigestIonHasherProvider;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import com.fasterxml.jackson.databind.annotation.JsonSerialize;
import com.fasterxml.jackson.dataformat.ion.IonTimestampDeserializers.IonTimestampJavaDateDeserializer;
import com.fasterxml.jackson.dataformat.ion.IonTimestampSerializers.IonTimestampJavaDateSerializer;
import com.fasterxml.jackson.dataformat.ion.ionvalue.IonValueMapper;
import java.io.IOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.List;
import java.util.Map;

/**
 * A journal block as a Java program maps it: by the documented field names and no other, times as dates.
 *
 * <p>Structs are hashed after they went through these classes, so a field that is missing here, a time with another
 * precision, or an int that is a decimal changes the hash.
 */
final class Journal {
    static final IonSystem ION = IonSystemBuilder.standard().build();
    static final IonValueMapper MAPPER = mapper();

    private Journal() {}

    private static IonValueMapper mapper() {
        IonValueMapper mapper = new IonValueMapper(ION);
        mapper.configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, true);
        mapper.disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS); // as Ion timestamps, not as numbers
        mapper.setCreateBinaryWriters(true);
        return mapper;
    }

    @JsonPropertyOrder({"strandId", "sequenceNo"})
    static final class Address {
        public String strandId;
        public long sequenceNo;

        @Override
        public String toString() {
            return strandId + "/" + sequenceNo;
        }
    }

    @JsonInclude(JsonInclude.Include.NON_NULL)
    static final class Statement {
        public String statement;

        @JsonSerialize(using = IonTimestampJavaDateSerializer.class)
        @JsonDeserialize(using = IonTimestampJavaDateDeserializer.class)
        public Date startTime;

        public byte[] statementDigest;
    }

    @JsonInclude(JsonInclude.Include.NON_NULL)
    static final class Document {
        public String tableName;
        public String tableId;
        public List<Integer> statements;
    }

    @JsonInclude(JsonInclude.Include.NON_NULL)
    static final class TransactionInfo {
        public List<Statement> statements;
        public Map<String, Document> documents;
    }

    @JsonInclude(JsonInclude.Include.NON_NULL)
    static final class Redaction {
        public Address blockAddress;
        public String tableId;
        public String documentId;
        public int version;
    }

    @JsonInclude(JsonInclude.Include.NON_NULL)
    static final class RedactionInfo {
        public List<Redaction> revisions;
    }

    @JsonInclude(JsonInclude.Include.NON_NULL)
    static final class Metadata {
        public String id;
        public long version;

        @JsonSerialize(using = IonTimestampJavaDateSerializer.class)
        @JsonDeserialize(using = IonTimestampJavaDateDeserializer.class)
        public Date txTime;

        public String txId;
    }

    static final class Revision {
        public Address blockAddress;
        public byte[] hash;
        public IonStruct data;
        public byte[] dataHash;
        public Metadata metadata;

        /** The hash that follows from the rest; of a system revision, of which nothing else is there, the hash itself. */
        byte[] computedHash() throws IOException {
            if (metadata == null) {
                return hash;
            }
            byte[] content = dataHash;
            if (content == null) {
                // A deletion has no data: what remains is the digest over nothing.
                content = data == null ? sha256() : ionHash(data);
            }
            return dot(ionHash(metadata), content);
        }
    }

    static final class Block {
        public Address blockAddress;
        public String transactionId;

        @JsonDeserialize(using = IonTimestampJavaDateDeserializer.class)
        public Date blockTimestamp;

        public byte[] blockHash;
        public byte[] entriesHash;
        public byte[] previousBlockHash;
        public List<byte[]> entriesHashList;
        public TransactionInfo transactionInfo;
        public RedactionInfo redactionInfo;
        public List<Revision> revisions;

        /** What is wrong with the block. */
        List<String> problems() throws IOException {
            List<String> problems = new ArrayList<>();
            if (transactionInfo == null) {
                problems.add("no transactionInfo");
            } else if (!isEntry(ionHash(transactionInfo))) {
                problems.add("transactionInfo is not among the entries");
            }
            if (redactionInfo != null && !isEntry(ionHash(redactionInfo))) {
                problems.add("redactionInfo is not among the entries");
            }
            if (revisions != null) {
                List<byte[]> hashes = new ArrayList<>();
                for (Revision revision : revisions) {
                    hashes.add(revision.hash);
                    if (!Arrays.equals(revision.hash, revision.computedHash())) {
                        problems.add("the hash of a revision of " + revision.metadata.id);
                    }
                }
                if (!isEntry(merkle(hashes))) {
                    problems.add("the revisions are not among the entries");
                }
            }
            if (!Arrays.equals(entriesHash, merkle(entriesHashList))) {
                problems.add("entriesHash");
            }
            if (!Arrays.equals(blockHash, dot(entriesHash, previousBlockHash))) {
                problems.add("blockHash");
            }
            return problems;
        }

        private boolean isEntry(byte[] hash) {
            return entriesHashList.stream().anyMatch(entry -> Arrays.equals(entry, hash));
        }
    }

    static byte[] ionHash(Object value) throws IOException {
        return ionHash(MAPPER.writeValueAsBytes(value));
    }

    static byte[] ionHash(IonValue value) throws IOException {
        IonReader reader = IonReaderBuilder.standard().build(value);
        return digest(reader);
    }

    private static byte[] ionHash(byte[] ion) throws IOException {
        return digest(IonReaderBuilder.standard().build(ion));
    }

    private static byte[] digest(IonReader reader) throws IOException {
        try (IonHashReader hashing =
                IonHashReaderBuilder.standard()
                        .withHasherProvider(new MessageDigestIonHasherProvider("SHA-256"))
                        .withReader(reader)
                        .build()) {
            hashing.next();
            hashing.next();
            return hashing.digest();
        }
    }

    /** The hash of two hashes: the smaller first, compared as signed bytes from the last to the first. */
    static byte[] dot(byte[] left, byte[] right) {
        if (left.length == 0 || right.length == 0) {
            return left.length == 0 ? right : left;
        }
        for (int i = left.length - 1; i >= 0; i--) {
            if (left[i] != right[i]) {
                return left[i] < right[i] ? sha256(left, right) : sha256(right, left);
            }
        }
        return sha256(left, right);
    }

    static byte[] merkle(List<byte[]> hashes) {
        List<byte[]> level = hashes;
        while (level.size() > 1) {
            List<byte[]> above = new ArrayList<>();
            for (int i = 0; i + 1 < level.size(); i += 2) {
                above.add(dot(level.get(i), level.get(i + 1)));
            }
            if (level.size() % 2 == 1) {
                above.add(level.get(level.size() - 1));
            }
            level = above;
        }
        return level.isEmpty() ? new byte[0] : level.get(0);
    }

    static byte[] sha256(byte[]... parts) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (byte[] part : parts) {
                digest.update(part);
            }
            return digest.digest();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
