import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DurableDeployment } from '../../../src/serverless/deployment.ts';
import type { Template, TemplateResource } from '../../../src/serverless/framework.ts';
import { durableFunctions, readDurableService } from '../../../src/serverless/read-service.ts';
import { functionStatements } from '../../../src/serverless/resources/access.ts';
import { mergeStatements, type Resources, type Statement } from '../../../src/serverless/resources/cloudformation.ts';
import { nodeOptions, workerEnvironment } from '../../../src/serverless/resources/environment.ts';
import { type StepResource, stepLogicalId } from '../../../src/serverless/resources/logical-ids.ts';
import { mappings } from '../../../src/serverless/resources/mappings.ts';
import { policySizeProblem } from '../../../src/serverless/resources/policy-size.ts';
import { type RoleContext, serviceRoleStatements } from '../../../src/serverless/resources/roles.ts';
import { stackOutputs, stackResources, stackSizeProblem } from '../../../src/serverless/resources/stack.ts';
import { roleContext } from '../../../src/serverless/role-context.ts';
import { bareFunction, functionWith, serviceOf } from './services.ts';

const CONTEXT: RoleContext = bareFunction('shop-dev-charge');

function resourcesOf(deployment: DurableDeployment): Resources {
  return stackResources(deployment, () => CONTEXT);
}

const two = (durable: object = {}) =>
  readDurableService(
    serviceOf({
      durable,
      functions: {
        charge: functionWith({ durableStep: 'charge' }),
        ship: functionWith({ durableStep: 'ship' }),
        dead: functionWith({ durableDeadLetters: true }),
      },
    }),
  );

describe('logical ids', () => {
  const kinds: StepResource[] = ['TasksQueue', 'TasksQueuePolicy', 'DeadLetterQueue', 'ParkedQueue', 'TasksAgeAlarm', 'TasksQueueUrl'];
  const token = fc.oneof(
    fc.stringMatching(/^[a-b.:@_-]{1,6}$/),
    fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme' }).filter((text) => text.isWellFormed()),
  );

  it('logical ids are legal and never collide, whatever the steps are called', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(token, fc.constantFrom(...kinds)), { selector: ([name, kind]) => `${kind} ${name}` }),
        (pairs) => {
          const ids = pairs.map(([name, kind]) => stepLogicalId(name, kind));
          expect(new Set(ids).size).toBe(pairs.length);
          for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9]{1,255}$/);
        },
      ),
    );
  });

  it('logical ids differ where names differ in punctuation or case only', () => {
    const ids = ['a.b', 'a-b', 'a_b', 'aB', 'A.b', 'ab'].map((name) => stepLogicalId(name, 'TasksQueue'));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('logical ids tell the resources of a whole service apart', () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-c.@_-]{1,5}$/), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(names, (steps) => {
        const functions = { fn: functionWith(...steps.map((name) => ({ durableStep: name }))) };
        const resources = resourcesOf(readDurableService(serviceOf({ functions })));
        const queues = Object.values(resources).flatMap(({ Properties }) =>
          Properties['QueueName'] === undefined ? [] : [Properties['QueueName']],
        );
        expect(queues).toHaveLength(steps.length * 3 + 2);
        expect(new Set(queues).size).toBe(queues.length);
      }),
    );
  });
});

describe('rights', () => {
  const actionsOn = (statements: readonly Statement[], id: string) =>
    statements.flatMap(({ Action, Resource }) => (JSON.stringify(Resource).includes(id) ? Action : [])).sort();
  const id = stepLogicalId;

  it('a worker may poll its own queue, change its visibility and send results, and nothing else', () => {
    const deployment = two();
    const [charge] = durableFunctions(deployment);
    if (charge === undefined) throw new Error('no function');
    const statements = functionStatements(deployment, charge, { poll: true });
    expect(actionsOn(statements, id('charge', 'TasksQueue'))).toEqual([
      'sqs:ChangeMessageVisibility',
      'sqs:DeleteMessage',
      'sqs:GetQueueAttributes',
      'sqs:ReceiveMessage',
    ]);
    expect(actionsOn(statements, 'DurableResultsQueue')).toEqual(['sqs:SendMessage']);
    expect(statements.flatMap(({ Resource }) => Resource)).toHaveLength(3);
  });

  it('the dead-letter function may poll every dead-letter queue, park and send results, and read no tasks', () => {
    const deployment = two();
    if (deployment.deadLetters === undefined) throw new Error('no dead-letter function');
    const statements = functionStatements(deployment, deployment.deadLetters, { poll: true });
    for (const token of ['charge', 'ship']) {
      expect(actionsOn(statements, id(token, 'DeadLetterQueue'))).toEqual([
        'sqs:DeleteMessage',
        'sqs:GetQueueAttributes',
        'sqs:ReceiveMessage',
      ]);
      expect(actionsOn(statements, id(token, 'ParkedQueue'))).toEqual(['sqs:GetQueueUrl', 'sqs:SendMessage']);
      expect(actionsOn(statements, id(token, 'TasksQueue'))).toEqual([]);
    }
    expect(actionsOn(statements, 'DurableResultsQueue')).toEqual(['sqs:SendMessage']);
  });

  it('a key and a bucket add their rights, for workers and the engine', () => {
    const deployment = two({ kmsKey: true, payloadBucket: true });
    const engine = JSON.stringify(resourcesOf(deployment)['DurableEnginePolicy']);
    for (const rights of [JSON.stringify(serviceRoleStatements(deployment)), engine]) {
      for (const action of ['kms:Decrypt', 'kms:GenerateDataKey', 's3:GetObject', 's3:PutObject']) expect(rights).toContain(action);
    }
  });

  it('no right is on everything', () => {
    for (const durable of [{}, { kmsKey: true, payloadBucket: true, perFunctionRoles: true }]) {
      const deployment = two(durable);
      const iam = Object.values(resourcesOf(deployment)).filter(({ Type }) => Type.startsWith('AWS::IAM::'));
      expect(iam.length).toBeGreaterThan(0);
      expect(JSON.stringify([iam, serviceRoleStatements(deployment)])).not.toMatch(/"Resource":("\*"|\[[^\]]*"\*")/);
    }
  });

  it('statements with the same actions and condition become one, each resource once', () => {
    const statement = (...Resource: string[]): Statement => ({ Effect: 'Allow', Action: ['a'], Resource });
    expect(mergeStatements([statement('x', 'y'), statement('y', 'z')])).toEqual([statement('x', 'y', 'z')]);
    const limited = { ...statement('x'), Condition: { Bool: { 'aws:SecureTransport': 'true' } } };
    expect(mergeStatements([statement('x'), limited, statement('z')])).toEqual([statement('x', 'z'), limited]);
  });
});

describe('a role of its own', () => {
  const charge = { name: 'shop-dev-charge', events: [] };
  // The tool has put `vpc: {}` into both by then.
  const provider = { vpc: {} };

  it('roleContext finds no VPC where neither function nor provider has subnets', () => {
    expect(roleContext({ provider, functions: { charge: { ...charge, vpc: {} } } }, 'charge').vpc).toBe(false);
    const inside = { subnetIds: ['subnet-1'], securityGroupIds: ['sg-1'] };
    expect(roleContext({ provider: { vpc: inside }, functions: { charge: { ...charge, vpc: {} } } }, 'charge').vpc).toBe(true);
    expect(roleContext({ provider, functions: { charge: { ...charge, vpc: inside } } }, 'charge').vpc).toBe(true);
    expect(roleContext({ provider: { vpc: inside }, functions: { charge: { ...charge, vpc: false } } }, 'charge').vpc).toBe(false);
  });

  it('roleContext takes over settings by their older names', () => {
    const statement = { Effect: 'Allow', Action: 'a:B', Resource: 'c' };
    const older = { iamRoleStatements: [statement], iamManagedPolicies: ['arn:policy'], rolePermissionsBoundary: 'arn:boundary' };
    expect(roleContext({ provider: older, functions: { charge } }, 'charge')).toMatchObject({
      statements: [statement],
      managedPolicies: ['arn:policy'],
      permissionsBoundary: 'arn:boundary',
    });
    const tagged = { iam: { role: { tags: { team: 'shop' } } } };
    expect(roleContext({ provider: tagged, functions: { charge } }, 'charge').tags).toEqual([{ Key: 'team', Value: 'shop' }]);
  });

  it('roleContext has the rights that settings of its function ask for', () => {
    const fn = { ...charge, onError: 'arn:topic', fileSystemConfig: { arn: 'arn:files', localMountPath: '/mnt/a' } };
    const { statements } = roleContext({ provider: { kmsKeyArn: 'arn:key' }, functions: { charge: fn } }, 'charge');
    expect(statements).toEqual([
      { Effect: 'Allow', Action: ['kms:Decrypt'], Resource: ['arn:key'] },
      { Effect: 'Allow', Action: ['sns:Publish'], Resource: ['arn:topic'] },
      { Effect: 'Allow', Action: ['elasticfilesystem:ClientMount', 'elasticfilesystem:ClientWrite'], Resource: ['arn:files'] },
    ]);
  });

  it('a role may read the queues of plain sqs events of its function, each named once', () => {
    const other = 'arn:aws:sqs:eu-west-1:1:other';
    const own = { 'Fn::GetAtt': [stepLogicalId('charge', 'TasksQueue'), 'Arn'] };
    const events = [{ sqs: other }, { sqs: { arn: { 'Fn::ImportValue': 'queue' } } }, { sqs: { arn: own } }, { schedule: 'rate(1 hour)' }];
    const context = roleContext({ provider, functions: { charge: { ...charge, events } } }, 'charge');
    const resources = stackResources(two({ perFunctionRoles: true }), () => context);
    const [policy] = Object(resources['DurableFunctionRoleCharge']?.Properties['Policies']);
    expect(policy.PolicyDocument.Statement.filter(({ Action }: Statement) => Action.includes('sqs:ReceiveMessage'))).toEqual([
      {
        Effect: 'Allow',
        Action: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'],
        Resource: [own, other, { 'Fn::ImportValue': 'queue' }],
      },
    ]);
  });

  it('an existing role has one policy per stack: two stages may share it', () => {
    const service = readDurableService(serviceOf({ step: 'a', fn: { role: 'arn:aws:iam::123456789012:role/shared' } }));
    expect(resourcesOf(service)['DurableFunctionPolicyCharge']?.Properties).toMatchObject({
      Roles: ['shared'],
      PolicyName: { 'Fn::Join': ['-', ['durable', 'charge', { 'Fn::Select': [2, { 'Fn::Split': ['/', { Ref: 'AWS::StackId' }] }] }]] },
    });
  });
});

it('a dashboard is named after its stack: services of one prefix may each have one', () => {
  expect(resourcesOf(two({ dashboard: true }))['DurableDashboard']?.Properties['DashboardName']).toEqual({
    'Fn::Sub': `\${AWS::StackName}-\${AWS::Region}`,
  });
});

describe('queues', () => {
  it('a service without a dead-letter function has all three queues of a step', () => {
    const resources = resourcesOf(readDurableService(serviceOf({ step: 'a' })));
    for (const kind of ['TasksQueue', 'DeadLetterQueue', 'ParkedQueue'] as const)
      expect(resources).toHaveProperty(stepLogicalId('a', kind));
  });

  it('queues that may hold the only copy of a message outlive the stack with their policy, and so do key and bucket', () => {
    const resources = resourcesOf(two({ kmsKey: true, payloadBucket: true }));
    const kept = Object.entries(resources).filter(
      ([, { DeletionPolicy, UpdateReplacePolicy }]) => DeletionPolicy === 'RetainExceptOnCreate' && UpdateReplacePolicy === 'Retain',
    );
    const ofSteps = ['charge', 'ship'].flatMap((token) =>
      (['DeadLetterQueue', 'DeadLetterQueuePolicy', 'ParkedQueue', 'ParkedQueuePolicy'] as const).map((kind) => stepLogicalId(token, kind)),
    );
    const ofService = ['DurableResultsQueue', 'DurableResultsDeadLetterQueue', 'DurablePayloadBucket'];
    const ids = [...ofSteps, ...ofService.flatMap((id) => [id, `${id}Policy`]), 'DurableKey'];
    expect(kept.map(([logicalId]) => logicalId).sort()).toEqual(ids.sort());
  });

  it('every queue has a policy that refuses requests without TLS', () => {
    const resources = resourcesOf(two());
    const queues = Object.entries(resources).filter(([, { Type }]) => Type === 'AWS::SQS::Queue');
    const closed = Object.values(resources).flatMap(({ Type, Properties }) =>
      Type === 'AWS::SQS::QueuePolicy' ? [Properties['Queues']] : [],
    );
    expect(closed).toEqual(queues.map(([logicalId]) => [{ Ref: logicalId }]));
  });
});

describe('alarms', () => {
  it('alarms: false makes none', () => {
    const types = Object.values(resourcesOf(two({ alarms: false }))).map(({ Type }) => Type);
    expect(types).not.toContain('AWS::CloudWatch::Alarm');
  });
});

describe('a results queue that another service owns', () => {
  const shared = two({
    resultsQueue: { url: 'https://sqs.eu-west-1.amazonaws.com/1/shop-results', arn: 'arn:aws:sqs:eu-west-1:1:shop-results' },
    payloadBucket: { name: 'shop-payloads' },
  });

  it('a results queue of another service is neither made nor watched, but sent to', () => {
    const resources = resourcesOf(shared);
    expect(Object.keys(resources).filter((id) => id.startsWith('DurableResults'))).toEqual([]);
    expect(workerEnvironment(shared)).toEqual({
      DURABLE_PREFIX: 'durable',
      DURABLE_RESULTS_QUEUE_URL: 'https://sqs.eu-west-1.amazonaws.com/1/shop-results',
      DURABLE_PAYLOAD_BUCKET: 'shop-payloads',
    });
    expect(serviceRoleStatements(shared)).toContainEqual({
      Effect: 'Allow',
      Action: ['sqs:SendMessage'],
      Resource: ['arn:aws:sqs:eu-west-1:1:shop-results'],
    });
  });

  it('the outputs name the results queue, whoever owns it', () => {
    expect(stackOutputs(shared)['DurableResultsQueueUrl']?.Value).toBe('https://sqs.eu-west-1.amazonaws.com/1/shop-results');
  });

  it('outputs give the URL and ARN of a results queue, and the key without which SQS refuses every result', () => {
    expect(stackOutputs(two({ kmsKey: true }))).toMatchObject({
      DurableResultsQueueUrl: { Value: { Ref: 'DurableResultsQueue' } },
      DurableResultsQueueArn: { Value: { 'Fn::GetAtt': ['DurableResultsQueue', 'Arn'] } },
      DurableKeyArn: { Value: { 'Fn::GetAtt': ['DurableKey', 'Arn'] } },
    });
    expect(stackOutputs(two())).not.toHaveProperty('DurableKeyArn');
  });
});

describe('mappings', () => {
  it('every mapping reports batch item failures', () => {
    const all = mappings(two());
    expect(all).toHaveLength(4);
    for (const { sqs } of all) expect(sqs['functionResponseType']).toBe('ReportBatchItemFailures');
  });
});

describe('NODE_OPTIONS', () => {
  it.each([
    [undefined, '--enable-source-maps'],
    ['--max-old-space-size=200', '--max-old-space-size=200 --enable-source-maps'],
    ['--enable-source-maps', '--enable-source-maps'],
  ])('%s becomes %s', (given, expected) => {
    expect(nodeOptions(given)).toBe(expected);
  });

  it('a NODE_OPTIONS that CloudFormation fills in is left alone', () => {
    expect(nodeOptions({ Ref: 'Options' })).toEqual({ Ref: 'Options' });
  });
});

describe('a stack', () => {
  it('a stack of more than 500 resources is refused with what to do', () => {
    expect(stackSizeProblem(500, 40)).toBeUndefined();
    expect(stackSizeProblem(501, 40)).toBe(
      "resources: expected at most 500 in one stack (CloudFormation's limit), got 501, with 40 durable steps; " +
        'move steps to another service that shares the results queue (resultsQueue: { url, arn }), or set alarms: false',
    );
  });

  it('an engine policy that IAM would refuse during the deployment is refused before it', () => {
    const withSteps = (count: number) => {
      const steps = Array.from({ length: count }, (_, index) => ({ durableStep: `notifications.send-the-monthly-letter-${index}` }));
      const deployment = readDurableService(serviceOf({ durable: { alarms: false }, functions: { fn: functionWith(...steps) } }));
      const Resources = Object.fromEntries(
        Object.entries(resourcesOf(deployment)).map(([id, { Type, Properties }]) => [id, { Type, Properties }]),
      );
      return policySizeProblem({ Resources });
    };
    expect(withSteps(30)).toBeUndefined();
    expect(withSteps(65)).toMatch(
      /^resources: expected at most 6144 characters in the managed policy of the engine .*, got about \d{4}; move steps to another service/,
    );
  });

  it('a role that IAM would refuse during the deployment is refused before it', () => {
    const queues = Array.from({ length: 30 }, (_, index): [string, TemplateResource] => [
      `Queue${index}`,
      { Type: 'AWS::SQS::Queue', Properties: { QueueName: `shop-production-tasks-notifications--send-step-number-${index}` } },
    ]);
    const roleOn = (statements: number): Template => {
      const Resource = queues.map(([id]) => ({ 'Fn::GetAtt': [id, 'Arn'] }));
      const Statement = Array.from({ length: statements }, () => ({ Effect: 'Allow', Action: ['sqs:SendMessage'], Resource }));
      const role = { Type: 'AWS::IAM::Role', Properties: { Policies: [{ PolicyName: 'worker', PolicyDocument: { Statement } }] } };
      return { Resources: { ...Object.fromEntries(queues), IamRoleLambdaExecution: role } };
    };
    expect(policySizeProblem(roleOn(3))).toBeUndefined();
    expect(policySizeProblem(roleOn(4))).toMatch(
      /^resources: expected at most 10240 characters of policies in one role .*, got about 1\d{4} in IamRoleLambdaExecution; set custom\.durable\.perFunctionRoles: true/,
    );
  });

  it('an existing role that cannot hold the policies of all its functions is refused before the deployment', () => {
    const withSteps = (count: number, role: string) => {
      const functions = ['one', 'two', 'three'].map((key): [string, object] => {
        const steps = Array.from({ length: count }, (_, index) => ({ durableStep: `notifications.send-letter-${key}-${index}` }));
        return [key, { ...functionWith(...steps), role }];
      });
      const all = resourcesOf(readDurableService(serviceOf({ functions: Object.fromEntries(functions) })));
      const ours = Object.entries(all).filter(([id]) => id !== 'DurableEnginePolicy');
      const Resources = Object.fromEntries(ours.map(([id, { Type, Properties }]) => [id, { Type, Properties }]));
      return policySizeProblem({ Resources });
    };
    const arn = 'arn:aws:iam::123456789012:role/team/letters';
    expect(withSteps(10, arn)).toBeUndefined();
    expect(withSteps(18, arn)).toMatch(/expected at most 10240 characters of policies in one role .*, got about 1\d{4} in letters; /);
    expect(withSteps(18, 'LettersRole')).toMatch(/ in LettersRole; /);
  });
});
