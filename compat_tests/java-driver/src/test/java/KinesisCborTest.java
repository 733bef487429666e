import static org.junit.jupiter.api.Assertions.assertEquals;

import com.amazonaws.ClientConfiguration;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.kinesis.AmazonKinesis;
import com.amazonaws.services.kinesis.AmazonKinesisClientBuilder;
import com.amazonaws.services.kinesis.model.GetRecordsRequest;
import com.amazonaws.services.kinesis.model.Record;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;

/** The Kinesis of --with-aws, read by version 1 of the SDK, which KCL 1 uses: it needs CBOR turned off. */
@EnabledIfEnvironmentVariable(named = "QLDB_AWS_ENDPOINT", matches = ".+", disabledReason = "runs with with_server.py --tls")
class KinesisCborTest {
    @Test
    void withCborDisabledItReadsRecords() throws Exception {
        System.setProperty("com.amazonaws.sdk.disableCbor", "true");
        AmazonKinesis kinesis = AmazonKinesisClientBuilder.standard()
                .withEndpointConfiguration(new EndpointConfiguration(System.getenv("QLDB_AWS_ENDPOINT"), "us-east-1"))
                .withClientConfiguration(new ClientConfiguration().withMaxErrorRetry(0)).build();
        kinesis.createStream("cbor", 1);
        kinesis.putRecord("cbor", ByteBuffer.wrap("hello".getBytes(StandardCharsets.UTF_8)), "key");
        String shard = kinesis.describeStream("cbor").getStreamDescription().getShards().get(0).getShardId();
        String iterator = kinesis.getShardIterator("cbor", shard, "TRIM_HORIZON").getShardIterator();
        List<Record> records = kinesis.getRecords(new GetRecordsRequest().withShardIterator(iterator)).getRecords();
        assertEquals(1, records.size());
        assertEquals("hello", StandardCharsets.UTF_8.decode(records.get(0).getData()).toString());
        kinesis.shutdown();
    }
}
