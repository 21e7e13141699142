import { randomUUID } from 'node:crypto';
import type { Context } from 'aws-lambda';
import { LOCAL_ACCOUNT } from './sqs-event.ts';

export interface LambdaContextOptions {
  readonly functionName: string;
  /** Time that the invocation has, in milliseconds. */
  readonly timeoutMs: number;
  /** @default a new UUID */
  readonly requestId?: string | undefined;
  /** @default 128, as on Lambda */
  readonly memoryLimitInMB?: number | undefined;
  /** @default 'us-east-1' */
  readonly region?: string | undefined;
  /** @default '000000000000' */
  readonly accountId?: string | undefined;
}

/** The `Context` that Lambda gives a handler. Its time runs from this call. @param now clock, in milliseconds */
export function lambdaContext(options: LambdaContextOptions, now: () => number = Date.now): Context {
  const {
    functionName,
    timeoutMs,
    requestId = randomUUID(),
    memoryLimitInMB = 128,
    region = 'us-east-1',
    accountId = LOCAL_ACCOUNT,
  } = options;
  const startedAt = now();
  return {
    awsRequestId: requestId,
    callbackWaitsForEmptyEventLoop: true,
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:${region}:${accountId}:function:${functionName}`,
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: logStreamName(startedAt),
    memoryLimitInMB: String(memoryLimitInMB),
    getRemainingTimeInMillis: () => Math.max(0, timeoutMs - Math.floor(now() - startedAt)),
    done: gone('done'),
    fail: gone('fail'),
    succeed: gone('succeed'),
  };
}

/** `2026/11/23/[$LATEST]<32 hex digits>`. */
function logStreamName(time: number): string {
  const day = new Date(time).toISOString().slice(0, 10).replaceAll('-', '/');
  return `${day}/[$LATEST]${randomUUID().replaceAll('-', '')}`;
}

/** Lambda's Node runtimes have dropped these; the published types still demand them. */
function gone(name: string): () => never {
  return () => {
    throw new TypeError(`context.${name} does not exist on Lambda's current Node runtimes: return a value or throw`);
  };
}
