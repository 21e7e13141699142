import { Ajv } from 'ajv';
import type { SQSRecord } from 'aws-lambda';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type StepFunction, sqsStepHandler } from '../../../src/lambda/index.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { EMF_SCHEMA } from '../../support/emf-schema.ts';
import { FakeQueues, invoke } from '../../support/fake-queues.ts';
import { contextOf, eventOf, recordOf, taskFor } from '../../support/sqs-records.ts';
import { turn } from '../../support/turns.ts';

const SENT_AT = 1_790_000_000_000;
const logger = capturingLogger();
const isEmf = new Ajv().compile(EMF_SCHEMA);

interface EmfLine {
  readonly _aws: { readonly CloudWatchMetrics: readonly { readonly Metrics: readonly { readonly Name: string }[] }[] };
  readonly [target: string]: unknown;
}

let written: string[];

beforeEach(() => {
  vi.useFakeTimers({ now: SENT_AT + 250, toFake: ['Date'] });
  written = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  vi.useRealTimers();
});

/** The lines of one invocation, each one read as CloudWatch reads it. */
async function linesOf(run: StepFunction<unknown, unknown>, records: readonly SQSRecord[], queues = new FakeQueues(), metrics = true) {
  const handler = sqsStepHandler({ step: run, other: run }, { logger, metrics });
  await invoke(handler, eventOf(...records), queues, contextOf({ functionName: 'svc-dev-charge' })).catch(() => undefined);
  return read();
}

function read(): EmfLine[] {
  return written.map((text) => {
    expect(text.endsWith('}\n')).toBe(true);
    const line: EmfLine = JSON.parse(text);
    expect([isEmf(line), isEmf.errors]).toEqual([true, null]);
    for (const { Metrics } of line._aws.CloudWatchMetrics) {
      for (const { Name } of Metrics) {
        const value = line[Name];
        expect(Array.isArray(value) ? value.length > 0 && value.length <= 100 : typeof value === 'number').toBe(true);
      }
    }
    return line;
  });
}

const tasks = (count: number, name = 'step') => Array.from({ length: count }, (_, seq) => recordOf(taskFor({ seq, name })));

describe('metrics of an invocation', () => {
  it('take one line a step, in the embedded metric format', async () => {
    await linesOf(() => 'done', tasks(1));
    const duration = /"Duration":\[(\d+)\],"QueueTime":\[(\d+)\]/.exec(written[0] ?? '');
    // The wall clock stands still here, and the run begins when that shows 250 ms and what has passed by the other
    // clock.
    expect(Number(duration?.[2])).toBeGreaterThanOrEqual(250);
    expect(Number(duration?.[2])).toBeLessThan(20_000);
    expect(written).toEqual([
      '{"_aws":{"Timestamp":1790000000250,"CloudWatchMetrics":[{"Namespace":"DurableSqsLambda","Dimensions":[["FunctionName","Step"]],' +
        '"Metrics":[{"Name":"Started","Unit":"Count"},{"Name":"Completed","Unit":"Count"},{"Name":"Failed","Unit":"Count"},' +
        '{"Name":"Redelivered","Unit":"Count"},{"Name":"Duration","Unit":"Milliseconds"},{"Name":"QueueTime","Unit":"Milliseconds"}]}]},' +
        '"FunctionName":"svc-dev-charge","Step":"step","Started":1,"Completed":1,"Failed":0,"Redelivered":0,' +
        `"Duration":[${duration?.[1]}],"QueueTime":[${duration?.[2]}],"requestId":"request"}\n`,
    ]);
  });

  it('tell steps apart, and count what failed and what came again', async () => {
    const records = [
      recordOf(taskFor({ seq: 0 })),
      recordOf(taskFor({ seq: 1, input: 'bad' }), { receiveCount: 3 }),
      recordOf(taskFor({ seq: 2, name: 'other' })),
    ];
    const lines = await linesOf((input) => {
      if (input === 'bad') throw new Error('bad');
    }, records);
    expect(lines).toMatchObject([
      { Step: 'step', Started: 2, Completed: 1, Failed: 1, Redelivered: 1 },
      { Step: 'other', Started: 1, Completed: 1, Failed: 0, Redelivered: 0 },
    ]);
  });

  it('count an output that cannot be sent as failed', async () => {
    expect(await linesOf(() => 1n, tasks(1))).toMatchObject([{ Started: 1, Completed: 0, Failed: 1 }]);
  });

  it('reach the log where no result was accepted, too', async () => {
    const refused = new FakeQueues(() => {
      throw new Error('refused');
    });
    expect(await linesOf(() => 1, tasks(1), refused)).toMatchObject([{ Started: 1, Completed: 1 }]);
  });

  it('take more lines where a step ran more than a hundred times', async () => {
    const lines = await linesOf(() => 1, tasks(201));
    expect(lines.map(({ Started, Duration }) => [Started, Array.isArray(Duration) && Duration.length])).toEqual([
      [201, 100],
      [undefined, 100],
      [undefined, 1],
    ]);
  });

  it('name no step that the function does not serve: whoever sends to its queue chooses that', async () => {
    expect(await linesOf(() => 1, tasks(1, 'made-up'))).toMatchObject([{ Step: '(not served)', Started: 1, Failed: 1 }]);
    expect(written.join()).not.toContain('made-up');
  });

  it('hold no run that did not begin, and nothing of what is no task', async () => {
    expect(await linesOf(() => 1, [recordOf('no task')])).toEqual([]);
  });

  it('leave out the time in the queue where the record does not tell it', async () => {
    const [record] = tasks(1);
    const bare: object = { ...record, attributes: { ApproximateReceiveCount: '1' } };
    const [line] = await linesOf(() => 1, [bare as SQSRecord]);
    expect(line).not.toHaveProperty('QueueTime');
    expect(line).toHaveProperty('Duration');
  });

  it('count turns of workflows by the name of the workflow', async () => {
    vi.stubEnv('DURABLE_METRICS', 'true');
    await turn({}, async () => 'done');
    expect(read()).toMatchObject([{ Step: 'checkout', Started: 1, Completed: 1, Failed: 0 }]);
  });
});

describe('metrics', () => {
  it('stay off unless somebody asks for them', async () => {
    expect(await linesOf(() => 1, tasks(1), undefined, false)).toEqual([]);
  });

  it.each([
    ['true', undefined, 1],
    ['true', false, 0],
    ['', undefined, 0],
    [undefined, undefined, 0],
  ])('DURABLE_METRICS %j and the option %j give %i lines', async (env, metrics, lines) => {
    vi.stubEnv('DURABLE_METRICS', env);
    const handler = sqsStepHandler('step', () => 1, { logger, ...(metrics === undefined ? {} : { metrics }) });
    await invoke(handler, eventOf(...tasks(1)));
    expect(written).toHaveLength(lines);
  });

  it.each(['DURABLE_LOCAL', 'DURABLE_REPLAY'])('stay out of a terminal (%s)', async (name) => {
    vi.stubEnv(name, name === 'DURABLE_LOCAL' ? '1' : 'send');
    expect(await linesOf(() => 1, tasks(1))).toEqual([]);
  });

  it('refuse what is neither true nor false', () => {
    const options: object = { metrics: 'yes' };
    expect(() => sqsStepHandler('step', () => 1, options)).toThrow('expected metrics to be true or false, got "yes"');
  });
});
