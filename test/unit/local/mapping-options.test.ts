import { SQSClient } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../../../src/errors.ts';
import { LocalEventSourceMapping } from '../../../src/local/event-source-mapping.ts';
import { type EventSourceMappingOptions, mappingSettings } from '../../../src/local/mapping-options.ts';

const STANDARD = 'http://127.0.0.1:1/000000000000/q';
const FIFO = `${STANDARD}.fifo`;
const required = { queueUrl: STANDARD, handler: () => {}, functionName: 'f', clientConfig: {} };

describe('options of the mapping', () => {
  it('defaults are those of Lambda', () => {
    expect(mappingSettings(required)).toMatchObject({
      fifo: false,
      timeoutMs: 3_000,
      batchSize: 10,
      batchWindowSeconds: 0,
      maximumConcurrency: 5,
      reportBatchItemFailures: true,
      enabled: true,
      waitTimeSeconds: 1,
    });
  });

  it.each<Partial<EventSourceMappingOptions>>([
    { batchSize: 1 },
    { batchSize: 10_000, batchWindowSeconds: 1 },
    { batchWindowSeconds: 300 },
    { queueUrl: FIFO, batchSize: 10 },
    { maximumConcurrency: 1 },
    { timeoutMs: 900_000, waitTimeSeconds: 20 },
    { enabled: false, reportBatchItemFailures: false },
    { batchSize: undefined, logger: undefined },
  ])('accepts %o', (options) => {
    expect(() => mappingSettings({ ...required, ...options })).not.toThrow();
  });

  it.each<[Record<string, unknown>, string]>([
    [{ queueUrl: '' }, 'expected queueUrl to be the URL of a queue, got an empty string'],
    [{ queueUrl: undefined }, 'expected queueUrl to be the URL of a queue, got nothing'],
    [{ queueUrl: 'orders' }, 'expected queueUrl to be the URL of a queue, got "orders"'],
    [{ handler: 'index.handler' }, 'expected handler to be a function, got "index.handler"'],
    [{ handler: (_a: unknown, _b: unknown, _c: unknown) => {} }, 'expected handler to take (event, context), got 3 parameters'],
    [{ functionName: '' }, 'expected functionName to be a non-empty string, got an empty string'],
    [{ client: new SQSClient({}), clientConfig: {} }, 'expected client or clientConfig, got both'],
    [{ timeoutMs: 0 }, 'expected timeoutMs to be an integer from 1 to 900000, got 0'],
    [{ timeoutMs: 900_001 }, 'expected timeoutMs to be an integer from 1 to 900000, got 900001'],
    [{ batchSize: 0 }, 'expected batchSize to be an integer from 1 to 10000, got 0'],
    [{ batchSize: 2.5 }, 'expected batchSize to be an integer from 1 to 10000, got 2.5'],
    [{ batchSize: '10' }, 'expected batchSize to be an integer from 1 to 10000, got "10"'],
    [{ batchSize: 10_001, batchWindowSeconds: 1 }, 'expected batchSize to be an integer from 1 to 10000, got 10001'],
    [{ batchSize: 11 }, 'expected batchWindowSeconds to be at least 1 with a batchSize over 10, got 0'],
    [{ batchWindowSeconds: 301 }, 'expected batchWindowSeconds to be an integer from 0 to 300, got 301'],
    [{ queueUrl: FIFO, batchSize: 11 }, 'expected batchSize to be at most 10 on a FIFO queue, got 11'],
    [{ queueUrl: FIFO, batchWindowSeconds: 1 }, 'expected batchWindowSeconds to be 0 on a FIFO queue, got 1'],
    [{ maximumConcurrency: 0 }, 'expected maximumConcurrency to be an integer of at least 1, got 0'],
    [{ maximumConcurrency: Number.NaN }, 'expected maximumConcurrency to be an integer of at least 1, got NaN'],
    [{ waitTimeSeconds: 0 }, 'expected waitTimeSeconds to be an integer from 1 to 20, got 0'],
    [{ waitTimeSeconds: 21 }, 'expected waitTimeSeconds to be an integer from 1 to 20, got 21'],
    [{ reportBatchItemFailures: 'yes' }, 'expected reportBatchItemFailures to be true or false, got "yes"'],
    [{ onInvocation: {} }, 'expected onInvocation to be a function, got an object'],
    [{ logger: 'console' }, 'expected logger to be a logger with debug, info, warn and error, got "console"'],
    [{ maxConcurrency: 3 }, 'unknown option "maxConcurrency", expected one of batchSize, batchWindowSeconds, client'],
  ])('refuses %o', (options, message) => {
    const make = () => Reflect.construct(LocalEventSourceMapping, [{ ...required, ...options }]);
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(message);
  });

  it('refuses an unknown option by name', () => {
    expect(() => Reflect.construct(LocalEventSourceMapping, [{ ...required, maxConcurrency: 3 }])).toThrow(
      'unknown option "maxConcurrency"',
    );
  });

  it('refuses options that are no object', () => {
    expect(() => Reflect.construct(LocalEventSourceMapping, [])).toThrow('expected options to be an object, got nothing');
  });
});

describe('a mapping that was stopped', () => {
  it('start() throws after stop()', async () => {
    const mapping = new LocalEventSourceMapping(required);
    await mapping.stop();
    expect(() => mapping.start()).toThrow(ConfigurationError);
  });
});
