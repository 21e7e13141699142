import { ConfigurationError } from '../errors.ts';

/** What is used of the optional package `@aws-sdk/client-s3`. */
export type S3Module = Pick<
  typeof import('@aws-sdk/client-s3'),
  'S3Client' | 'S3ServiceException' | 'GetObjectCommand' | 'PutObjectCommand'
>;

/**
 * Loads the S3 client, which is an optional dependency.
 * @throws ConfigurationError where it is not installed (or not in the bundle)
 */
export function loadS3(): Promise<S3Module> {
  // With `.catch()` right behind it, esbuild leaves a package that is not installed alone; else every handler would
  // fail to build.
  return import('@aws-sdk/client-s3').catch(explainMissingS3);
}

/**
 * Throws what the import was rejected with, in better words where that is the package itself: one that it misses is
 * another fault.
 */
export function explainMissingS3(error: unknown): never {
  if (!isMissingS3(error)) throw error;
  throw new ConfigurationError(
    's3PayloadStore: bodies in S3 need the package "@aws-sdk/client-s3". Install it: npm install @aws-sdk/client-s3',
    { cause: error },
  );
}

function isMissingS3(error: unknown): boolean {
  if (!(error instanceof Error && 'code' in error)) return false;
  const missing = error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'MODULE_NOT_FOUND';
  return missing && error.message.includes("'@aws-sdk/client-s3'");
}
