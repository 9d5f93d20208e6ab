/**
 * Plays transactions as told on standard input, one step a line, each done before the next:
 * "begin P", "send P PARTITION KEY VALUE", "commit P", "abort P", with P the producer's number.
 * Arguments: bootstrap servers, topic, codec.
 */
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

public class TransactionScript {
  public static void main(String[] arguments) throws Exception {
    var producers = new HashMap<String, KafkaProducer<String, String>>();
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      String[] step = line.split(" ");
      var producer = producers.computeIfAbsent(step[1], (id) -> open(arguments, id));
      switch (step[0]) {
        case "begin" -> producer.beginTransaction();
        case "send" -> {
          int partition = Integer.parseInt(step[2]);
          producer.send(new ProducerRecord<>(arguments[1], partition, step[3], step[4])).get();
        }
        case "commit" -> producer.commitTransaction();
        case "abort" -> producer.abortTransaction();
        default -> throw new IllegalArgumentException(line);
      }
    }
    for (var producer : producers.values()) producer.close();
  }

  private static KafkaProducer<String, String> open(String[] arguments, String id) {
    var settings = new Properties();
    settings.putAll(Map.of(
      "bootstrap.servers", arguments[0],
      "transactional.id", "script-" + arguments[1] + "-" + id,
      "compression.type", arguments[2],
      "linger.ms", 0
    ));
    var text = new StringSerializer();
    var producer = new KafkaProducer<>(settings, text, text);
    producer.initTransactions();
    return producer;
  }
}
