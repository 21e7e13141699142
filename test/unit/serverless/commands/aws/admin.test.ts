import * as lambdaSdk from '@aws-sdk/client-lambda';
import { describe, expect, it } from 'vitest';
import { bounded } from '../../../../../src/serverless/bounded.ts';
import { sdkAdminLambda } from '../../../../../src/serverless/commands/aws/admin-lambda.ts';
import { sdkAdminSqs } from '../../../../../src/serverless/commands/aws/admin-sqs.ts';
import { deferred } from '../../../../support/deferred.ts';
import { settle } from '../../../../support/fake-timing.ts';

/** Lambda's client on answers of a test; gives the names that it was asked about. */
function lambdaAnswering(answers: (name: string, input: Record<string, unknown>) => object | Promise<object>) {
  const asked: string[] = [];
  class Client extends lambdaSdk.LambdaClient {
    constructor(config: lambdaSdk.LambdaClientConfig) {
      super(config);
      this.middlewareStack.add(
        (_next) => async (args) => {
          const { input } = args;
          const name = Object.values(input).find((value) => typeof value === 'string') ?? '';
          asked.push(name);
          return { response: {}, output: { $metadata: {}, ...(await answers(name, { ...input })) } };
        },
        { step: 'initialize', priority: 'high' },
      );
    }
  }
  return { asked, lambda: sdkAdminLambda({ ...lambdaSdk, LambdaClient: Client }, { region: 'eu-central-1' }) };
}

describe('sdkAdminLambda', () => {
  it('lists the mappings of all pages', async () => {
    const markers: unknown[] = [];
    const { lambda } = lambdaAnswering((_, { Marker }) => {
      markers.push(Marker);
      const page = Number(Marker ?? 0);
      return { EventSourceMappings: [{ UUID: `mapping-${page}` }], NextMarker: page < 2 ? String(page + 1) : '' };
    });
    expect((await lambda.mappingsOfQueue('arn')).map(({ UUID }) => UUID)).toEqual(['mapping-0', 'mapping-1', 'mapping-2']);
    expect(markers).toEqual([undefined, '1', '2']);
  });

  it('reads the reserved concurrency of the function where the mapping names an alias', async () => {
    const name = 'arn:aws:lambda:eu-central-1:1:function:pay';
    const { lambda, asked } = lambdaAnswering(() => ({ Timeout: 30, ReservedConcurrentExecutions: 5 }));
    expect(await lambda.functionFacts(`${name}:live`)).toMatchObject({ timeoutSeconds: 30, reservedConcurrency: 5 });
    expect(asked).toEqual([`${name}:live`, name]);
  });

  it('gives undefined for a function that does not exist, and names the operation of any other failure', async () => {
    const failing = (name: string) => () => {
      throw Object.assign(new Error('no'), { name });
    };
    expect(await lambdaAnswering(failing('ResourceNotFoundException')).lambda.functionFacts('gone')).toBeUndefined();
    await expect(lambdaAnswering(failing('AccessDeniedException')).lambda.functionFacts('f')).rejects.toThrow(
      'Lambda GetFunctionConfiguration failed: AccessDeniedException: no',
    );
  });
});

it('bounded() runs at most so many calls at a time, in order, whatever fails', async () => {
  const inTurn = bounded(2);
  const gates = [deferred<void>(), deferred<void>(), deferred<void>(), deferred<void>()];
  const started: number[] = [];
  const calls = gates.map(({ promise }, index) =>
    inTurn(() => {
      started.push(index);
      return promise;
    }).catch(() => 'failed'),
  );
  expect(started).toEqual([0, 1]);
  gates[1]?.reject(new Error('no'));
  expect(await calls[1]).toBe('failed');
  const late = inTurn(async () => void started.push(4));
  expect(started).toEqual([0, 1, 2]);
  for (const gate of gates) gate.resolve();
  await Promise.all([...calls, late]);
  expect(started).toEqual([0, 1, 2, 3, 4]);
});

/** Holds calls until so many are in work, or all have come; knows the most that were in work at once. */
function heldCalls(atOnce: number, all: number) {
  const waiting = new Set<() => void>();
  const seen = { calls: 0, most: 0 };
  const hold = async <T>(answer: T): Promise<T> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.add(resolve);
    seen.calls += 1;
    seen.most = Math.max(seen.most, waiting.size);
    // In a later turn: whoever comes at the same time is counted.
    if (waiting.size >= atOnce || seen.calls === all) void settle().then(() => [...waiting].map((open) => open()));
    await promise;
    waiting.delete(resolve);
    return answer;
  };
  return { hold, seen };
}

describe('requests in a large account', () => {
  it('read the attributes of ten queues at a time', async () => {
    const { hold, seen } = heldCalls(10, 25);
    const requestHandler = {
      handle: () => hold({ response: { statusCode: 200, headers: {}, body: Buffer.from('{"Attributes":{"DelaySeconds":"0"}}') } }),
      updateHttpClientConfig: () => undefined,
      httpHandlerConfigs: () => ({}),
    };
    const sqs = sdkAdminSqs({ region: 'eu-central-1', credentials: { accessKeyId: 'a', secretAccessKey: 's' }, requestHandler });
    const answers = Promise.all(
      Array.from({ length: 25 }, (_, index) => sqs.attributes(`https://sqs.eu-central-1.amazonaws.com/1/q${index}`)),
    );
    expect((await answers).every(({ DelaySeconds }) => DelaySeconds === '0')).toBe(true);
    expect(seen).toEqual({ calls: 25, most: 10 });
    sqs.destroy();
  });

  it('list the mappings of four queues at a time', async () => {
    const { hold, seen } = heldCalls(4, 10);
    const { lambda } = lambdaAnswering(() => hold({ EventSourceMappings: [] }));
    const answers = Promise.all(Array.from({ length: 10 }, () => lambda.mappingsOfQueue('arn')));
    await answers;
    expect(seen).toEqual({ calls: 10, most: 4 });
  });
});
