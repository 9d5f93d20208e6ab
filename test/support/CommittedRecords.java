/**
 * Prints "KEY=VALUE" of each committed record of a partition, from its first to its last stable
 * offset. Arguments: bootstrap servers, topic, partition.
 */
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

public class CommittedRecords {
  public static void main(String[] arguments) throws Exception {
    Map<String, Object> settings = Map.of(
      "bootstrap.servers", arguments[0],
      "isolation.level", "read_committed"
    );
    var partition = new TopicPartition(arguments[1], Integer.parseInt(arguments[2]));
    var text = new StringDeserializer();
    var output = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    try (var consumer = new KafkaConsumer<>(settings, text, text)) {
      consumer.assign(List.of(partition));
      consumer.seekToBeginning(List.of(partition));
      long end = consumer.endOffsets(List.of(partition)).get(partition);
      while (consumer.position(partition) < end) {
        for (var record : consumer.poll(Duration.ofMillis(100))) {
          output.append(record.key()).append('=').append(record.value()).append('\n');
        }
      }
    }
    output.flush();
  }
}
