package lull.race;

import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.streams.processor.TimestampExtractor;

/**
 * Event time out of an event's JSON, by its bytes: no text and no object is made. The user is the
 * record's key, so that this is the only field to look for.
 */
public final class TimeInValue implements TimestampExtractor {
    private static final byte[] FIELD = "\"timestamp\":\"".getBytes();
    private static final long DAY_MS = 86_400_000;

    @Override
    public long extract(ConsumerRecord<Object, Object> record, long partitionTime) {
        byte[] json = (byte[]) record.value();
        int last = json.length - FIELD.length - 24;
        for (int at = 0; at <= last; at++) {
            if (json[at] == '"' && isField(json, at)) return time(json, at + FIELD.length);
        }
        return -1;
    }

    private static boolean isField(byte[] json, int at) {
        for (int index = 1; index < FIELD.length; index++) {
            if (json[at + index] != FIELD[index]) return false;
        }
        return true;
    }

    /** Of 2026-11-23T10:00:00.000Z. */
    static long time(byte[] json, int at) {
        long days = daysFromCivil(digits(json, at, 4), digits(json, at + 5, 2),
            digits(json, at + 8, 2));
        int seconds = digits(json, at + 11, 2) * 3600 + digits(json, at + 14, 2) * 60
            + digits(json, at + 17, 2);
        return days * DAY_MS + seconds * 1000L + digits(json, at + 20, 3);
    }

    private static int digits(byte[] json, int at, int count) {
        int value = 0;
        for (int index = at; index < at + count; index++) value = value * 10 + json[index] - '0';
        return value;
    }

    /** Days since 1970 (H. Hinnant, "chrono-compatible low-level date algorithms"). */
    private static long daysFromCivil(int year, int month, int day) {
        int y = month <= 2 ? year - 1 : year;
        int era = y / 400;
        int yearOfEra = y - era * 400;
        int dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
        int dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
        return era * 146_097L + dayOfEra - 719_468;
    }
}
