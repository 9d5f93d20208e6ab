/** The part of rocksdb-native that is used here; the package carries no types of its own. */
declare module 'rocksdb-native' {
  export interface Options {
    maxBackgroundJobs?: number;
    maxOpenFiles?: number;
    walRecoveryMode?: number;
    writeBufferSize?: number;
    maxWriteBufferNumber?: number;
  }

  /** Bounds by key, in byte order. */
  export interface Range {
    gte: Uint8Array;
    lt: Uint8Array;
  }

  export interface ReadBatch {
    /** Rejects, as `flush` does, when the key can't be read. */
    get(key: Uint8Array): Promise<Buffer | null>;
    flush(): Promise<void>;
  }

  /** Keys and values must stay as they are until `flush` has resolved: they are not copied. */
  export interface WriteBatch {
    tryPut(key: Uint8Array, value: Uint8Array): void;
    tryDelete(key: Uint8Array): void;
    tryDeleteRange(start: Uint8Array, end: Uint8Array): void;
    flush(): Promise<void>;
  }

  export interface BatchOptions {
    /** Operations that there is room for from the start. */
    capacity?: number;
    autoDestroy?: boolean;
  }

  // biome-ignore lint/style/noDefaultExport: it is how the package exports it
  export default class RocksDB {
    static constants: { walRecoveryMode: { POINT_IN_TIME: number } };

    constructor(path: string, options?: Options);
    ready(): Promise<void>;
    close(): Promise<void>;
    flush(): Promise<void>;
    read(options?: BatchOptions): ReadBatch;
    write(options?: BatchOptions): WriteBatch;
    iterator(
      range: Range,
      options?: { limit?: number; capacity?: number },
    ): AsyncIterable<{ key: Buffer; value: Buffer }>;
    /** `path` is relative to the database's folder, beginning with a slash. */
    currentWalFile(): Promise<{ path: string; number: number }>;
  }
}
