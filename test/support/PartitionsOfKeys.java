/** Reads keys, one a line, and prints the partition that Kafka's own default partitioner gives. */
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;

public class PartitionsOfKeys {
  public static void main(String[] arguments) throws Exception {
    int partitions = Integer.parseInt(arguments[0]);
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var output = new StringBuilder();
    for (String key = input.readLine(); key != null; key = input.readLine()) {
      byte[] bytes = key.getBytes(StandardCharsets.UTF_8);
      output.append(BuiltInPartitioner.partitionForKey(bytes, partitions)).append('\n');
    }
    System.out.print(output);
  }
}
