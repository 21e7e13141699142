import { CommandError } from './command-error.ts';
import type { CommandContext } from './context.ts';

type Options = CommandContext['options'];

/** A text; undefined where the option was not given. */
export function textOption(options: Options, name: string): string | undefined {
  const value = options[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string' || value === '') throw new CommandError(`--${name}: expected a text, got nothing`);
  return value;
}

export function flagOption(options: Options, name: string): boolean {
  return options[name] === true;
}

/** An integer; undefined where the option was not given. @param maximum inclusive */
export function integerOption(options: Options, name: string, minimum: number, maximum: number): number | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < minimum || value > maximum)
    throw new CommandError(`--${name}: expected an integer from ${minimum} to ${maximum}, got "${text}"`);
  return value;
}

/** A number of seconds above 0, fractions allowed. */
export function secondsOption(options: Options, name: string): number | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new CommandError(`--${name}: expected a number of seconds above 0, got "${text}"`);
  return value;
}
