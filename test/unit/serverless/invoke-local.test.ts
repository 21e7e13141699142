import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import {
  bridgeModule,
  engineReplayProblem,
  eventHint,
  readReplay,
  replayEnvironment,
  whenLate,
} from '../../../src/serverless/invoke-local.ts';
import { readDurableService } from '../../../src/serverless/read-service.ts';
import { serviceOf } from './services.ts';

describe('what becomes of the results of a replayed event', () => {
  it.each([
    [undefined, {}, 'print'],
    [undefined, { DURABLE_REPLAY: 'print' }, 'print'],
    [undefined, { DURABLE_REPLAY: 'send' }, 'send'],
    [true, { DURABLE_REPLAY: 'print' }, 'send'],
  ] as const)('readReplay(%s, %j) is %s', (option, env, expected) => {
    expect(readReplay(option, env)).toBe(expected);
  });

  it('readReplay refuses another DURABLE_REPLAY', () => {
    expect(() => readReplay(undefined, { DURABLE_REPLAY: 'yes' })).toThrow('expected DURABLE_REPLAY to be "print" or "send", got "yes"');
  });
});

describe('eventHint', () => {
  const service = readDurableService(serviceOf({ step: 'payments.charge-card' }));

  it.each([
    ['a raw input', { orderId: 'o-1' }],
    ['text', 'o-1'],
    ['nothing', ''],
  ])('names the command that makes an event, for %s', (_what, event) => {
    expect(eventHint(service, 'charge', event)).toBe(
      'function "charge" takes an event of SQS, and this is none; of a step\'s input this makes one: ' +
        "serverless durable event --step payments.charge-card --input '{…}' --out events/charge.json",
    );
  });

  it.each([
    ['an event of SQS', 'charge', { Records: [] }],
    ['a function that serves no step', 'other', {}],
  ])('says nothing for %s', (_what, key, event) => {
    expect(eventHint(service, key, event)).toBeUndefined();
  });
});

describe('a replay of the engine', () => {
  const functions = { engine: { handler: 'engine.handler', events: [{ durableEngine: true }] } };
  const service = readDurableService(serviceOf({ functions }));

  it('engineReplayProblem refuses one that would act without being told so', () => {
    expect(engineReplayProblem(service, 'engine', 'print')).toBe(
      'function "engine" is the engine: here, too, it writes to its database and sends tasks. ' +
        'Where that is wanted, add --durable-send; AWS_ENDPOINT_URL_SQS says where its queues are, if not on AWS',
    );
    expect(engineReplayProblem(service, 'engine', 'send')).toBeUndefined();
    expect(engineReplayProblem(service, 'charge', 'print')).toBeUndefined();
  });

  it('eventHint knows its events: those of SQS and of its schedule', () => {
    expect(eventHint(service, 'engine', { Records: [] })).toBeUndefined();
    expect(eventHint(service, 'engine', { source: 'aws.events' })).toBeUndefined();
    expect(eventHint(service, 'engine', { orderId: 'o-1' })).toBe(
      'function "engine" takes an event of SQS or of its schedule, and this is none; these make one: ' +
        "serverless durable event --tick, serverless durable event --start <workflow> --input '{…}'",
    );
  });
});

describe('the environment of a replayed function', () => {
  const owned = readDurableService(serviceOf({ durable: { payloadBucket: true }, step: 'a' }));
  const url = 'https://sqs.eu-west-1.amazonaws.com/1/shop-results';
  const shared = readDurableService(
    serviceOf({ durable: { resultsQueue: { url, arn: 'arn:aws:sqs:eu-west-1:1:shop-results' } }, step: 'a' }),
  );

  it('replayEnvironment has plain values and an unreachable queue where results are printed', () => {
    for (const [deployment, name] of [
      [owned, 'durable-results'],
      [shared, 'shop-results'],
    ] as const) {
      const variables = replayEnvironment(deployment, 'print', {});
      expect(variables).toMatchObject({ DURABLE_REPLAY: 'print', DURABLE_RESULTS_QUEUE_URL: `https://sqs.invalid/000000000000/${name}` });
      for (const value of Object.values(variables)) expect(value).toBeTypeOf('string');
    }
  });

  it('replayEnvironment is that of the deployed function where results are sent', () => {
    expect(replayEnvironment(owned, 'send', {})).toMatchObject({
      DURABLE_REPLAY: 'send',
      DURABLE_RESULTS_QUEUE_URL: { Ref: 'DurableResultsQueue' },
    });
    expect(replayEnvironment(shared, 'send', {})).toMatchObject({ DURABLE_RESULTS_QUEUE_URL: url });
  });

  it('replayEnvironment refers to no account, which the deploy tool cannot look up', () => {
    expect(replayEnvironment(owned, 'send', {})).toMatchObject({ DURABLE_PAYLOAD_BUCKET_OWNER: '' });
  });

  it('replayEnvironment prefers the queue and bucket of the shell', () => {
    const env = { DURABLE_RESULTS_QUEUE_URL: 'http://127.0.0.1:4566/000000000000/durable-results', DURABLE_PAYLOAD_BUCKET: 'local' };
    for (const replay of ['print', 'send'] as const) {
      expect(replayEnvironment(owned, replay, env)).toMatchObject(env);
      // Whose it is, nobody knows.
      expect(replayEnvironment(owned, replay, env)).not.toHaveProperty('DURABLE_PAYLOAD_BUCKET_OWNER');
    }
  });
});

describe('a handler built to .mjs', () => {
  it('bridgeModule lets a .mjs handler be required, and removes its file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bridge-'));
    try {
      await writeFile(join(folder, 'charge.mjs'), 'export const handler = () => 7;\n');
      const undo = await bridgeModule(folder, 'charge.handler');
      const loaded: unknown = await createRequire(join(folder, 'x.cjs'))('./charge.cjs');
      expect(loaded).toMatchObject({ handler: expect.any(Function) });
      await undo();
      expect(existsSync(join(folder, 'charge.cjs'))).toBe(false);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('bridgeModule writes nothing where the deploy tool finds a .js file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bridge-'));
    try {
      await writeFile(join(folder, 'charge.mjs'), '');
      await writeFile(join(folder, 'charge.js'), '');
      await bridgeModule(folder, 'charge.handler');
      expect(existsSync(join(folder, 'charge.cjs'))).toBe(false);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('a replayed function that never ends', () => {
  it('whenLate ends a function after its timeout and the time to load, unless it is called off', () => {
    vi.useFakeTimers();
    try {
      const end = vi.fn();
      whenLate('pay', 6, end);
      const callOff = whenLate('ship', 6, end);
      vi.advanceTimersByTime(15_999);
      expect(end).not.toHaveBeenCalled();
      callOff();
      vi.advanceTimersByTime(1);
      expect(end.mock.calls).toEqual([[expect.stringContaining('function "pay" has not ended within its timeout of 6 s')]]);
    } finally {
      vi.useRealTimers();
    }
  });
});
