import { beforeAll, describe, expect, it } from 'vitest';
import { stepLogicalId } from '../../src/serverless/resources/logical-ids.ts';
import { findingsIn, fixture, mappingOf, type PackagedTemplate, packaged, type Run, resourceOf, sls, templateOf } from './sls.ts';

const arn = (logicalId: string) => ({ 'Fn::GetAtt': [logicalId, 'Arn'] });
const ENGINE_QUEUES = ['DurableResultsQueue', 'DurableStartRunQueue', 'DurableWakeUpsQueue'];

describe('a service whose engine is a function', () => {
  const dir = fixture('engine');
  let run: Run;
  let template: PackagedTemplate;

  beforeAll(async () => {
    run = await packaged(dir);
    template = templateOf(dir);
  });

  it('sls package makes a valid template of it, and loads the bundle of the engine', () => {
    expect(run).toMatchObject({ code: 0 });
    expect(findingsIn(dir)).toEqual([]);
  });

  it('results, starts and wake-ups invoke the engine, whose queues hide them for six of its timeouts', () => {
    for (const queue of ENGINE_QUEUES) {
      expect(mappingOf(template, queue).Properties).toMatchObject({
        FunctionName: arn('EngineLambdaFunction'),
        BatchSize: 5,
        ScalingConfig: { MaximumConcurrency: 4 },
        FunctionResponseTypes: ['ReportBatchItemFailures'],
      });
      expect(resourceOf(template, queue).Properties).toMatchObject({ VisibilityTimeout: 360 });
    }
  });

  it('a rule of EventBridge invokes the engine every two minutes, and a tick that fails is dropped', () => {
    const ofType = (type: string) => Object.values(template.Resources).filter(({ Type }) => Type === type);
    expect(ofType('AWS::Events::Rule').map(({ Properties }) => Properties)).toMatchObject([
      { ScheduleExpression: 'rate(2 minutes)', State: 'ENABLED', Targets: [{ Arn: arn('EngineLambdaFunction') }] },
    ]);
    expect(ofType('AWS::Lambda::Permission').map(({ Properties }) => Properties)).toMatchObject([
      { Action: 'lambda:InvokeFunction', Principal: 'events.amazonaws.com', FunctionName: arn('EngineLambdaFunction') },
    ]);
    expect(ofType('AWS::Lambda::EventInvokeConfig').map(({ Properties }) => Properties)).toMatchObject([
      { FunctionName: { Ref: 'EngineLambdaFunction' }, MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 },
    ]);
  });

  it('engine and steps may invoke each other in a circle', () => {
    for (const id of ['EngineLambdaFunction', 'ChargeLambdaFunction']) {
      expect(resourceOf(template, id).Properties).toMatchObject({ RecursiveLoop: 'Allow' });
    }
  });

  it('the role may do what the engine does', () => {
    const { Properties } = resourceOf(template, 'IamRoleLambdaExecution');
    const statements: { Action: string[]; Resource: unknown[] }[] = Object(Properties)['Policies'][0].PolicyDocument.Statement;
    const resourcesOf = (action: string) => statements.filter(({ Action }) => Action.includes(action)).flatMap(({ Resource }) => Resource);
    const tasks = ['payments.charge-card', 'ship'].map((token) => arn(stepLogicalId(token, 'TasksQueue')));
    for (const action of ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility']) {
      expect(resourcesOf(action)).toEqual(expect.arrayContaining(ENGINE_QUEUES.map(arn)));
    }
    expect(resourcesOf('sqs:SendMessage')).toEqual(
      expect.arrayContaining([...tasks, arn('DurableStartRunQueue'), arn('DurableWakeUpsQueue'), arn('DurableResultsQueue')]),
    );
    expect(resourcesOf('sqs:GetQueueUrl')).toEqual(
      expect.arrayContaining([...tasks, arn('DurableStartRunQueue'), arn('DurableWakeUpsQueue')]),
    );
  });

  it('invoke local refuses to run it by a tick of event, and runs it where it is told to act', async () => {
    const out = '.serverless/tick.json';
    expect(await sls(dir, ['durable', 'event', '--tick', '--out', out])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('a tick'),
    });
    const refused = await sls(dir, ['invoke', 'local', '-f', 'engine', '-p', out]);
    expect(refused.stdout + refused.stderr).toContain('function "engine" is the engine: here, too, it writes to its database');
    expect(refused.code).toBe(1);
    // Its store is empty, so the tick asks nothing of SQS.
    const shell = { AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:9', DURABLE_PAYLOAD_BUCKET: 'on-this-machine' };
    const ran = await sls(dir, ['invoke', 'local', '-f', 'engine', '-p', out, '--durable-send'], shell);
    expect(ran).toMatchObject({ code: 0 });
    expect(JSON.parse(ran.stdout.slice(ran.stdout.indexOf('{')))).toEqual({ batchItemFailures: [] });
  });

  it('doctor finds nothing wrong with it', async () => {
    const doctor = await sls(dir, ['durable', 'doctor', '--offline', '--strict']);
    expect(doctor).toMatchObject({ code: 0, stdout: expect.stringContaining('0 errors, 0 warnings') });
  });
});
