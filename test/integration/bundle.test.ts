import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { expect, it } from 'vitest';
import { createQueues } from '../../src/local/index.ts';
import { startTestSqs } from '../support/sqs-server.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

it('a handler bundled by the command of docs/one-step.yml runs alone and answers on the results queue', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bundle-'));
  const sqs = await startTestSqs();
  const client = new SQSClient(sqs.clientConfig);
  try {
    const template = await readFile(join(root, 'docs/one-step.yml'), 'utf8');
    const command = /npx esbuild (.*?) --outfile/s.exec(template)?.[1]?.replaceAll(/\\?\n#?/g, ' ') ?? '';
    const options = command.split(/\s+/).filter((word) => word !== '');
    await run(join(root, 'node_modules/.bin/esbuild'), [...options, `--outfile=${join(folder, 'index.mjs')}`], { cwd: root });

    const { resultsQueueUrl } = await createQueues({ clientConfig: sqs.clientConfig, steps: [] });
    const input = { orderId: 'o-1', amountCents: 1200, cardToken: 'tok_visa' };
    const task = { runId: 'r', seq: 0, stepId: 'r:0', name: 'payments.charge-card', group: 'payments.charge-card', input, attempt: 1 };
    const event = { Records: [{ messageId: 'm-1', body: JSON.stringify(task), attributes: {}, messageAttributes: {} }] };
    await writeFile(
      join(folder, 'invoke.mjs'),
      `import { handler } from './index.mjs'; console.error(JSON.stringify(await handler(${JSON.stringify(event)}, {})));`,
    );
    const env = {
      PATH: process.env['PATH'],
      AWS_REGION: sqs.region,
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_ENDPOINT_URL_SQS: sqs.endpoint,
      DURABLE_RESULTS_QUEUE_URL: resultsQueueUrl,
    };
    const { stderr } = await run(process.execPath, [join(folder, 'invoke.mjs')], { cwd: folder, env });
    expect(stderr.trim()).toBe('{"batchItemFailures":[]}');

    const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl: resultsQueueUrl }));
    expect(JSON.parse(Messages?.[0]?.Body ?? '{}')).toMatchObject({ stepId: 'r:0', status: 'completed', output: { amountCents: 1200 } });
  } finally {
    client.destroy();
    await sqs.stop();
    await rm(folder, { recursive: true });
  }
});
