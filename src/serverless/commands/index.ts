import { adoptCommand } from './adopt/command.ts';
import type { Command, CommandOption } from './command.ts';
import { shownError } from './command-error.ts';
import type { CommandContext } from './context.ts';
import { deadLettersCommand } from './dead-letters/command.ts';
import { doctorCommand } from './doctor/command.ts';
import { eventCommand } from './event/command.ts';
import { initCommand } from './init/command.ts';
import { localCommand } from './local/command.ts';
import { logsCommand } from './logs/command.ts';
import { flagOption } from './options.ts';
import { queuesCommand } from './queues/command.ts';
import { sendCommand } from './send/command.ts';

const COMMANDS: Readonly<Record<string, Command>> = {
  init: initCommand,
  local: localCommand,
  event: eventCommand,
  send: sendCommand,
  logs: logsCommand,
  'dead-letters': deadLettersCommand,
  doctor: doctorCommand,
  queues: queuesCommand,
  adopt: adoptCommand,
};

const JSON_OPTION: CommandOption = { usage: 'Print JSON, and nothing else, to stdout', type: 'boolean' };

/** The commands in the deploy tool's own terms: `serverless durable …`. */
export const durableCommands = {
  durable: {
    usage: 'Begin a service, run it on this machine, make events, send tasks, read logs, look at queues and dead letters',
    type: 'container',
    commands: Object.fromEntries(
      Object.entries(COMMANDS).map(([name, { usage, options }]) => [
        name,
        { usage, options: { ...options, json: JSON_OPTION }, lifecycleEvents: ['run'] },
      ]),
    ),
  },
} as const;

/** The hooks that run the commands. `context` is called when a command runs. */
export function commandHooks(context: () => CommandContext): Record<string, () => Promise<void>> {
  return Object.fromEntries(
    Object.entries(COMMANDS).map(([name, command]) => [`durable:${name}:run`, () => runCommand(command, context())]),
  );
}

async function runCommand(command: Command, context: CommandContext): Promise<void> {
  try {
    await command.run(context);
  } catch (error) {
    const shown = shownError(error, flagOption(context.options, 'local'));
    if (!flagOption(context.options, 'json') || !isForUser(shown)) throw shown;
    // The deploy tool prints errors to stdout, which holds nothing but JSON here.
    context.writeError(`${shown.message}\n`);
    context.setExitCode(1);
  }
}

/** An error of ours or of the deploy tool: the user sees its message only. */
function isForUser(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ServerlessError';
}
