import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CommandError } from '../command-error.ts';

/**
 * Writes a value as indented JSON, and makes the folders above the file.
 * @param option what named the file, for the error message
 * @throws CommandError where it cannot be written
 */
export function writeJsonFile(option: string, file: string, value: unknown): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw new CommandError(`${option}: expected a file that can be written, got ${file}${reason}`, { cause: error });
  }
}
