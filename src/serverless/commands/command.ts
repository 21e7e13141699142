import type { CommandContext } from './context.ts';

/** One `sls durable …` command: what `--help` says of it, and what it does. */
export interface Command {
  readonly usage: string;
  readonly options: Readonly<Record<string, CommandOption>>;
  run(context: CommandContext): Promise<void>;
}

/** The deploy tool gives every value as the text that was typed: a command reads its numbers itself. */
export interface CommandOption {
  readonly usage: string;
  readonly type: 'string' | 'boolean';
  /** One letter: `f` for `-f`. */
  readonly shortcut?: string;
}
