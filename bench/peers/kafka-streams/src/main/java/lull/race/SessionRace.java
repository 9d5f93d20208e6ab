package lull.race;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindowedKStream;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.Suppressed.BufferConfig;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.SessionStore;

/**
 * Sessions of user events by Kafka Streams: 30 minutes of inactivity, 5 of grace, exactly once,
 * RocksDB with a changelog. Runs until it is told to end (SIGTERM), then says how many events it
 * dropped as late. Every parameter is a system property, so that a tuning run needs no build.
 */
public final class SessionRace {
    private static final Duration GAP = Duration.ofMinutes(30);
    private static final Duration GRACE = Duration.ofMinutes(5);

    private SessionRace() {}

    public static void main(String[] arguments) throws InterruptedException {
        KafkaStreams streams = new KafkaStreams(topology(), settings());
        CountDownLatch ended = new CountDownLatch(1);
        streams.setStateListener((now, before) -> {
            System.out.println("{\"state\":\"" + now + "\"}");
            if (now == KafkaStreams.State.ERROR) ended.countDown();
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            System.out.println("{\"dropped\":" + droppedEvents(streams) + "}");
            System.out.flush();
            streams.close(Duration.ofSeconds(20));
            ended.countDown();
        }));
        streams.start();
        ended.await();
    }

    static Topology topology() {
        Serde<byte[]> bytes = Serdes.ByteArray();
        StreamsBuilder builder = new StreamsBuilder();
        SessionWindowedKStream<byte[], byte[]> windowed = builder
            .stream(text("input"), Consumed.with(bytes, bytes)
                .withTimestampExtractor(new TimeInValue()))
            .groupByKey(Grouped.with(bytes, bytes))
            .windowedBy(SessionWindows.ofInactivityGapAndGrace(GAP, GRACE));
        boolean suppressed = text("variant").equals("suppress");
        if (!suppressed) windowed = windowed.emitStrategy(EmitStrategy.onWindowClose());
        KTable<Windowed<byte[]>, Long> sessions = windowed.count(store());
        if (suppressed) {
            sessions = sessions.suppress(
                Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName("closed"));
        }
        sessions.toStream()
            .filter((session, count) -> count != null)
            .map((session, count) -> KeyValue.pair(session.key(), figures(session, count)))
            .to(text("output"), Produced.with(bytes, bytes));
        Properties optimized = new Properties();
        optimized.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
        return builder.build(optimized);
    }

    private static Materialized<byte[], Long, SessionStore<Bytes, byte[]>> store() {
        Materialized<byte[], Long, SessionStore<Bytes, byte[]>> store =
            Materialized.<byte[], Long, SessionStore<Bytes, byte[]>>as("sessions")
                .withKeySerde(Serdes.ByteArray())
                .withValueSerde(Serdes.Long())
                .withRetention(Duration.ofMillis(number("retentionMs")))
                .withLoggingEnabled(Map.of(
                    // Its records carry event time; a broker would delete them by that at once.
                    TopicConfig.RETENTION_MS_CONFIG, "-1",
                    TopicConfig.SEGMENT_BYTES_CONFIG, String.valueOf(64 << 20)));
        return number("cacheBytes") == 0
            ? store.withCachingDisabled()
            : store.withCachingEnabled();
    }

    /** Start, end (last event) and count of a closed session: its key is the user's. */
    private static byte[] figures(Windowed<byte[]> session, long count) {
        return ByteBuffer.allocate(24)
            .putLong(session.window().start())
            .putLong(session.window().end())
            .putLong(count)
            .array();
    }

    private static Properties settings() {
        Map<String, Object> all = new HashMap<>();
        all.put(StreamsConfig.APPLICATION_ID_CONFIG, text("application"));
        all.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, text("bootstrap"));
        all.put(StreamsConfig.STATE_DIR_CONFIG, text("stateDir"));
        all.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        all.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, text("threads"));
        all.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, text("commitMs"));
        all.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        if (text("tuned").equals("true")) tune(all);
        Properties settings = new Properties();
        settings.putAll(all);
        return settings;
    }

    private static void tune(Map<String, Object> all) {
        all.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
        all.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, number("cacheBytes"));
        all.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 20_000);
        all.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, TunedRocksDb.class);
        all.put(StreamsConfig.ENABLE_METRICS_PUSH_CONFIG, false);
        // Closed sessions are looked for at most this often; the default is a second.
        all.put(StreamsConfig.InternalConfig.EMIT_INTERVAL_MS_KSTREAMS_WINDOWED_AGGREGATION,
            number("emitMs"));
        consumer(all, ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 10_000);
        consumer(all, ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 2 << 20);
        consumer(all, ConsumerConfig.FETCH_MAX_BYTES_CONFIG, 16 << 20);
        consumer(all, ConsumerConfig.RECEIVE_BUFFER_CONFIG, 1 << 20);
        consumer(all, ConsumerConfig.CHECK_CRCS_CONFIG, false);
        producer(all, ProducerConfig.LINGER_MS_CONFIG, 100);
        producer(all, ProducerConfig.BATCH_SIZE_CONFIG, 512 << 10);
        producer(all, ProducerConfig.BUFFER_MEMORY_CONFIG, 64L << 20);
        producer(all, ProducerConfig.COMPRESSION_TYPE_CONFIG, text("compression"));
        producer(all, ProducerConfig.SEND_BUFFER_CONFIG, 1 << 20);
    }

    private static void consumer(Map<String, Object> all, String name, Object value) {
        all.put(StreamsConfig.mainConsumerPrefix(name), value);
    }

    private static void producer(Map<String, Object> all, String name, Object value) {
        all.put(StreamsConfig.producerPrefix(name), value);
    }

    private static long droppedEvents(KafkaStreams streams) {
        double dropped = 0;
        for (var metric : streams.metrics().values()) {
            if (!metric.metricName().name().equals("dropped-records-total")) continue;
            if (metric.metricValue() instanceof Double value) dropped += value;
        }
        return Math.round(dropped);
    }

    private static String text(String name) {
        String value = System.getProperty("race." + name);
        if (value == null) throw new IllegalArgumentException("-Drace." + name + " is missing");
        return value;
    }

    private static long number(String name) {
        return Long.parseLong(text(name));
    }
}
