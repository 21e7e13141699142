import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CreateStackCommand, waitUntilStackCreateComplete } from '@aws-sdk/client-cloudformation';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { CreateQueueCommand, GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { root } from '../deploy/sls.ts';
import { required, untilDepth } from './account.ts';
import { type Engine, startEngine } from './engine/engine.ts';
import { refusals } from './rights/calls.ts';
import { rolesOf } from './rights/roles.ts';
import { ROOT } from './server/aws-server.ts';
import { clientsOf } from './server/clients.ts';

const STACK = 'charge-card';
const BUCKET = 'one-step-code';

const aws = inject('aws');
const clients = clientsOf(aws);
const template = readFileSync(join(root, 'docs/one-step.yml'), 'utf8');
const folder = join(root, 'reports/deployed', `one-step-${process.pid}`);

let engine: Engine;

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  bundle();
  // What `aws cloudformation package` does.
  execFileSync(join(root, '.ministack/bin/python'), ['-m', 'zipfile', '-c', 'code.zip', 'index.mjs'], { cwd: folder });
  await clients.s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  await clients.s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'code.zip', Body: readFileSync(join(folder, 'code.zip')) }));
  const TemplateBody = template.replace('Code: ../build', `Code: { S3Bucket: ${BUCKET}, S3Key: code.zip }`);
  expect(TemplateBody).not.toBe(template);

  const { QueueUrl } = await clients.sqs.send(new CreateQueueCommand({ QueueName: 'durable-results' }));
  const { Attributes } = await clients.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
  await clients.cloudFormation.send(
    new CreateStackCommand({
      StackName: STACK,
      TemplateBody,
      Capabilities: ['CAPABILITY_IAM'],
      Parameters: [
        { ParameterKey: 'ResultsQueueUrl', ParameterValue: QueueUrl },
        { ParameterKey: 'ResultsQueueArn', ParameterValue: Attributes?.['QueueArn'] },
      ],
    }),
  );
  await waitUntilStackCreateComplete({ client: clients.cloudFormation, maxWaitTime: 60, minDelay: 1, maxDelay: 1 }, { StackName: STACK });
  engine = await startEngine(aws, ROOT, { prefix: 'durable' });
});

afterAll(async () => {
  await engine?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the command in the head of the template, with another place for what it writes. */
function bundle(): void {
  const [, command] = /^# {3}npx (esbuild (?:.*\\\n)*.*)$/m.exec(template) ?? [];
  const [program, ...args] = required(command, 'a command that bundles').split(/[\s#\\]+/);
  const outfile = `--outfile=${join(folder, 'index.mjs')}`;
  execFileSync(
    join(root, 'node_modules/.bin', required(program, 'esbuild')),
    args.map((arg) => (arg.startsWith('--outfile=') ? outfile : arg)),
    { cwd: root, stdio: 'pipe' },
  );
}

describe('docs/one-step.yml', () => {
  it('serves a step, and its role needs no other right', async () => {
    const input = { step: 'payments.charge-card', input: { orderId: 'o-1', amountCents: 1200, cardToken: 'tok_visa' } };
    expect(await engine.runs([{ workflow: 'one-step', runId: 'plain', input }])).toMatchObject([{ status: 'completed' }]);
    await untilDepth(clients, 'durable-tasks-payments--charge-card', { visible: 0, inFlight: 0 });
    expect(refusals(aws, [...(await rolesOf(clients, STACK)).values()])).toEqual([]);
  });
});
