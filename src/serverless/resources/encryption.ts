import type { DurableDeployment } from '../deployment.ts';
import { allow, arnOf, policyDocument, RETAINED, type Resources, type Statement, sub, type Value } from './cloudformation.ts';
import { KMS_KEY } from './logical-ids.ts';

type Encrypted = Pick<DurableDeployment, 'kmsKey'>;

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

export function keyArn({ kmsKey }: Encrypted): Value | undefined {
  if (kmsKey === undefined) return undefined;
  return kmsKey.owned ? arnOf(KMS_KEY) : kmsKey.arn;
}

/** What whoever sends to or receives from an encrypted queue needs. */
export function keyStatements(deployment: Encrypted): readonly Statement[] {
  const key = keyArn(deployment);
  return key === undefined ? [] : allow(['kms:Decrypt', 'kms:GenerateDataKey'], [key]);
}
