import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import { inflateRawSync } from 'node:zlib';

/** @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT */
const END = 0x06054b50;
const ENTRY = 0x02014b50;
const STORED = 0;
const DEFLATED = 8;
/** Of the end record, without its comment. */
const END_BYTES = 22;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;

/**
 * Unpacks an archive as Lambda does before it loads a function.
 * @throws RangeError for an archive that Lambda could not have either
 */
export function unzip(archive: string, folder: string): void {
  const bytes = readFileSync(archive);
  for (const { name, read } of entries(bytes)) {
    // A folder; its files make it.
    if (name.endsWith('/')) continue;
    const file = join(folder, normalize(name));
    if (!file.startsWith(folder + sep)) throw new RangeError(`${archive} holds a file outside of itself: ${name}`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, read());
  }
}

function* entries(bytes: Buffer): Generator<{ readonly name: string; readonly read: () => Buffer }> {
  const end = bytes.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
  if (end === -1 || bytes.length < end + END_BYTES || bytes.readUInt32LE(end) !== END) throw new RangeError('expected a zip archive');
  const count = bytes.readUInt16LE(end + 10);
  let at = bytes.readUInt32LE(end + 16);
  for (let index = 0; index < count; index += 1) {
    if (bytes.readUInt32LE(at) !== ENTRY) throw new RangeError('expected the directory of a zip archive');
    const method = bytes.readUInt16LE(at + 10);
    const size = bytes.readUInt32LE(at + 20);
    const nameBytes = bytes.readUInt16LE(at + 28);
    const otherBytes = bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
    const local = bytes.readUInt32LE(at + 42);
    const name = bytes.toString('utf8', at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes);
    yield { name, read: () => contents(bytes, local, method, size, name) };
    at += ENTRY_BYTES + nameBytes + otherBytes;
  }
}

function contents(bytes: Buffer, local: number, method: number, size: number, name: string): Buffer {
  const start = local + LOCAL_BYTES + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
  const packed = bytes.subarray(start, start + size);
  if (method === STORED) return packed;
  if (method === DEFLATED) return inflateRawSync(packed);
  throw new RangeError(`expected ${name} to be stored or deflated, got method ${method}`);
}
