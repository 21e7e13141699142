import { type Fields, isFields, numberOf, textOf } from './fields.ts';

type Commands = Readonly<Record<string, (fields: Fields) => Promise<Fields> | Fields>>;

/** The child's half of a {@link BenchProcess}: answers commands until its parent is gone. */
export function serveCommands(commands: Commands): void {
  process.on('message', (message) => {
    if (isFields(message)) void answer(commands, message);
  });
  // Long polls are open then; nobody is left to tell.
  process.on('disconnect', () => process.exit(0));
  process.send?.({ ready: 1 });
}

/** Processor time of this process since it began: what it costs, however many others want the processor. */
function cpu(): Fields {
  const { user, system } = process.cpuUsage();
  return { milliseconds: (user + system) / 1000 };
}

async function answer(commands: Commands, { command, call, ...fields }: Fields): Promise<void> {
  const id = numberOf({ call: call ?? '' }, 'call');
  try {
    const known: Commands = { ...commands, cpu };
    const run = known[textOf({ command: command ?? '' }, 'command')];
    if (run === undefined) throw new RangeError(`this process knows no command "${command}"`);
    process.send?.({ ...(await run(fields)), call: id });
  } catch (error) {
    process.send?.({ call: id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}
