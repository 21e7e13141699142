/**
 * Lambda's side of section 9: mappings, and environments that run the bundle of the engine under AWS's own runtime
 * loop.
 */
import { readFileSync } from 'node:fs';
import { queueMapping } from '../../src/local/event-source-mapping.ts';
import type { HandlerOutcome, LambdaRuntime } from '../../src/local/lambda-runtime.ts';
import { settingsFor } from '../../src/local/mapping-options.ts';
import { silentLogger } from '../../test/support/local-cloud.ts';
import { type InvocationEnd, type LambdaProcess, startLambda } from '../../test/support/runtime-api.ts';
import { type Fields, numberOf, textOf } from './fields.ts';
import { serveCommands } from './serve-commands.ts';
import { addressOf, clientConfigOf, lambdaEnvironment } from './sqs-server.ts';

const TIMEOUT_MS = 8_000;
const QUEUES = ['resultsQueueUrl', 'startRunQueueUrl', 'wakeUpsQueueUrl'] as const;
/** What Linux counts processor time in. */
const CLOCK_TICK_MS = 10;

/** A function's environments: processes that stand still between their invocations. */
class Environments implements LambdaRuntime {
  readonly #start: () => Promise<LambdaProcess>;
  readonly #idle: LambdaProcess[] = [];
  readonly #all: LambdaProcess[] = [];
  readonly #invoked = new WeakSet<LambdaProcess>();
  #busy = 0;
  mostAtOnce = 0;
  invocations = 0;
  failures = 0;
  /** Of invocations by an environment that had one before, each rounded up to a millisecond, as it is billed. */
  billedMs = 0;
  readonly initMs: number[] = [];
  readonly firstMs: number[] = [];

  constructor(start: () => Promise<LambdaProcess>) {
    this.#start = start;
  }

  async invoke(event: unknown): Promise<HandlerOutcome> {
    this.#busy += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#busy);
    const environment = this.#idle.pop() ?? (await this.#another());
    environment.child.kill('SIGCONT');
    const startedAt = performance.now();
    const end = await environment.invoke(event, { timeoutMs: TIMEOUT_MS });
    const milliseconds = performance.now() - startedAt;
    environment.child.kill('SIGSTOP');
    this.#note(environment, end, milliseconds);
    this.#busy -= 1;
    if (end.kind === 'response' || end.kind === 'error') this.#idle.push(environment);
    if (end.kind === 'response') return { kind: 'returned', response: end.payload };
    return { kind: 'threw', error: new Error(`${end.kind}: ${environment.output().slice(-2_000)}`) };
  }

  /** Processor time of all of them so far. */
  cpuMs(): number {
    return this.#all.reduce((sum, { child }) => sum + cpuMsOf(child.pid ?? 0), 0);
  }

  kill(): void {
    for (const { child } of this.#all) child.kill('SIGKILL');
  }

  async #another(): Promise<LambdaProcess> {
    const environment = await this.#start();
    this.#all.push(environment);
    return environment;
  }

  #note(environment: LambdaProcess, end: InvocationEnd, milliseconds: number): void {
    this.invocations += 1;
    if (end.kind !== 'response') this.failures += 1;
    if (this.#invoked.has(environment)) {
      this.billedMs += Math.ceil(milliseconds);
      return;
    }
    this.#invoked.add(environment);
    // The event of a cold start waits for the process; the two times follow one another on Lambda.
    const init = environment.times.initialised ?? Number.NaN;
    const whole = environment.times.responded ?? Number.NaN;
    this.initMs.push(init);
    this.firstMs.push(whole - init);
  }
}

/** User and system time of a process, by its 14th and 15th field. */
function cpuMsOf(pid: number): number {
  const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const [user = 0, system = 0] = fields.split(' ').slice(11, 13).map(Number);
  return (user + system) * CLOCK_TICK_MS;
}

let environments: Environments | undefined;

function open(fields: Fields): Fields {
  const address = addressOf(fields);
  const env = {
    ...lambdaEnvironment(address, textOf(fields, 'resultsQueueUrl')),
    DURABLE_PREFIX: textOf(fields, 'prefix'),
    DATABASE_PORT: String(numberOf(fields, 'databasePort')),
    DATABASE_USER: textOf(fields, 'databaseUser'),
    DATABASE_NAME: textOf(fields, 'database'),
  };
  const taskRoot = textOf(fields, 'taskRoot');
  const memoryMb = numberOf(fields, 'memoryMb');
  environments = new Environments(() => startLambda({ taskRoot, handler: 'index.handler', memoryMb, env }));
  for (const queue of QUEUES) {
    const settings = settingsFor(
      {
        queueUrl: textOf(fields, queue),
        functionName: 'engine',
        timeoutMs: TIMEOUT_MS,
        batchSize: 10,
        maximumConcurrency: numberOf(fields, 'maximumConcurrency'),
        // As Lambda's polls.
        waitTimeSeconds: 20,
        logger: silentLogger,
      },
      environments,
    );
    queueMapping(settings, { clientConfig: clientConfigOf(address) }).start();
  }
  return {};
}

function opened(): Environments {
  if (environments === undefined) throw new Error('expected the command open first');
  return environments;
}

/** What there was so far. */
function use(): Fields {
  const { invocations, failures, billedMs, mostAtOnce, initMs, firstMs } = opened();
  return { invocations, failures, billedMs, mostAtOnce, initMs, firstMs, cpuMs: opened().cpuMs() };
}

/** The schedule fires, so often. */
async function tick(fields: Fields): Promise<Fields> {
  const before = opened().billedMs;
  for (let count = 0; count < numberOf(fields, 'ticks'); count += 1) await opened().invoke({ source: 'aws.events' });
  return { billedMs: opened().billedMs - before };
}

// A process that stands still does not hear that its parent has gone.
process.on('exit', () => environments?.kill());
serveCommands({ open, use, tick });
