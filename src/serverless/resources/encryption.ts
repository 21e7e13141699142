import type { DurableDeployment } from '../deployment.ts';
import { allow, arnOf, policyDocument, RETAINED, type Resources, type Statement, sub, type Value } from './cloudformation.ts';
import { KMS_KEY } from './logical-ids.ts';

type Encrypted = Pick<DurableDeployment, 'kmsKey' | 'payloadBucket'>;

/** The key of all queues, where one is asked for. Kept with the queues: without it their messages could not be read. */
export function keyResources({ kmsKey, prefix }: Pick<DurableDeployment, 'kmsKey' | 'prefix'>): Resources {
  if (kmsKey?.owned !== true) return {};
  const account = sub(`arn:\${AWS::Partition}:iam::\${AWS::AccountId}:root`);
  // A key policy speaks of its own key only: `*` is this key. It lets the account's IAM policies decide.
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
 * What whoever sends to or receives from an encrypted queue needs of its key, and of the bucket's: by way of SQS and S3 only. Nobody has to
 * call KMS itself, and whoever did could decrypt anything that was ever encrypted with the key.
 * @see https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
 */
export function keyStatements(deployment: Encrypted): readonly Statement[] {
  const key = keyArn(deployment);
  if (key === undefined) return [];
  const services = deployment.payloadBucket === undefined ? ['sqs'] : ['sqs', 's3'];
  // The domain behind the region differs by partition. KMS writes the whole value, so a wildcard lets nobody else in.
  const viaService = services.map((service) => sub(`${service}.\${AWS::Region}.*`));
  return allow(['kms:Decrypt', 'kms:GenerateDataKey'], [key], { StringLike: { 'kms:ViaService': viaService } });
}
