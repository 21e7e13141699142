import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isRecord } from '../../src/wire/shape.ts';
import { seededRandom } from '../support/slow-store.ts';
import { Injector } from './injector.ts';
import { Ledger } from './ledger.ts';
import { table } from './report.ts';
import { startSqsProcess } from './sqs-process.ts';

export interface PublishedOptions {
  readonly steps: number;
  readonly seed: number;
  readonly rate: number;
  readonly log: (line: string) => void;
}

const PATIENCE_MS = 120_000;

/**
 * The same runs through the same injector on the published transport: once as it is, once with its unhandled rejections
 * swallowed.
 */
export async function runPublished({ steps, seed, rate, log }: PublishedOptions): Promise<void> {
  for (const swallow of [false, true]) {
    const sqs = await startSqsProcess();
    const ledger = new Ledger();
    const injector = new Injector({ upstreamPort: sqs.port, rate, random: seededRandom(seed), ledger });
    await injector.start();
    const script = fileURLToPath(new URL('./published-process.ts', import.meta.url));
    const startedAt = Date.now();
    const child = fork(script, [injector.endpoint, String(steps), String(seed), String(swallow)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let said = '';
    child.stderr?.on('data', (chunk) => {
      said += String(chunk);
    });
    let last: Record<string, unknown> = {};
    child.on('message', (message) => {
      if (isRecord(message)) last = message;
    });
    const exited = once(child, 'exit');
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    const [code]: unknown[] = await exited;
    clearTimeout(timer);
    await injector.stop();
    await sqs.stop();
    const crash = /^[A-Za-z.#]*(?:Error|Exception|Unavailable|Throttled|Failure)\b.*$/m.exec(said)?.[0].slice(0, 120);
    log(`\nthe published transport${swallow ? ', its unhandled rejections swallowed' : ''}`);
    log(
      table([
        ['runs', String(last['runs'] ?? 0)],
        ['runs that ended as they should', String(last['right'] ?? 0)],
        ['steps executed', String(last['executions'] ?? 0)],
        [
          'its process',
          code === 0
            ? 'ended'
            : code === null
              ? `was still waiting after ${PATIENCE_MS / 1000} s`
              : `crashed (exit ${String(code)})${crash === undefined ? '' : `: ${crash}`}`,
        ],
        ['time', `${((Date.now() - startedAt) / 1000).toFixed(1)} s`],
      ]),
    );
  }
}
