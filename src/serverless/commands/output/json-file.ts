import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CommandError } from '../command-error.ts';

const OWNER_ONLY = 0o600;

/**
 * Writes a value as indented JSON, and makes the folders above the file.
 * @param option what named the file, for the error message
 * @param options `private`: only the file's owner may read it
 * @throws CommandError where it cannot be written
 */
export function writeJsonFile(option: string, file: string, value: unknown, options: { readonly private?: boolean } = {}): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    // The mode counts only where the file is new; so it is set again, before there is anything to read.
    if (options.private) {
      writeFileSync(file, '', { mode: OWNER_ONLY });
      chmodSync(file, OWNER_ONLY);
    }
    writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw new CommandError(`${option}: expected a file that can be written, got ${file}${reason}`, { cause: error });
  }
}
