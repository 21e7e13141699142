import { describe, expect, it } from 'vitest';
import { SqsRequestError } from '../../../../../src/errors.ts';
import { foreignQueues, leftoverMessages } from '../../../../../src/serverless/commands/doctor/leftovers.ts';
import { adminSqs } from '../context.ts';

const OWN = new Set(['shop-tasks-pay', 'shop-parked-pay']);
const arn = (name: string) => `arn:aws:sqs:eu-central-1:1:${name}`;
const queue = (name: string, messages: number) => ({ name, arn: arn(name), messages });

describe('foreignQueues', () => {
  it('gives the queues named like durable ones that are not of the service and hold messages', async () => {
    const depths = new Map([
      ['shop-tasks-pay', '5'],
      ['shop-tasks-old', '3'],
      ['shop-parked-old', '0'],
      ['mails', '7'],
    ]);
    const sqs = adminSqs({
      listQueues: async () => [...depths.keys()].map((name) => `https://sqs/1/${name}`),
      attributes: async (url) => {
        const name = url.split('/').at(-1) ?? '';
        return { QueueArn: arn(name), ApproximateNumberOfMessages: depths.get(name) ?? '' };
      },
    });
    expect(await foreignQueues(sqs, OWN)).toEqual({ queues: [queue('shop-tasks-old', 3)], problem: undefined });
  });

  it('gives the refusal where queues may not be listed, and throws a failure that may pass', async () => {
    const denied = new SqsRequestError('ListQueues', 'AccessDenied', false);
    expect(await foreignQueues(adminSqs({ listQueues: () => Promise.reject(denied) }), OWN)).toEqual({ queues: [], problem: denied });
    const throttled = new SqsRequestError('ListQueues', 'Throttling', true);
    await expect(foreignQueues(adminSqs({ listQueues: () => Promise.reject(throttled) }), OWN)).rejects.toBe(throttled);
  });
});

describe('leftoverMessages', () => {
  it('finds the queue of a removed step', () => {
    const [finding] = leftoverMessages([queue('shop-parked-old', 1)], 'shop', OWN, new Set());
    expect(finding).toMatchObject({
      id: 'removed-step-not-empty',
      severity: 'warning',
      why: 'it holds 1 message, and no step of this service has it and no mapping reads it: a removed step, or one that a container serves',
    });
  });

  it.each(['shop-results', 'shop-results.fifo'])('finds results in %s, which was the results queue', (name) => {
    const [finding] = leftoverMessages([queue(name, 2)], 'shop', OWN, new Set());
    expect(finding).toMatchObject({ id: 'former-results-queue', severity: 'warning', where: `live: ${name}` });
  });

  it('passes over the results queue of another prefix', () => {
    expect(leftoverMessages([queue('shop-two-results', 2)], 'shop', OWN, new Set())).toEqual([]);
  });

  it('finds tasks of the same step under another prefix', () => {
    const [finding] = leftoverMessages([queue('durable-tasks-pay', 7)], 'shop', OWN, undefined);
    expect(finding).toMatchObject({
      id: 'tasks-of-another-prefix',
      why: 'it holds 7 messages for a step of this service, under another prefix than "shop": is an engine set to it?',
    });
  });

  it('ignores queues that have a mapping, and those of other prefixes', () => {
    const others = ['shop-tasks-other-service', 'durable-tasks-mail', 'durable-results'].map((name) => queue(name, 5));
    expect(leftoverMessages(others, 'shop', OWN, new Set([arn('shop-tasks-other-service')]))).toEqual([]);
  });
});
