import { describe, expect, it } from 'vitest';
import { readDurableService } from '../../../src/serverless/read-service.ts';
import { enginePolicy } from '../../../src/serverless/resources/access.ts';
import type { Resource } from '../../../src/serverless/resources/cloudformation.ts';
import { keyStatements } from '../../../src/serverless/resources/encryption.ts';
import { workerEnvironment } from '../../../src/serverless/resources/environment.ts';
import { stepLogicalId } from '../../../src/serverless/resources/logical-ids.ts';
import { mappings } from '../../../src/serverless/resources/mappings.ts';
import { payloadStatements, READ_ONLY } from '../../../src/serverless/resources/payload-bucket.ts';
import { stackOutputs, stackResources } from '../../../src/serverless/resources/stack.ts';
import { allowed, arn, bareFunction, functionWith, serviceOf } from './services.ts';

const deployment = readDurableService(
  serviceOf({
    durable: { kmsKey: true, payloadBucket: true, perFunctionRoles: true },
    functions: { charge: functionWith({ durableStep: 'pay' }), dead: functionWith({ durableDeadLetters: true }) },
  }),
);
const resources = stackResources(deployment, (functionKey) => bareFunction(`shop-dev-${functionKey}`));

const tasks = stepLogicalId('pay', 'TasksQueue');
const viaService = [{ 'Fn::Sub': `sqs.\${AWS::Region}.*` }, { 'Fn::Sub': `s3.\${AWS::Region}.*` }];
const key = {
  ...allowed(['kms:Decrypt', 'kms:GenerateDataKey'], arn('DurableKey')),
  Condition: { StringLike: { 'kms:ViaService': viaService } },
};
const bodies = { 'Fn::Sub': `\${DurablePayloadBucket.Arn}/durable/*` };
const payloads = allowed(['s3:GetObject', 's3:PutObject'], bodies);
const ofType = (type: string): [string, Resource][] => Object.entries(resources).filter(([, { Type }]) => Type === type);

describe('the whole of the rights', () => {
  it('engine: sends tasks, receives results, reads and writes stored bodies, uses the key', () => {
    expect(enginePolicy(deployment)['DurableEnginePolicy']?.Properties['PolicyDocument']).toEqual({
      Version: '2012-10-17',
      Statement: [
        allowed(['sqs:SendMessage', 'sqs:GetQueueUrl', 'sqs:GetQueueAttributes'], arn(tasks)),
        allowed(['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility', 'sqs:GetQueueUrl'], arn('DurableResultsQueue')),
        payloads,
        key,
      ],
    });
  });

  it('step function with a role of its own: logs, is polled for, sends results, reads and writes stored bodies, uses the key', () => {
    const log = { 'Fn::Sub': `arn:\${AWS::Partition}:logs:\${AWS::Region}:\${AWS::AccountId}:log-group:/aws/lambda/shop-dev-charge:*` };
    expect(resources['DurableFunctionRoleCharge']?.Properties['Policies']).toEqual([
      {
        PolicyName: 'durable-worker',
        PolicyDocument: {
          Version: '2012-10-17',
          Statement: [
            allowed(['logs:CreateLogStream', 'logs:PutLogEvents'], log),
            allowed(['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'], arn(tasks)),
            allowed(['sqs:ChangeMessageVisibility'], arn(tasks)),
            allowed(['sqs:SendMessage'], arn('DurableResultsQueue')),
            payloads,
            key,
          ],
        },
      },
    ]);
  });

  it('dead-letter function: is polled for, sends results, parks, reads stored bodies but writes none, uses the key', () => {
    const [policy] = Object(resources['DurableFunctionRoleDead']?.Properties['Policies']);
    expect(policy.PolicyDocument.Statement.slice(1)).toEqual([
      allowed(['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'], arn(stepLogicalId('pay', 'DeadLetterQueue'))),
      allowed(['sqs:SendMessage'], arn('DurableResultsQueue')),
      allowed(['sqs:SendMessage', 'sqs:GetQueueUrl'], arn(stepLogicalId('pay', 'ParkedQueue'))),
      allowed(['s3:GetObject'], bodies),
      key,
    ]);
  });

  it('mappings: wait for the role that they need', () => {
    expect(mappings(deployment).map(({ dependsOn }) => dependsOn)).toEqual(['DurableFunctionRoleCharge', 'DurableFunctionRoleDead']);
  });

  it('key: leaves it to the policies of its account', () => {
    const root = { 'Fn::Sub': `arn:\${AWS::Partition}:iam::\${AWS::AccountId}:root` };
    expect(resources['DurableKey']?.Properties['KeyPolicy']).toEqual({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { AWS: root }, Action: 'kms:*', Resource: '*' }],
    });
  });
});

describe('stored bodies', () => {
  it('rights cover the key prefix of the service, in its own bucket and in one that is given', () => {
    const service = (payloadBucket: object) => readDurableService(serviceOf({ durable: { payloadBucket }, step: 'pay' }));
    const objects = (payloadBucket: object) => payloadStatements(service(payloadBucket), READ_ONLY).map(({ Resource }) => Resource);
    expect(objects({ keyPrefix: 'team/v1.2/' })).toEqual([[{ 'Fn::Sub': `\${DurablePayloadBucket.Arn}/team/v1.2/*` }]]);
    expect(objects({ name: 'bodies', keyPrefix: 'team/' })).toEqual([[{ 'Fn::Sub': `arn:\${AWS::Partition}:s3:::bodies/team/*` }]]);
    expect(objects({ name: 'bodies' })).toEqual([[{ 'Fn::Sub': `arn:\${AWS::Partition}:s3:::bodies/durable/*` }]]);
  });

  it('functions and engine are told of a key prefix that s3PayloadStore would not take by itself', () => {
    const own = readDurableService(serviceOf({ durable: { payloadBucket: { keyPrefix: 'team/' } }, step: 'pay' }));
    expect(workerEnvironment(own)).toMatchObject({ DURABLE_PAYLOAD_KEY_PREFIX: 'team/' });
    expect(stackOutputs(own)).toMatchObject({ DurablePayloadKeyPrefix: { Value: 'team/' } });
    expect(workerEnvironment(deployment)).not.toHaveProperty('DURABLE_PAYLOAD_KEY_PREFIX');
    expect(stackOutputs(deployment)).not.toHaveProperty('DurablePayloadKeyPrefix');
  });

  it('a key that encrypts queues only is used by way of SQS only', () => {
    const service = readDurableService(serviceOf({ durable: { kmsKey: true }, step: 'pay' }));
    expect(keyStatements(service)).toMatchObject([
      { Condition: { StringLike: { 'kms:ViaService': [{ 'Fn::Sub': `sqs.\${AWS::Region}.*` }] } } },
    ]);
  });
});

describe('a request without TLS', () => {
  // Turned round, the condition would close the queue to everybody else.
  const denied = { Effect: 'Deny', Principal: '*', Condition: { Bool: { 'aws:SecureTransport': 'false' } } };

  it('every queue denies it, and denies nothing else', () => {
    const policies = ofType('AWS::SQS::QueuePolicy').map(([, { Properties }]) => Properties);
    expect(policies).toEqual(
      expect.arrayContaining(
        ofType('AWS::SQS::Queue').map(([queue]) => ({
          Queues: [{ Ref: queue }],
          PolicyDocument: { Version: '2012-10-17', Statement: [{ Sid: 'TlsOnly', ...denied, Action: 'sqs:*', Resource: arn(queue) }] },
        })),
      ),
    );
    expect(policies).toHaveLength(5);
  });

  it('the bucket, which is open to nobody, denies it', () => {
    expect(resources['DurablePayloadBucketPolicy']?.Properties).toMatchObject({
      Bucket: { Ref: 'DurablePayloadBucket' },
      PolicyDocument: {
        Statement: [
          { ...denied, Action: 's3:*', Resource: [arn('DurablePayloadBucket'), { 'Fn::Sub': `\${DurablePayloadBucket.Arn}/*` }] },
        ],
      },
    });
    expect(resources['DurablePayloadBucket']?.Properties['PublicAccessBlockConfiguration']).toEqual({
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    });
  });
});
