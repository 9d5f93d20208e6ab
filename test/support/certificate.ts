/** Certificates that sign themselves, for servers and clients of tests. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Certificate {
  /** PEM files: of the certificate, of its key, and of both in one. */
  readonly certificate: string;
  readonly key: string;
  readonly both: string;
}

/** Makes one in the folder, for these names (`IP:127.0.0.1`, `DNS:localhost`). */
export async function makeCertificate(
  folder: string,
  name: string,
  alternativeNames: readonly string[],
): Promise<Certificate> {
  const file = (ending: string) => join(folder, `${name}.${ending}`);
  const files = { certificate: file('crt'), key: file('key'), both: file('pem') };
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`],
    ...['-addext', `subjectAltName=${alternativeNames.join(',')}`],
    ...['-keyout', files.key, '-out', files.certificate],
  ]);
  const parts = await Promise.all([files.key, files.certificate].map((path) => readFile(path)));
  await writeFile(files.both, Buffer.concat(parts), { mode: 0o600 });
  return files;
}
