// The entry of a function's process: what Lambda's runtime is on AWS. It loads a handler and invokes it, one event at a
// time.
import { url as inspectorUrl } from 'node:inspector';
import { pathToFileURL } from 'node:url';
import type { Context } from 'aws-lambda';
import { DEAD_LETTER_HANDLER, ENGINE_HANDLER, STEP_HANDLER, WORKFLOW_HANDLER } from '../../lambda/handler-marks.ts';
import { isRecord } from '../../wire/shape.ts';
import { lambdaContext } from '../lambda-context.ts';
import type { FunctionEvent } from '../lambda-runtime.ts';
import type { FromProcess, HandlerKind, ToProcess } from './protocol.ts';
import { readableStack } from './readable-stack.ts';

/** Exit codes of Lambda's own runtime. */
const EXIT_REJECTION = 128;
const EXIT_EXCEPTION = 129;

type Handler = (event: FunctionEvent, context: Context) => unknown;

let handler: Handler | undefined;

process.on('message', (message: ToProcess) => {
  void (message.kind === 'load' ? load(message) : invoke(message)).then(tell);
});
// The terminal sends Ctrl-C to every process that it runs. The parent waits for invocations, then ends this one.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('disconnect', () => process.exit());
process.on('unhandledRejection', (error) => void end('unhandled rejection', error, EXIT_REJECTION));
process.on('uncaughtException', (error) => void end('uncaught exception', error, EXIT_EXCEPTION));
showErrorsReadably();

async function load({ file, exportName, fromDefault }: Extract<ToProcess, { kind: 'load' }>): Promise<FromProcess> {
  try {
    const module: Record<string, unknown> = await import(pathToFileURL(file).href);
    const inDefault = fromDefault && isRecord(module['default']) ? module['default'][exportName] : undefined;
    const found = module[exportName] ?? inDefault;
    if (!isHandler(found)) {
      return { kind: 'not-loaded', problem: `expected an export "${exportName}" that is a function of (event, context)` };
    }
    handler = found;
    return { kind: 'loaded', handler: kindOfHandler(found), debugged: inspectorUrl() !== undefined };
  } catch (error) {
    return { kind: 'not-loaded', problem: readableStack(error) };
  }
}

async function invoke({ event, settings }: Extract<ToProcess, { kind: 'invoke' }>): Promise<FromProcess> {
  try {
    const json: string | undefined = JSON.stringify(await handler?.(event, lambdaContext(settings)));
    return json === undefined ? { kind: 'returned' } : { kind: 'returned', json };
  } catch (error) {
    return { kind: 'threw', errorName: error instanceof Error ? error.name : typeof error, stack: readableStack(error) };
  }
}

/** nodejs24.x refuses a handler that takes a callback when it loads. */
function isHandler(value: unknown): value is Handler {
  return typeof value === 'function' && value.length < 3;
}

function kindOfHandler(found: Handler): HandlerKind {
  const steps = namesOf(Reflect.get(found, STEP_HANDLER));
  if (steps !== undefined) return { kind: 'steps', names: steps };
  const workflows = namesOf(Reflect.get(found, WORKFLOW_HANDLER));
  if (workflows !== undefined) return { kind: 'workflows', names: workflows };
  if (Reflect.get(found, ENGINE_HANDLER) !== undefined) return { kind: 'engine' };
  return Reflect.get(found, DEAD_LETTER_HANDLER) === undefined ? { kind: 'other' } : { kind: 'dead-letters' };
}

function namesOf(internals: unknown): string[] | undefined {
  const names = isRecord(internals) ? internals['names'] : undefined;
  return Array.isArray(names) ? names.map(String) : undefined;
}

async function end(what: string, error: unknown, code: number): Promise<void> {
  const [firstLine] = readableStack(error).split('\n', 1);
  await tell({ kind: 'fatal', reason: `${what}: ${firstLine}`, detail: readableStack(error) });
  process.exit(code);
}

/** Resolves when the parent has it, or never will. */
function tell(message: FromProcess): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, () => resolve());
  });
}

/**
 * Lambda's runtime replaces the console, too. An error alone is printed as a developer reads it; all else as always.
 */
function showErrorsReadably(): void {
  // biome-ignore lint/suspicious/noConsole: it is what the handler prints with
  const print = console.error.bind(console);
  console.error = (...values: unknown[]) => {
    if (values.length === 1 && values[0] instanceof Error) print(readableStack(values[0]));
    else print(...values);
  };
}
