import type { Message, SendMessageCommandInput } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { deadLettersCommand } from '../../../../../src/serverless/commands/dead-letters/command.ts';
import { readDurableService } from '../../../../../src/serverless/read-service.ts';
import { adminSqs, testContext } from '../context.ts';

const QUEUE = 'shop-start-run-dead-letters';
const service = readDurableService({
  custom: { durable: { prefix: 'shop', startRuns: true } },
  provider: { runtime: 'nodejs24.x', timeout: 30 },
  functions: { pay: { handler: 'pay.handler', events: [{ durableStep: 'pay' }] } },
});
const START: Message = {
  MessageId: 'm-1',
  ReceiptHandle: 'handle',
  Body: JSON.stringify({ workflow: 'refund', runId: 'run-1', input: { card: '4111' } }),
  Attributes: { SentTimestamp: '1000', ApproximateReceiveCount: '21' },
};

/** Runs the command where the dead-letter queue of starts holds one message, and no other queue holds any. */
async function run(options: Record<string, unknown>) {
  const waiting = [START];
  const sent: SendMessageCommandInput[] = [];
  const log: string[] = [];
  const sqs = adminSqs({
    findQueueUrl: async (name) => `https://sqs.eu-central-1.amazonaws.com/1/${name}`,
    attributes: async (url) => ({ ApproximateNumberOfMessages: url.endsWith(QUEUE) ? '1' : '0' }),
    receive: async (url) => (url.endsWith(QUEUE) ? waiting.splice(0) : []),
    send: async (input) => void sent.push(input),
    delete: async (url) => void log.push(`deleted from ${url.split('/').at(-1)}`),
    release: async () => undefined,
    purge: async (url) => void log.push(`purged ${url.split('/').at(-1)}`),
  });
  const { context, terminal } = testContext({ service, options, openSqs: () => sqs });
  await deadLettersCommand.run(context);
  return { sent, log, ...terminal };
}

describe('starts in a dead-letter queue', () => {
  it('stand below the steps, with their run and without their input', async () => {
    const { out } = await run({});
    expect(out).toContain('pay: 0 waiting for the dead-letter handler, 0 parked\n');
    expect(out).toContain('starts of runs: 1 parked\n');
    expect(out).toMatch(/m-1 +run-1 .*no engine could carry out the start; its log says why/);
    expect(out).not.toContain('4111');
  });

  it('have no dead-letter handler in JSON', async () => {
    const { steps } = JSON.parse((await run({ json: true })).out);
    expect(steps[1]).toMatchObject({ step: 'starts of runs', deadLetters: null, parked: { name: QUEUE }, messages: [{ runId: 'run-1' }] });
  });

  it('go back to the start queue with --retry', async () => {
    const { sent, log, code } = await run({ retry: true });
    expect(sent).toMatchObject([{ QueueUrl: 'https://sqs.eu-central-1.amazonaws.com/1/shop-start-run', MessageBody: START.Body }]);
    expect({ log, code }).toEqual({ log: [`deleted from ${QUEUE}`], code: 0 });
  });

  it('leave for good with --purge', async () => {
    expect(await run({ purge: true, yes: true })).toMatchObject({ log: [`purged ${QUEUE}`] });
  });

  it('stay out of sight where one step is asked for', async () => {
    expect((await run({ step: 'pay' })).out).not.toContain('starts');
  });
});
