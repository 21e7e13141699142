import type { DurableDeployment } from '../../deployment.ts';
import { CommandError } from '../command-error.ts';

/** Name of the bucket of large payloads on the local S3; undefined where the service asks for none. */
export function localBucketName({ payloadBucket, prefix }: Pick<DurableDeployment, 'payloadBucket' | 'prefix'>): string | undefined {
  if (payloadBucket === undefined) return undefined;
  if (!payloadBucket.owned) return payloadBucket.name;
  // CloudFormation makes up a name on AWS. A bucket's has 63 characters, small letters and no underscore.
  const readable = prefix
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-')
    .replace(/^-+/, '');
  return `${readable.slice(0, 54)}-payloads`;
}

/** Makes a bucket on the local server, which speaks S3 beside SQS. @throws CommandError where it refuses */
export async function makeBucket(endpoint: string, bucket: string): Promise<void> {
  // One request without a signature, which it does not check: the S3 client is a package that only large payloads need.
  const { ok, status } = await fetch(`${endpoint}/${encodeURIComponent(bucket)}`, { method: 'PUT' });
  if (!ok) throw new CommandError(`the local S3 did not make the bucket "${bucket}" for large payloads: HTTP ${status}`);
}
