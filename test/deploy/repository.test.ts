import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { stepLogicalId } from '../../src/serverless/resources/logical-ids.ts';
import { bundleHandlers } from '../support/bundles.ts';
import { checksumsIn, findingsIn, mappingOf, type PackagedTemplate, packaged, type Run, resourceOf, root, sls, templateOf } from './sls.ts';

// One file for all that builds in the root of the repository: two commands at once would share serverless-esbuild's
// folder.
const arn = (logicalId: string) => ({ 'Fn::GetAtt': [logicalId, 'Arn'] });

const replay = (file: string, ...more: string[]) => sls(root, ['invoke', 'local', '-f', 'chargeCard', '-p', `events/${file}`, ...more]);

/** The results that a replay printed: each is one line of JSON. */
function resultsIn(stdout: string): { status?: unknown; stepId?: unknown; output?: unknown; error?: { code?: unknown } }[] {
  return stdout.split('\n').flatMap((line) => {
    if (!line.startsWith('{"')) return [];
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === 'object' && parsed !== null && 'stepId' in parsed && 'status' in parsed ? [parsed] : [];
  });
}

describe('the service of this repository', () => {
  let run: Run;
  let template: PackagedTemplate;

  beforeAll(async () => {
    run = await packaged(root);
    template = templateOf(root);
  });

  it('sls package takes less than 15 s, offline and without credentials', () => {
    expect(run).toMatchObject({ code: 0 });
    expect(run.seconds).toBeLessThan(15);
  });

  it('the validator of CloudFormation finds nothing', () => {
    expect(findingsIn(root)).toEqual([]);
  });

  it('doctor --strict finds nothing', async () => {
    const { code, stdout } = await sls(root, ['durable', 'doctor', '--offline', '--strict', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ findings: [], notes: [] });
    expect(code).toBe(0);
  });

  it('each function has a bundle of its own', () => {
    const bundles = readdirSync(join(root, '.serverless')).filter((name) => name.endsWith('.zip'));
    expect(bundles).toEqual(expect.arrayContaining(['chargeCard.zip', 'notifications.zip', 'reserveStock.zip']));
  });

  it('the bundles are those that the tests of the runtime loop run', async () => {
    const names = new Map([
      ['charge-card', 'chargeCard'],
      ['notifications', 'notifications'],
      ['reserve-stock', 'reserveStock'],
      ['dead-letters', 'deadLetters'],
    ]);
    const { folder, remove } = await bundleHandlers(...[...names.keys()].map((name) => `handlers/${name}.ts`));
    try {
      for (const [name, functionName] of names) {
        const packagedFiles = checksumsIn(join(root, '.serverless', `${functionName}.zip`));
        expect(packagedFiles.get(`handlers/${name}.mjs`)).toBe(crc32(readFileSync(join(folder, `${name}.mjs`))));
      }
    } finally {
      await remove();
    }
  });

  it('functions run on arm64 with source maps, and find their queues in the environment', () => {
    expect(resourceOf(template, 'ChargeCardLambdaFunction').Properties).toMatchObject({
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      Environment: {
        Variables: {
          DURABLE_PREFIX: 'durable-dev',
          DURABLE_RESULTS_QUEUE_URL: { Ref: 'DurableResultsQueue' },
          NODE_OPTIONS: '--enable-source-maps',
        },
      },
    });
  });

  it('the tasks queue has the figures of the design, and a dead-letter queue', () => {
    const id = (kind: 'TasksQueue' | 'DeadLetterQueue' | 'ParkedQueue') => stepLogicalId('payments.charge-card', kind);
    expect(resourceOf(template, id('TasksQueue'))).toEqual({
      Type: 'AWS::SQS::Queue',
      Properties: {
        QueueName: 'durable-dev-tasks-payments--charge-card',
        MessageRetentionPeriod: 345_600,
        VisibilityTimeout: 180,
        ReceiveMessageWaitTimeSeconds: 20,
        SqsManagedSseEnabled: true,
        RedrivePolicy: { deadLetterTargetArn: arn(id('DeadLetterQueue')), maxReceiveCount: 10 },
      },
    });
    expect(resourceOf(template, id('DeadLetterQueue'))).toMatchObject({
      DeletionPolicy: 'RetainExceptOnCreate',
      UpdateReplacePolicy: 'Retain',
      Properties: {
        MessageRetentionPeriod: 1_209_600,
        RedrivePolicy: { deadLetterTargetArn: arn(id('ParkedQueue')), maxReceiveCount: 10 },
      },
    });
    expect(resourceOf(template, 'DurableResultsQueue')).toMatchObject({
      DeletionPolicy: 'RetainExceptOnCreate',
      Properties: {
        QueueName: 'durable-dev-results',
        MessageRetentionPeriod: 864_000,
        RedrivePolicy: { deadLetterTargetArn: arn('DurableResultsDeadLetterQueue'), maxReceiveCount: 100 },
      },
    });
  });

  it('each mapping has ReportBatchItemFailures and the settings of its event', () => {
    expect(mappingOf(template, stepLogicalId('payments.charge-card', 'TasksQueue')).Properties).toMatchObject({
      BatchSize: 10,
      Enabled: true,
      FunctionName: arn('ChargeCardLambdaFunction'),
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: 20 },
    });
    expect(mappingOf(template, stepLogicalId('notifications.send-receipt', 'TasksQueue')).Properties).toMatchObject({
      BatchSize: 50,
      MaximumBatchingWindowInSeconds: 5,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
    });
  });

  it('outputs tell an engine prefix, queue URLs and policy', () => {
    expect(template.Outputs).toMatchObject({
      DurablePrefix: { Value: 'durable-dev' },
      DurableResultsQueueUrl: { Value: { Ref: 'DurableResultsQueue' } },
      DurableEnginePolicyArn: { Value: { Ref: 'DurableEnginePolicy' } },
      [stepLogicalId('stock.reserve', 'TasksQueueUrl')]: { Value: { Ref: stepLogicalId('stock.reserve', 'TasksQueue') } },
    });
  });
});

describe('sls invoke local with an event of events/', () => {
  it('prints the result that it would have sent, offline', async () => {
    const run = await replay('charge-card.json');
    expect(resultsIn(run.stdout)).toMatchObject([{ stepId: 'order-1:0', status: 'completed', output: { amountCents: 1001 } }]);
    expect(run.code).toBe(0);
  });

  it('settles nine of a batch of ten with a poison record, and exits non-zero for the tenth', async () => {
    const run = await replay('charge-card-poison.json');
    expect(resultsIn(run.stdout).map(({ status }) => status)).toEqual(Array.from({ length: 9 }, () => 'completed'));
    expect(run.code).toBe(1);
  });

  it('prints the failed result of a step that fails, and exits 0', async () => {
    const run = await replay('charge-card-invalid-input.json');
    expect(resultsIn(run.stdout)).toMatchObject([{ status: 'failed', error: { code: 'invalid_input' } }]);
    expect(run.code).toBe(0);
  });

  it('runs a FIFO batch of two groups, and stops the group of the poison record only', async () => {
    const run = await replay('charge-card-fifo.json');
    expect(resultsIn(run.stdout).map(({ stepId }) => stepId)).toEqual(['order-1:0', 'order-1:1']);
    expect(run.code).toBe(1);
  });

  it('runs a task with every optional field', async () => {
    const run = await replay('charge-card-full.json');
    expect(resultsIn(run.stdout)).toMatchObject([{ stepId: 'order-1@acme:-2', status: 'completed' }]);
    expect(run.code).toBe(0);
  });
});
