/** The codecs of record batches, by the number that a batch's attributes give them. */
import { compressionsAlgorithms } from '@platformatic/kafka';

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

const BY_NUMBER: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

export function compressionNumber(compression: Compression): number {
  return BY_NUMBER.indexOf(compression);
}

export function compress(compression: Compression, bytes: Buffer): Buffer {
  return compressionsAlgorithms[compression].compressSync(bytes);
}

/** Throws when the bytes are not what the codec wrote, or the codec isn't known. */
export function decompress(number: number, bytes: Buffer): Buffer {
  const compression = BY_NUMBER[number];
  if (compression === undefined) throw new RangeError(`no codec has the number ${number}`);
  return compressionsAlgorithms[compression].decompressSync(bytes);
}
