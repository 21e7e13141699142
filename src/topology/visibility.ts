/**
 * The longest visibility timeout that SQS accepts.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
 */
export const MAX_VISIBILITY_SECONDS = 43_200;

const FUNCTION_TIMEOUTS = 6;

/**
 * How long a worker in a container hides a task that it runs, and hides it again while it runs. Also the timeout of a
 * step where nothing says better, as with `autoCreate`.
 */
export const CONTAINER_VISIBILITY_SECONDS = 60;

/**
 * AWS's advice for the visibility timeout of a queue that a Lambda function reads: while Lambda retries a throttled
 * batch, no other poller may receive its messages.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
 */
export function advisedVisibilitySeconds(functionTimeoutSeconds: number, batchWindowSeconds = 0): number {
  return Math.min(Math.ceil(FUNCTION_TIMEOUTS * functionTimeoutSeconds) + batchWindowSeconds, MAX_VISIBILITY_SECONDS);
}

/**
 * With less, a message is redelivered while the function still processes it. Lambda waits for the batch window with the
 * message in hand.
 */
export function leastVisibilitySeconds(functionTimeoutSeconds: number, batchWindowSeconds = 0): number {
  return functionTimeoutSeconds + batchWindowSeconds;
}
