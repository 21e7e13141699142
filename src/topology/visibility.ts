/** Longest visibility timeout that SQS takes. @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html */
export const MAX_VISIBILITY_SECONDS = 43_200;

const FUNCTION_TIMEOUTS = 6;

/**
 * What AWS advises for the visibility timeout of a queue that a Lambda function reads: a throttled batch is tried again by Lambda itself,
 * and must not be received by another poller meanwhile.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
 */
export function advisedVisibilitySeconds(functionTimeoutSeconds: number, batchWindowSeconds = 0): number {
  return Math.min(Math.ceil(FUNCTION_TIMEOUTS * functionTimeoutSeconds) + batchWindowSeconds, MAX_VISIBILITY_SECONDS);
}

/** Below this a message is received again while the function still works on it: the batch window counts into the time it is hidden. */
export function leastVisibilitySeconds(functionTimeoutSeconds: number, batchWindowSeconds = 0): number {
  return functionTimeoutSeconds + batchWindowSeconds;
}
