/** `log.json`: what a log is, for its whole life; made when the log is new. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { LullError } from '../errors.ts';
import { type Files, readWhole, writeWhole } from './files.ts';
import { parseSegmentName } from './segment.ts';

/** Of the folder's files; rises when older versions can't read what newer ones write. */
const FORMAT = 1;

/** The log's id. Rejects with `data_mismatch` when the log was made with something else. */
export async function readLogId(
  files: Files,
  directory: string,
  name: string,
  partitionCount: number,
): Promise<string> {
  const path = join(directory, 'log.json');
  const bytes = await readWhole(files, path);
  if (bytes === null) {
    const names = await files.list(directory);
    if (names.some((entry) => parseSegmentName(entry) !== null)) {
      throw new LullError('log_corrupt', `${path} is missing`);
    }
    const logId = randomUUID();
    const text = `${JSON.stringify({ format: FORMAT, logId, name, partitionCount })}\n`;
    await writeWhole(files, directory, path, Buffer.from(text));
    return logId;
  }
  const found = parseObject(bytes.toString());
  if (typeof found['logId'] !== 'string') {
    throw new LullError('log_corrupt', `${path} can't be read`);
  }
  for (const [field, wanted] of Object.entries({ format: FORMAT, name, partitionCount })) {
    if (found[field] === wanted) continue;
    throw new LullError('data_mismatch', `${path} has ${field} ${found[field]}, not ${wanted}`);
  }
  return found['logId'];
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
