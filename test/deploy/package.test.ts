import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { stepLogicalId } from '../../src/serverless/resources/logical-ids.ts';
import { findingsIn, fixture, mappingOf, type PackagedTemplate, packaged, type Run, resourceOf, templateOf } from './sls.ts';

const arn = (logicalId: string) => ({ 'Fn::GetAtt': [logicalId, 'Arn'] });

describe('a service that uses every option', () => {
  const dir = fixture('everything');
  let run: Run;
  let template: PackagedTemplate;
  const charge = 'payments-charge.card@acme';

  beforeAll(async () => {
    run = await packaged(dir);
    template = templateOf(dir);
  });

  it('sls package makes a valid template of every option', () => {
    expect(run).toMatchObject({ code: 0 });
    // The tool's own doubled DependsOn, and the ARN that the file spells out.
    const expected = ['ChargeLambdaFunction', 'DeadLettersLambdaFunction', 'LabelUnderscoreitLambdaFunction'].map((id) => `W3005 ${id}`);
    expect(findingsIn(dir)).toEqual([...expected, 'W9013 ShipDashitLambdaFunction']);
  });

  it('queue and mapping of a step have its settings', () => {
    expect(resourceOf(template, stepLogicalId(charge, 'TasksQueue')).Properties).toMatchObject({
      QueueName: 'shop-blue-tasks-payments-charge--card_at_acme',
      VisibilityTimeout: 500,
      KmsMasterKeyId: arn('DurableKey'),
      RedrivePolicy: { maxReceiveCount: 7 },
    });
    expect(mappingOf(template, stepLogicalId(charge, 'TasksQueue')).Properties).toMatchObject({
      BatchSize: 100,
      MaximumBatchingWindowInSeconds: 5,
      ScalingConfig: { MaximumConcurrency: 10 },
    });
    expect(mappingOf(template, stepLogicalId('refund', 'TasksQueue')).Properties).toMatchObject({ Enabled: false, BatchSize: 5 });
    expect(resourceOf(template, stepLogicalId('refund', 'TasksQueue')).Properties).toMatchObject({ FifoQueue: true });
    expect(mappingOf(template, stepLogicalId('ship', 'TasksQueue')).Properties).toMatchObject({
      ProvisionedPollerConfig: { MinimumPollers: 2, MaximumPollers: 20 },
    });
  });

  it('the dead-letter function is mapped to every dead-letter queue', () => {
    for (const token of [charge, 'refund', 'ship', 'label', 'reports.render', 'mail']) {
      expect(mappingOf(template, stepLogicalId(token, 'DeadLetterQueue')).Properties).toMatchObject({
        FunctionName: arn('DeadLettersLambdaFunction'),
        BatchSize: 5,
        ScalingConfig: { MaximumConcurrency: 3 },
        FunctionResponseTypes: ['ReportBatchItemFailures'],
      });
      expect(resourceOf(template, stepLogicalId(token, 'DeadLetterQueue')).Properties).toMatchObject({ VisibilityTimeout: 120 });
    }
  });

  it('a step that a container serves has queues and a policy for its workers, and no mapping of its tasks', () => {
    const tasks = stepLogicalId('mail', 'TasksQueue');
    expect(resourceOf(template, tasks).Properties).toMatchObject({ QueueName: 'shop-blue-tasks-mail.fifo', VisibilityTimeout: 900 });
    expect(JSON.stringify(resourceOf(template, 'DurableWorkerPolicy').Properties)).toContain(tasks);
    expect(template.Outputs['DurableWorkerPolicyArn']?.Value).toEqual({ Ref: 'DurableWorkerPolicy' });
    expect(() => mappingOf(template, tasks)).toThrow('got none');
  });

  it('each function has its own role, which its mapping waits for', () => {
    const made = resourceOf(template, 'DurableFunctionRoleCharge');
    const rights = JSON.stringify(made.Properties);
    for (const own of [charge, 'refund']) expect(rights).toContain(stepLogicalId(own, 'TasksQueue'));
    for (const foreign of ['ship', 'label']) expect(rights).not.toContain(stepLogicalId(foreign, 'TasksQueue'));
    for (const taken of [
      'dynamodb:GetItem',
      'CloudWatchLambdaInsights',
      'AWSXRayDaemonWriteAccess',
      '/aws/lambda/everything-dev-charge:*',
    ]) {
      expect(rights).toContain(taken);
    }
    expect(resourceOf(template, 'ChargeLambdaFunction').Properties['Role']).toEqual(arn('DurableFunctionRoleCharge'));
    expect(mappingOf(template, stepLogicalId(charge, 'TasksQueue')).DependsOn).toContain('DurableFunctionRoleCharge');

    expect(resourceOf(template, 'DurableFunctionPolicyShipDashit').Properties['Roles']).toEqual(['ship-it']);
    expect(mappingOf(template, stepLogicalId('ship', 'TasksQueue')).DependsOn).toContain('DurableFunctionPolicyShipDashit');
    expect(resourceOf(template, 'DurableFunctionPolicyLabelUnderscoreit').Properties['Roles']).toEqual([{ Ref: 'LabelRole' }]);
  });

  it('the role that other functions share has no right on a queue', () => {
    expect(JSON.stringify(resourceOf(template, 'IamRoleLambdaExecution'))).not.toContain('sqs:');
  });

  it('NODE_OPTIONS of the service are kept, and functions without durable events unchanged', () => {
    expect(resourceOf(template, 'ChargeLambdaFunction').Properties['Environment']).toEqual({
      Variables: {
        NODE_OPTIONS: '--max-old-space-size=200 --enable-source-maps',
        DURABLE_PREFIX: 'shop-blue',
        DURABLE_RESULTS_QUEUE_URL: { Ref: 'DurableResultsQueue' },
        DURABLE_PAYLOAD_BUCKET: { Ref: 'DurablePayloadBucket' },
        DURABLE_PAYLOAD_BUCKET_OWNER: { Ref: 'AWS::AccountId' },
      },
    });
    expect(resourceOf(template, 'UnrelatedLambdaFunction').Properties['Environment']).toEqual({
      Variables: { NODE_OPTIONS: '--max-old-space-size=200' },
    });
  });

  it('the results queue is FIFO, the bucket expires, the key rotates, and a dashboard exists', () => {
    expect(resourceOf(template, 'DurableResultsQueue').Properties).toMatchObject({ QueueName: 'shop-blue-results.fifo', FifoQueue: true });
    expect(resourceOf(template, 'DurablePayloadBucket').Properties).toMatchObject({
      LifecycleConfiguration: { Rules: [{ Status: 'Enabled', ExpirationInDays: 40 }] },
      BucketEncryption: { ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { KMSMasterKeyID: arn('DurableKey') } }] },
    });
    expect(resourceOf(template, 'DurableKey').Properties).toMatchObject({ EnableKeyRotation: true });
    const body: unknown = Object.values(Object(resourceOf(template, 'DurableDashboard').Properties['DashboardBody']))[0];
    expect(JSON.parse(String(body))).toMatchObject({ widgets: expect.any(Array) });
  });

  it('queues, alarms, key and bucket have the tags of stack and functions', () => {
    const tags = [
      { Key: 'team', Value: 'payments' },
      { Key: 'stage', Value: 'blue' },
    ];
    const parked = stepLogicalId(charge, 'ParkedQueue');
    for (const id of ['DurableResultsQueue', parked, 'DurableKey', 'DurablePayloadBucket', 'DurableResultsAgeAlarm']) {
      expect(resourceOf(template, id).Properties['Tags']).toEqual(tags);
    }
    expect(resourceOf(template, 'ChargeLambdaFunction').Properties['Tags']).toEqual([{ Key: 'team', Value: 'payments' }]);
  });

  it('alarms go to the topic, with their thresholds', () => {
    const alarms = Object.values(template.Resources).filter(({ Type }) => Type === 'AWS::CloudWatch::Alarm');
    // Two for each of six steps, two for the results queue.
    expect(alarms).toHaveLength(14);
    for (const { Properties } of alarms) expect(Properties['AlarmActions']).toEqual(['arn:aws:sns:eu-central-1:123456789012:pager']);
    expect(resourceOf(template, stepLogicalId('ship', 'TasksAgeAlarm')).Properties).toMatchObject({ Threshold: 120, Statistic: 'Maximum' });
  });
});

describe('a service that shares a results queue', () => {
  it('a shared results queue is not created, and the given key and bucket are used', async () => {
    const dir = fixture('shared');
    expect(await packaged(dir)).toMatchObject({ code: 0 });
    const template = templateOf(dir);
    expect(Object.keys(template.Resources).filter((id) => /^Durable(Results|Key|Payload)/.test(id))).toEqual([]);
    const rights = JSON.stringify(resourceOf(template, 'IamRoleLambdaExecution'));
    for (const part of ['arn:aws:sqs:eu-central-1:123456789012:shop-results', 'kms:GenerateDataKey', ':s3:::shop-payloads/durable/*']) {
      expect(rights).toContain(part);
    }
    // The key that the file spells out.
    expect([...new Set(findingsIn(dir).map((finding) => finding.split(' ')[0]))]).toEqual(['W9013']);
  });
});

describe('a service with mistakes', () => {
  it('sls package refuses a service in seconds with all its mistakes, and writes no template', async () => {
    const dir = fixture('mistakes');
    const run = await packaged(dir);
    expect(run.code).toBe(1);
    const output = run.stdout + run.stderr;
    expect(output).toContain('serverless.yml has 5 mistakes in its durable steps:');
    for (const path of [
      'custom.durable.prefx',
      'durableStep.batchsize',
      'visibilityTimeout',
      'functions.charge.runtime',
      'sqs.filterPatterns',
    ]) {
      expect(output).toContain(path);
    }
    // A mistake of the user's is a message, not a stack.
    expect(output).not.toContain('    at ');
    expect(existsSync(join(dir, '.serverless/cloudformation-template-update-stack.json'))).toBe(false);
    expect(run.seconds).toBeLessThan(20);
  });
});

describe('a service of more steps than a stack holds', () => {
  it('sls package refuses a stack of more than 500 resources, and says what to do', async () => {
    const run = await packaged(fixture('huge'));
    expect(run.code).toBe(1);
    expect(run.stdout + run.stderr).toMatch(
      /expected at most 500 in one stack .*, got 55\d, with 60 durable steps; move steps to another service/,
    );
  });
});
