import type { DurableDeployment } from '../../deployment.ts';
import { CommandError } from '../command-error.ts';

/** Name of the payload bucket on the local S3; undefined where the service has none. */
export function localBucketName({ payloadBucket, prefix }: Pick<DurableDeployment, 'payloadBucket' | 'prefix'>): string | undefined {
  if (payloadBucket === undefined) return undefined;
  if (!payloadBucket.owned) return payloadBucket.name;
  // On AWS CloudFormation generates a name. A bucket name has 63 characters at most, in lower case, without
  // underscores.
  const readable = prefix
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-')
    .replace(/^-+/, '');
  return `${readable.slice(0, 54)}-payloads`;
}

/** Where the local server has an object. */
export function objectUrl(endpoint: string, { bucket, key }: { readonly bucket: string; readonly key: string }): string {
  return `${endpoint}/${encodeURIComponent(bucket)}/${key.split('/').map(encodeURIComponent).join('/')}`;
}

/** Creates a bucket on the local server, which serves S3 beside SQS. @throws CommandError where it refuses */
export async function makeBucket(endpoint: string, bucket: string): Promise<void> {
  // A plain request, since the server checks no signatures: the S3 client may not be installed.
  const { ok, status } = await fetch(`${endpoint}/${encodeURIComponent(bucket)}`, { method: 'PUT' });
  if (!ok) throw new CommandError(`the local S3 did not create the payload bucket "${bucket}": HTTP ${status}`);
}
