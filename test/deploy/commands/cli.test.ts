import { rmSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { sls } from '../sls.ts';
import { makeService } from './local-service.ts';

const queue = (properties: object) => ({ Type: 'AWS::SQS::Queue', Properties: properties });
const redrive = (id: string, more: object = { maxReceiveCount: 10 }) => ({ deadLetterTargetArn: { 'Fn::GetAtt': [id, 'Arn'] }, ...more });
const template = (tasks: object, mapping: object) =>
  JSON.stringify({
    Resources: {
      Tasks: queue({ QueueName: 'cli-tasks-pay', VisibilityTimeout: 18, ...tasks }),
      Dead: queue({ QueueName: 'cli-dead-letters-pay', MessageRetentionPeriod: 1_209_600 }),
      Pay: { Type: 'AWS::Lambda::Function', Properties: { FunctionName: 'cli-dev-pay', Runtime: 'nodejs24.x', Timeout: 3 } },
      Mapping: {
        Type: 'AWS::Lambda::EventSourceMapping',
        Properties: { EventSourceArn: { 'Fn::GetAtt': ['Tasks', 'Arn'] }, FunctionName: { 'Fn::GetAtt': ['Pay', 'Arn'] }, ...mapping },
      },
    },
  });

const service = makeService('cli', {
  'serverless.yml': `service: cli-test
plugins: [durable-sqs-lambda/serverless-plugin]
custom: { durable: { prefix: cli } }
provider: { name: aws, region: eu-central-1, runtime: nodejs24.x, timeout: 3 }
functions: { pay: { handler: pay.handler, events: [{ durableStep: pay }] } }
`,
  'broken.json': template({ RedrivePolicy: redrive('Dead', {}) }, {}),
  'doubtful.json': template({ RedrivePolicy: redrive('Dead') }, { FunctionResponseTypes: ['ReportBatchItemFailures'], Enabled: false }),
});
afterAll(() => rmSync(service.dir, { recursive: true, force: true }));

const durable = (...args: readonly string[]) => sls(service.dir, ['durable', ...args]);

describe('serverless durable', () => {
  it('prints the usage of each command with --help', async () => {
    const said = {
      init: 'quick start',
      event: '--input-file',
      send: '--start',
      logs: '--startTime',
      local: '--max-receive-count',
      'dead-letters': '--include-dead-letters',
      doctor: '--engine-prefix',
      queues: '--endpoint',
      adopt: 'kept queues',
    };
    const runs = await Promise.all(Object.keys(said).map((command) => durable(command, '--help')));
    for (const [index, { code, stdout }] of runs.entries()) {
      expect(code).toBe(0);
      expect(stdout).toContain(Object.values(said)[index]);
      expect(stdout).toContain('--json');
    }
  });
});

describe('sls durable doctor', () => {
  it('exits 1 on an error, and says why and how to fix it', async () => {
    const { code, stdout } = await durable('doctor', '--offline', '--template', 'broken.json');
    expect(stdout).toContain(`error  no-max-receive-count
  where  template: Tasks (cli-tasks-pay)
  why    its RedrivePolicy has no maxReceiveCount, so nothing is ever moved
  fix    set maxReceiveCount to 10
`);
    expect(stdout).toContain('error  partial-failures-off');
    expect(stdout).toMatch(/broken\.json: 2 errors, 0 warnings\n$/);
    expect(code).toBe(1);
  });

  it('exits 0 on warnings, 1 with --strict, and 1 where there is nothing to examine', async () => {
    const [lenient, strict, nothing] = await Promise.all([
      durable('doctor', '--offline', '--template', 'doubtful.json'),
      durable('doctor', '--offline', '--template', 'doubtful.json', '--strict'),
      durable('doctor', '--offline'),
    ]);
    for (const { stdout } of [lenient, strict]) expect(stdout).toMatch(/warning {2}mapping-disabled\n[\s\S]*: 0 errors, 1 warning\n$/);
    expect([lenient.code, strict.code, nothing.code]).toEqual([0, 1, 1]);
    expect(nothing.stdout + nothing.stderr).toContain('nothing to examine: no packaged template');
  });

  it("exits 1 where the engine's prefix is another", async () => {
    const { code, stdout } = await durable('doctor', '--offline', '--template', 'doubtful.json', '--engine-prefix', 'durable', '--json');
    const { findings }: { findings: { id: string; severity: string }[] } = JSON.parse(stdout);
    expect(findings.map(({ id, severity }) => `${severity} ${id}`)).toEqual(['error prefix-differs', 'warning mapping-disabled']);
    expect(code).toBe(1);
  });

  it('judges the template alone without credentials, and fails with --live', async () => {
    const [quiet, live] = await Promise.all([
      durable('doctor', '--template', 'doubtful.json'),
      durable('doctor', '--template', 'doubtful.json', '--live'),
    ]);
    expect(quiet.stderr).toContain('note: queues and mappings on AWS were not examined: ');
    expect([quiet.code, live.code]).toEqual([0, 1]);
  });
});

describe('sls durable event', () => {
  it('prints a mistake on the command line without a stack, and exits 1', async () => {
    const runs = await Promise.all([
      durable('event', '--step', 'nope', '--input', '{}'),
      durable('event', '--step', 'pay', '--input-file', 'nowhere.json'),
    ]);
    const said = runs.map(({ stdout, stderr }) => stdout + stderr);
    expect(said[0]).toContain('--step: no step or workflow "nope" in this service; it has pay');
    expect(said[1]).toContain('--input-file: cannot read');
    for (const text of said) expect(text).not.toMatch(/\n {4}at /);
    expect(runs.map(({ code }) => code)).toEqual([1, 1]);
  });

  it('leaves stdout empty with --json', async () => {
    const { code, stdout, stderr } = await durable('event', '--step', 'nope', '--input', '{}', '--json');
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: '--step: no step or workflow "nope" in this service; it has pay\n',
    });
  });
});
