import type { DurableDeployment } from '../deployment.ts';
import { allow, arnOf, policyDocument, RETAINED, type Resources, type Statement, sub, type Value } from './cloudformation.ts';
import { KMS_KEY } from './logical-ids.ts';

type Encrypted = Pick<DurableDeployment, 'kmsKey' | 'payloadBucket'>;

/** The key of all queues, where one is asked for. Kept with the queues: without it their messages could not be read. */
export function keyResources({ kmsKey, prefix }: Pick<DurableDeployment, 'kmsKey' | 'prefix'>): Resources {
  if (kmsKey?.owned !== true) return {};
  const account = sub(`arn:\${AWS::Partition}:iam::\${AWS::AccountId}:root`);
  // In a key policy `*` means this key. The statement lets the account's IAM policies decide.
  const administration = { Effect: 'Allow', Principal: { AWS: account }, Action: 'kms:*', Resource: '*' };
  return {
    [KMS_KEY]: {
      Type: 'AWS::KMS::Key',
      ...RETAINED,
      Properties: {
        Description: `Queues of ${prefix}`,
        EnableKeyRotation: true,
        KeyPolicy: policyDocument([administration]),
      },
    },
  };
}

export function keyArn({ kmsKey }: Pick<DurableDeployment, 'kmsKey'>): Value | undefined {
  if (kmsKey === undefined) return undefined;
  return kmsKey.owned ? arnOf(KMS_KEY) : kmsKey.arn;
}

/**
 * The rights on the key that senders and receivers need, through SQS and S3 only: no function and no engine calls KMS
 * itself, and one that could would decrypt whatever the key has ever encrypted.
 * @see https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
 */
export function keyStatements(deployment: Encrypted): readonly Statement[] {
  const key = keyArn(deployment);
  if (key === undefined) return [];
  const services = deployment.payloadBucket === undefined ? ['sqs'] : ['sqs', 's3'];
  // The domain after the region depends on the partition. KMS sets this value itself, so the wildcard admits nobody
  // else.
  const viaService = services.map((service) => sub(`${service}.\${AWS::Region}.*`));
  return allow(['kms:Decrypt', 'kms:GenerateDataKey'], [key], { StringLike: { 'kms:ViaService': viaService } });
}
