import { writeFileSync } from 'node:fs';
import { crc32, deflateRawSync } from 'node:zlib';

/** Writes a zip archive, its files deflated or as they are. */
export function writeZip(archive: string, files: Readonly<Record<string, string>>, deflated = true): void {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [path, text] of Object.entries(files)) {
    const name = Buffer.from(path);
    const raw = Buffer.from(text);
    const packed = deflated ? deflateRawSync(raw) : raw;
    // From the method to the lengths of name and extra field: the same in both headers.
    const common = Buffer.alloc(22);
    common.writeUInt16LE(deflated ? 8 : 0, 0);
    common.writeUInt32LE(crc32(raw), 6);
    common.writeUInt32LE(packed.length, 10);
    common.writeUInt32LE(raw.length, 14);
    common.writeUInt16LE(name.length, 18);
    parts.push(Buffer.from('PK\x03\x04\x14\x00\x00\x00', 'latin1'), common, name, packed);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x00\x14\x00\x00\x00', 'latin1'), common, rest, name);
    at += 30 + name.length + packed.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(Object.keys(files).length, 8);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(at, 16);
  writeFileSync(archive, Buffer.concat([...parts, central, end]));
}
