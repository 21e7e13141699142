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
      Properties: { Bucket: ref(PAYLOAD_BUCKET), PolicyDocument: policyDocument([tlsOnly()]) },
    },
  };
}

/** Name of the bucket, for environments and outputs. */
export function payloadBucketName({ payloadBucket }: Pick<DurableDeployment, 'payloadBucket'>): Value | undefined {
  if (payloadBucket === undefined) return undefined;
  return payloadBucket.owned ? ref(PAYLOAD_BUCKET) : payloadBucket.name;
}

/** To read and write objects, on both sides of the queues. */
export function payloadStatements({ payloadBucket }: Pick<DurableDeployment, 'payloadBucket'>): readonly Statement[] {
  if (payloadBucket === undefined) return [];
  const bucket = payloadBucket.owned ? `\${${PAYLOAD_BUCKET}.Arn}` : `arn:\${AWS::Partition}:s3:::${payloadBucket.name}`;
  const objects = sub(`${bucket}/${payloadBucket.keyPrefix}*`);
  return allow(['s3:GetObject', 's3:PutObject'], [objects]);
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
