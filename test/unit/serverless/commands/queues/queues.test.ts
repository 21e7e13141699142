import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { commandHooks } from '../../../../../src/serverless/commands/index.ts';
import { queuesCommand } from '../../../../../src/serverless/commands/queues/command.ts';
import { requestError } from '../../../../../src/sqs/request-errors.ts';
import { adminSqs, serviceOf, testContext } from '../context.ts';

/** Runs the command on an account that has all queues but one. */
async function show(options: Record<string, unknown>, missing?: string) {
  const sqs = adminSqs({
    findQueueUrl: async (name) => (name === missing ? undefined : `http://sqs.eu-central-1.localhost:4566/000000000000/${name}`),
    attributes: async () => ({ ApproximateNumberOfMessages: '12', ApproximateNumberOfMessagesNotVisible: '3' }),
  });
  const { context, terminal } = testContext({ service: serviceOf({ pay: 'pay' }), options, openSqs: () => sqs });
  await queuesCommand.run(context);
  return terminal;
}

describe('sls durable queues', () => {
  it('prints a table with URLs at the given endpoint', async () => {
    const { out, code } = await show({ endpoint: 'http://127.0.0.1:4566' });
    expect(out.split('\n').filter((line) => /^queue|tasks/.test(line))).toEqual([
      'queue                      visible  in flight  delayed  url',
      'shop-tasks-pay                  12          3        0  http://127.0.0.1:4566/000000000000/shop-tasks-pay',
    ]);
    expect(code).toBe(0);
  });

  it.each(['localhost:4566', '4566', 'ftp://127.0.0.1'])('refuses %s as an endpoint', async (endpoint) => {
    await expect(show({ endpoint })).rejects.toThrow(`--endpoint: expected a URL with http:// or https://, got "${endpoint}"`);
  });

  it("prints AWS's own URLs without an endpoint, and exits 1 where a queue is missing", async () => {
    const { out, err, code } = await show({}, 'shop-parked-pay');
    expect(out).toContain('http://sqs.eu-central-1.localhost:4566/000000000000/shop-tasks-pay');
    expect(out).toMatch(/^shop-parked-pay +- +- +- {2}\(does not exist\)$/m);
    expect(err).toBe('1 queue of 5 missing in region eu-central-1: deploy the service first.\n');
    expect(code).toBe(1);
  });

  it('says to start "sls durable local" where --local finds nobody listening', async () => {
    const refused = () => Promise.reject(requestError('GetQueueUrl', Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })));
    const { context } = testContext({
      service: serviceOf({ pay: 'pay' }),
      options: { local: true },
      serviceDir: tmpdir(),
      openSqs: () => adminSqs({ findQueueUrl: refused }),
    });
    await expect(commandHooks(() => context)['durable:queues:run']?.()).rejects.toThrow(
      'ECONNREFUSED (connect). "sls durable local" does not run',
    );
  });
});
