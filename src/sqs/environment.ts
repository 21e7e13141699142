import { isRecord } from '../wire/shape.ts';
import type { Credentials } from './signature.ts';

/** What a request takes from the process at the moment it is sent: nothing of it is kept from one request to the next. */

/** The credentials in the environment, as Lambda puts them there, or undefined where there are none. */
export function environmentCredentials(env: NodeJS.ProcessEnv): Credentials | undefined {
  const accessKeyId = env['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = env['AWS_SECRET_ACCESS_KEY'];
  if (!accessKeyId || !secretAccessKey) return undefined;
  return { accessKeyId, secretAccessKey, sessionToken: env['AWS_SESSION_TOKEN'] || undefined };
}

/**
 * The trace id of the invocation. SQS hands it to the next function of a chain, which is how Lambda notices a loop.
 *
 * An environment variable holds it where a process has one invocation at a time. Where it has many at once (Managed Instances), the
 * runtime keeps one per asynchronous context; a request that carries messages of several invocations gets the id of one of them.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
 */
export function invocationTraceId(env: NodeJS.ProcessEnv, runtime: unknown = Reflect.get(globalThis, 'awslambda')): string | undefined {
  const ofProcess = env['_X_AMZN_TRACE_ID'] || undefined;
  const store: unknown = isRecord(runtime) ? runtime['InvokeStore'] : undefined;
  if (typeof store !== 'object' || store === null || !('getXRayTraceId' in store) || typeof store.getXRayTraceId !== 'function')
    return ofProcess;
  const traceId: unknown = store.getXRayTraceId();
  return typeof traceId === 'string' && traceId !== '' ? traceId : ofProcess;
}

/** The endpoint that AWS's own environment variables name. */
export function environmentEndpoint(env: NodeJS.ProcessEnv): string | undefined {
  const endpoint = env['AWS_ENDPOINT_URL_SQS'] || env['AWS_ENDPOINT_URL'];
  return endpoint && env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'] !== 'true' ? endpoint : undefined;
}

/**
 * The same as a part of a configuration of the SDK, which reads these variables too, but then sends to the host of the queue URL all the
 * same; for an emulator that may not resolve.
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
 */
export function endpointOfEnvironment(env: NodeJS.ProcessEnv): { readonly endpoint?: string } {
  const endpoint = environmentEndpoint(env);
  return endpoint === undefined ? {} : { endpoint };
}
