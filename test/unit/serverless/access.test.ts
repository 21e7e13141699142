import { describe, expect, it } from 'vitest';
import { readDurableService } from '../../../src/serverless/read-service.ts';
import { enginePolicy } from '../../../src/serverless/resources/access.ts';
import type { Resource } from '../../../src/serverless/resources/cloudformation.ts';
import { stepLogicalId } from '../../../src/serverless/resources/logical-ids.ts';
import { mappings } from '../../../src/serverless/resources/mappings.ts';
import { payloadStatements } from '../../../src/serverless/resources/payload-bucket.ts';
import { stackResources } from '../../../src/serverless/resources/stack.ts';
import { functionWith, serviceOf } from './services.ts';

const deployment = readDurableService(
  serviceOf({
    durable: { kmsKey: true, payloadBucket: true, perFunctionRoles: true },
    functions: { charge: functionWith({ durableStep: 'pay' }), dead: functionWith({ durableDeadLetters: true }) },
  }),
);
const resources = stackResources(deployment, (functionKey) => ({
  functionName: `shop-dev-${functionKey}`,
  polled: [],
  vpc: false,
  tracing: false,
  statements: [],
  managedPolicies: [],
  permissionsBoundary: undefined,
  path: undefined,
  tags: [],
}));

const arn = (logicalId: string) => ({ 'Fn::GetAtt': [logicalId, 'Arn'] });
const tasks = stepLogicalId('pay', 'TasksQueue');
const allowed = (Action: string[], ...Resource: unknown[]) => ({ Effect: 'Allow', Action, Resource });
const key = allowed(['kms:Decrypt', 'kms:GenerateDataKey'], arn('DurableKey'));
const payloads = allowed(['s3:GetObject', 's3:PutObject'], { 'Fn::Sub': `\${DurablePayloadBucket.Arn}/durable/*` });
const ofType = (type: string): [string, Resource][] => Object.entries(resources).filter(([, { Type }]) => Type === type);

describe('the whole of the rights', () => {
  it('of an engine: to send tasks, to take results, and what a key and a bucket ask for', () => {
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

  it('of a role of its own: to log, to be polled for, to answer, and what a key and a bucket ask for', () => {
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

  it('on a bucket end at the prefix of the keys', () => {
    const { payloadBucket } = readDurableService(
      serviceOf({ durable: { payloadBucket: { name: 'ours', keyPrefix: 'team/' } }, step: 'a' }),
    );
    expect(payloadStatements({ payloadBucket })).toEqual([
      allowed(['s3:GetObject', 's3:PutObject'], { 'Fn::Sub': `arn:\${AWS::Partition}:s3:::ours/team/*` }),
    ]);
  });

  it('are there before the mapping that needs them', () => {
    expect(mappings(deployment).map(({ dependsOn }) => dependsOn)).toEqual(['DurableFunctionRoleCharge', 'DurableFunctionRoleDead']);
  });

  it('on the key are what the policies of its account say', () => {
    const root = { 'Fn::Sub': `arn:\${AWS::Partition}:iam::\${AWS::AccountId}:root` };
    expect(resources['DurableKey']?.Properties['KeyPolicy']).toEqual({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { AWS: root }, Action: 'kms:*', Resource: '*' }],
    });
  });
});

describe('what comes without TLS', () => {
  // Turned round, the condition would close the queue to everybody else.
  const denied = { Effect: 'Deny', Principal: '*', Condition: { Bool: { 'aws:SecureTransport': 'false' } } };

  it('is denied on every queue, and nothing else is', () => {
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

  it('is denied on the bucket, which is open to nobody', () => {
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
