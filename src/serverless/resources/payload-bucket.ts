import { DEFAULT_KEY_PREFIX } from '../../payloads/payload-key.ts';
import type { DurableDeployment } from '../deployment.ts';
import { allow, arnOf, policyDocument, RETAINED, type Resources, ref, type Statement, sub, type Value } from './cloudformation.ts';
import { keyArn } from './encryption.ts';
import { PAYLOAD_BUCKET, PAYLOAD_BUCKET_POLICY } from './logical-ids.ts';

/** The bucket of messages that SQS is too small for, where this service makes it. */
export function payloadBucketResources(deployment: DurableDeployment): Resources {
  const { payloadBucket } = deployment;
  if (payloadBucket?.owned !== true) return {};
  const key = keyArn(deployment);
  const encryption: Value = key === undefined ? { SSEAlgorithm: 'AES256' } : { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: key };
  return {
    [PAYLOAD_BUCKET]: {
      Type: 'AWS::S3::Bucket',
      ...RETAINED,
      Properties: {
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: encryption, BucketKeyEnabled: key !== undefined }],
        },
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
        LifecycleConfiguration: {
          Rules: [
            {
              Id: 'expire',
              Status: 'Enabled',
              ExpirationInDays: payloadBucket.retentionDays,
              AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
            },
          ],
        },
      },
    },
    [PAYLOAD_BUCKET_POLICY]: {
      Type: 'AWS::S3::BucketPolicy',
      ...RETAINED,
      Properties: { Bucket: ref(PAYLOAD_BUCKET), PolicyDocument: policyDocument([tlsOnly()]) },
    },
  };
}

/** Name of the bucket, for environments and outputs. */
export function payloadBucketName({ payloadBucket }: Pick<DurableDeployment, 'payloadBucket'>): Value | undefined {
  if (payloadBucket === undefined) return undefined;
  return payloadBucket.owned ? ref(PAYLOAD_BUCKET) : payloadBucket.name;
}

/** Beginning of the keys, where it is another than `s3PayloadStore` has by itself. */
export function ownKeyPrefix({ payloadBucket }: Pick<DurableDeployment, 'payloadBucket'>): string | undefined {
  return payloadBucket?.keyPrefix === DEFAULT_KEY_PREFIX ? undefined : payloadBucket?.keyPrefix;
}

const READ = 's3:GetObject';
const WRITE = 's3:PutObject';
/** Whoever sends tasks or results reads them too. */
export const READ_AND_WRITE = [READ, WRITE];
/** A dead letter's body says whose task it was; what its function sends is never too large for a message. */
export const READ_ONLY = [READ];
/** Whoever only starts runs reads none of their inputs. */
export const WRITE_ONLY = [WRITE];

/** The right to stored bodies: the keys of the prefix, and nothing else in the bucket. */
export function payloadStatements(
  { payloadBucket }: Pick<DurableDeployment, 'payloadBucket'>,
  actions: typeof READ_AND_WRITE,
): readonly Statement[] {
  if (payloadBucket === undefined || actions.length === 0) return [];
  const bucket = payloadBucket.owned ? `\${${PAYLOAD_BUCKET}.Arn}` : `arn:\${AWS::Partition}:s3:::${payloadBucket.name}`;
  return allow(actions, [sub(`${bucket}/${payloadBucket.keyPrefix}*`)]);
}

function tlsOnly(): Value {
  return {
    Sid: 'TlsOnly',
    Effect: 'Deny',
    Principal: '*',
    Action: 's3:*',
    Resource: [arnOf(PAYLOAD_BUCKET), sub(`\${${PAYLOAD_BUCKET}.Arn}/*`)],
    Condition: { Bool: { 'aws:SecureTransport': 'false' } },
  };
}
