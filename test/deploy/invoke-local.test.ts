import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixture, sls } from './sls.ts';

describe('sls invoke local', () => {
  it('gives the function plain values, and a results queue that does not exist', async () => {
    const run = await sls(fixture('shared'), ['invoke', 'local', '-f', 'stock', '-d', '{}']);
    expect(run.code).toBe(0);
    expect(JSON.parse(run.stdout)).toEqual({
      DURABLE_PREFIX: 'shop',
      DURABLE_RESULTS_QUEUE_URL: 'https://sqs.invalid/000000000000/shop-results',
      DURABLE_PAYLOAD_BUCKET: 'shop-payloads',
      DURABLE_REPLAY: 'print',
      NODE_OPTIONS: '--enable-source-maps',
    });
    expect(existsSync(join(fixture('shared'), 'echo.cjs'))).toBe(false);
  });

  it('gives the function the deployed values with --durable-send', async () => {
    const run = await sls(fixture('shared'), ['invoke', 'local', '-f', 'stock', '-d', '{}', '--durable-send']);
    expect(JSON.parse(run.stdout)).toMatchObject({
      DURABLE_REPLAY: 'send',
      DURABLE_RESULTS_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/123456789012/shop-results',
    });
  });

  it.each([
    ['cannot be built', 'syntax', 'syntax.js:2:0: ERROR: Unexpected end of file'],
    ['cannot be loaded, and leaves a timer behind', 'load', /Error: no such database\n\s+at connect \(.*broken\/load\.ts:5:9\)/],
    ['throws', 'throws', /Error: cannot charge order-1",\n\s+" +at charge \(.*broken\/throws\.ts:6:9\)/],
  ])('ends in seconds with the error, at its line in TypeScript, where a handler %s', async (_, name, error) => {
    const run = await sls(fixture('broken'), ['invoke', 'local', '-f', name, '-d', '{}']);
    expect(run.code).toBe(1);
    expect(run.stdout + run.stderr).toMatch(error);
    expect(run.seconds).toBeLessThan(30);
  });
});

describe('sls invoke local of a step', () => {
  it('prints the line of TypeScript where a step threw, and ends although the step left a timer', async () => {
    const body = JSON.stringify({ runId: 'r', seq: 0, name: 'step', stepId: 'r:0', group: 'step', input: {}, attempt: 1 });
    const record = { messageId: 'm', receiptHandle: 'h', body, attributes: { ApproximateReceiveCount: '1' }, messageAttributes: {} };
    const event = { Records: [{ ...record, eventSource: 'aws:sqs', eventSourceARN: 'arn:aws:sqs:eu-central-1:1:durable-tasks-step' }] };
    const run = await sls(fixture('broken'), ['invoke', 'local', '-f', 'step', '-d', JSON.stringify(event)]);
    expect(run.stderr).toMatch(/Error: declined\n\s+at decline \(.*broken\/step\.ts:7:9\)/);
    expect(run.stdout).toContain('"status":"failed","error":{"message":"declined"}');
    expect(run.code).toBe(0);
    expect(run.seconds).toBeLessThan(30);
  });

  it('names the command that makes an event, where it is given the input of a step', async () => {
    const run = await sls(fixture('broken'), ['invoke', 'local', '-f', 'step', '-d', '{"orderId":"o-1"}']);
    expect(run.stderr).toContain(
      "of a step's input this makes one: serverless durable event --step step --input '{…}' --out events/step.json",
    );
    expect(run.code).toBe(1);
  });

  it('ends although the handler never does', async () => {
    const run = await sls(fixture('broken'), ['invoke', 'local', '-f', 'never', '-d', '{}']);
    expect(run.stderr).toContain('function "never" has not ended within its timeout of 1 s');
    expect(run.code).toBe(1);
  });
});

describe('sls package', () => {
  it('ends in seconds with the error where a handler cannot be built', async () => {
    const run = await sls(fixture('broken'), ['package']);
    expect(run.code).toBe(1);
    expect(run.stdout + run.stderr).toContain('syntax.js:2:0: ERROR: Unexpected end of file');
    expect(run.seconds).toBeLessThan(30);
  });
});
