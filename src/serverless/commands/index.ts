import { CONNECTION_OPTIONS } from './aws/connect.ts';
import { shownError } from './command-error.ts';
import type { CommandContext } from './context.ts';
import { deadLettersCommand } from './dead-letters/command.ts';
import { doctorCommand } from './doctor/command.ts';
import { eventCommand } from './event/command.ts';
import { localCommand } from './local/command.ts';
import { flagOption } from './options.ts';
import { queuesCommand } from './queues/command.ts';

const JSON_OPTION = { json: { usage: 'Print JSON', type: 'boolean' } } as const;
const STEP_OPTIONS = {
  step: { usage: 'Name of a step', type: 'string' },
  partition: { usage: 'Partition of the step, where it has several', type: 'string' },
} as const;

/** The commands as the deploy tool wants them: `serverless durable …`. */
export const durableCommands = {
  durable: {
    usage: 'Run durable steps locally, make events, look at queues and dead letters',
    type: 'container',
    commands: {
      local: {
        usage: 'Run the whole service on this machine: embedded SQS, every function behind its queues, reload on change',
        lifecycleEvents: ['run'],
        options: {
          port: { usage: 'Port of the SQS, on 127.0.0.1 (default: 9324; 0 takes a free one)', type: 'string' },
          'visibility-timeout': { usage: 'Seconds until a failed task comes again (default: as deployed)', type: 'string' },
          'max-receive-count': { usage: 'Receives until a task is a dead letter (default: as deployed)', type: 'string' },
          ...JSON_OPTION,
        },
      },
      event: {
        usage: 'Make an event for "serverless invoke local"',
        lifecycleEvents: ['run'],
        options: {
          ...STEP_OPTIONS,
          input: { usage: 'Input of the step, as JSON', type: 'string' },
          'input-file': { usage: 'File that holds the input', type: 'string' },
          out: { usage: 'File to write, e.g. events/charge-card.json (default: stdout)', type: 'string' },
          count: { usage: 'Tasks in the event (default: 1)', type: 'string' },
          attempt: { usage: "The engine's attempt (default: 1)", type: 'string' },
          'run-id': { usage: 'Run of the task (default: a new one)', type: 'string' },
          'step-id': { usage: 'Step id of the task (default: <run id>:0)', type: 'string' },
          ...JSON_OPTION,
        },
      },
      'dead-letters': {
        usage: 'List, save, retry or delete what lies in the dead-letter and parked queues',
        lifecycleEvents: ['run'],
        options: {
          ...STEP_OPTIONS,
          id: { usage: 'One message, by its id', type: 'string' },
          limit: { usage: 'Most messages per queue (default: 100 to list, else all)', type: 'string' },
          'include-dead-letters': {
            usage: 'Look into the dead-letter queues too, not only the parked ones; uses up one of the 10 receives of each message',
            type: 'boolean',
          },
          save: { usage: 'Write the messages as event file(s), and leave them where they are', type: 'string' },
          retry: { usage: 'Send the messages back to their tasks queue', type: 'boolean' },
          force: { usage: 'With --retry: also those whose failure the engine was told', type: 'boolean' },
          purge: { usage: 'Delete the messages for good', type: 'boolean' },
          yes: { usage: 'With --purge: ask nothing', type: 'boolean' },
          ...CONNECTION_OPTIONS,
          ...JSON_OPTION,
        },
      },
      doctor: {
        usage:
          'Find what is wrong with the packaged template, and with queues and mappings on AWS; exits 1 on an error (--strict: or warning)',
        lifecycleEvents: ['run'],
        options: {
          package: { usage: 'Folder of the packaged service (default: .serverless)', type: 'string' },
          template: { usage: 'A CloudFormation template in JSON to examine instead', type: 'string' },
          offline: { usage: 'Examine the template only', type: 'boolean' },
          live: { usage: 'Fail where AWS cannot be asked', type: 'boolean' },
          strict: { usage: 'Exit 1 on a warning too', type: 'boolean' },
          'engine-prefix': { usage: 'Prefix that the engine is set to', type: 'string' },
          'step-seconds': { usage: 'How long one step takes, to judge batch sizes by', type: 'string' },
          concurrency: { usage: 'Steps a handler runs at the same time (default: 10)', type: 'string' },
          ...CONNECTION_OPTIONS,
          ...JSON_OPTION,
        },
      },
      queues: {
        usage: 'Show name, URL and depth of every queue of the service',
        lifecycleEvents: ['run'],
        options: { ...CONNECTION_OPTIONS, ...JSON_OPTION },
      },
    },
  },
} as const;

/** The hooks that run the commands. `context` is asked when a command runs. */
export function commandHooks(context: () => CommandContext): Record<string, () => Promise<void>> {
  return {
    'durable:local:run': () => run(localCommand, context),
    'durable:event:run': () => run(eventCommand, context),
    'durable:dead-letters:run': () => run(deadLettersCommand, context),
    'durable:doctor:run': () => run(doctorCommand, context),
    'durable:queues:run': () => run(queuesCommand, context),
  };
}

async function run(command: (context: CommandContext) => Promise<void>, context: () => CommandContext): Promise<void> {
  const asked = context();
  try {
    await command(asked);
  } catch (error) {
    const shown = shownError(error, flagOption(asked.options, 'local'));
    if (!flagOption(asked.options, 'json') || !isForUser(shown)) throw shown;
    // The deploy tool prints errors to stdout, where whoever asked for JSON must find nothing else.
    asked.writeError(`${shown.message}\n`);
    asked.setExitCode(1);
  }
}

/** Ours and the deploy tool's own: a message is all there is to them. */
function isForUser(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ServerlessError';
}
