package lull.race;

import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.CompressionType;
import org.rocksdb.Filter;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import org.rocksdb.WriteBufferManager;

/** RocksDB as one would set it for many small stores: memory bounded for all of them together. */
public final class TunedRocksDb implements RocksDBConfigSetter {
    private static final long CACHE_BYTES = Long.getLong("race.blockCacheBytes", 64L << 20);
    private static final long WRITE_BYTES = Long.getLong("race.writeBufferBytes", 64L << 20);
    private static final Cache CACHE = new LRUCache(CACHE_BYTES + WRITE_BYTES);
    private static final WriteBufferManager BUFFERS = new WriteBufferManager(WRITE_BYTES, CACHE);
    private static final Filter FILTER = new BloomFilter(10);

    @Override
    public void setConfig(String store, Options options, Map<String, Object> settings) {
        BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
        table.setBlockCache(CACHE);
        table.setCacheIndexAndFilterBlocks(true);
        table.setPinTopLevelIndexAndFilter(true);
        table.setFilterPolicy(FILTER);
        table.setBlockSize(4096);
        options.setTableFormatConfig(table);
        options.setWriteBufferManager(BUFFERS);
        options.setWriteBufferSize(Long.getLong("race.memtableBytes", 8L << 20));
        options.setMaxWriteBufferNumber(3);
        options.setCompressionType(CompressionType.NO_COMPRESSION);
        options.setMaxBackgroundJobs(2);
    }

    /** What is shared by all stores stays open with the process. */
    @Override
    public void close(String store, Options options) {}
}
