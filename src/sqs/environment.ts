import type { Credentials } from './signature.ts';

/** What the environment says of SQS, read anew at each call. */

/** The credentials in the environment, as Lambda puts them there, or undefined where there are none. */
export function environmentCredentials(env: NodeJS.ProcessEnv): Credentials | undefined {
  const accessKeyId = env['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = env['AWS_SECRET_ACCESS_KEY'];
  if (!accessKeyId || !secretAccessKey) return undefined;
  return { accessKeyId, secretAccessKey, sessionToken: env['AWS_SESSION_TOKEN'] || undefined };
}

/** The endpoint that AWS's own environment variables name. */
export function environmentEndpoint(env: NodeJS.ProcessEnv): string | undefined {
  const endpoint = env['AWS_ENDPOINT_URL_SQS'] || env['AWS_ENDPOINT_URL'];
  return endpoint && env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'] !== 'true' ? endpoint : undefined;
}

/**
 * The same as a part of a configuration of the SDK, which reads these variables too, but then sends to the host of the
 * queue URL all the same; for an emulator that may not resolve.
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
 */
export function endpointOfEnvironment(env: NodeJS.ProcessEnv): { readonly endpoint?: string } {
  const endpoint = environmentEndpoint(env);
  return endpoint === undefined ? {} : { endpoint };
}
