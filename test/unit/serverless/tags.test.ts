import { describe, expect, it } from 'vitest';
import { readDurableService } from '../../../src/serverless/read-service.ts';
import type { Resources } from '../../../src/serverless/resources/cloudformation.ts';
import { stackResources } from '../../../src/serverless/resources/stack.ts';
import { bareFunction, functionWith } from './services.ts';

/** Everything that a service can make, under a provider with these settings. */
function resourcesUnder(provider: object): Resources {
  const deployment = readDurableService({
    provider: { runtime: 'nodejs24.x', ...provider },
    custom: { durable: { kmsKey: true, payloadBucket: true, perFunctionRoles: true, dashboard: true } },
    functions: { pay: functionWith({ durableStep: 'pay' }), dead: functionWith({ durableDeadLetters: true }) },
  });
  return stackResources(deployment, () => bareFunction('shop-dev-pay', { tags: [{ Key: 'role', Value: 'own' }] }));
}

function tagsByType(resources: Resources): Record<string, unknown> {
  return Object.fromEntries(Object.values(resources).map(({ Type, Properties }) => [Type, Properties['Tags']]));
}

describe('tags', () => {
  it('queues, alarms, key and bucket carry the tags of the functions over those of the stack', () => {
    const provider = { stackTags: { team: 'shop', stage: 'blue' }, tags: { team: 'payments', cost: '12' } };
    const tags = [
      { Key: 'team', Value: 'payments' },
      { Key: 'stage', Value: 'blue' },
      { Key: 'cost', Value: '12' },
    ];
    expect(tagsByType(resourcesUnder(provider))).toEqual({
      'AWS::SQS::Queue': tags,
      'AWS::CloudWatch::Alarm': tags,
      'AWS::KMS::Key': tags,
      'AWS::S3::Bucket': tags,
      'AWS::IAM::Role': [{ Key: 'role', Value: 'own' }],
      'AWS::SQS::QueuePolicy': undefined,
      'AWS::S3::BucketPolicy': undefined,
      'AWS::CloudWatch::Dashboard': undefined,
      'AWS::IAM::ManagedPolicy': undefined,
    });
  });

  it('every queue carries the tags', () => {
    const queues = Object.values(resourcesUnder({ tags: { team: 'payments' } })).filter(({ Type }) => Type === 'AWS::SQS::Queue');
    expect(queues.map(({ Properties }) => Properties['Tags'])).toEqual(queues.map(() => [{ Key: 'team', Value: 'payments' }]));
  });

  it.each([{}, { tags: {} }, { tags: null, stackTags: { team: null } }])('nothing carries tags where the provider is %j', (provider) => {
    for (const { Type, Properties } of Object.values(resourcesUnder(provider))) {
      if (Type !== 'AWS::IAM::Role') expect(Properties).not.toHaveProperty('Tags');
    }
  });
});
