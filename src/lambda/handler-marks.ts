/**
 * What the handlers of this package carry, so that others can tell them from plain functions. Registered symbols: the
 * handler and whoever looks at it may have been loaded from two copies of this package (a bundle beside an installed
 * one, ESM beside CommonJS).
 */
export const STEP_HANDLER: unique symbol = Symbol.for('durable-sqs-lambda.step-handler');
export const ENGINE_HANDLER: unique symbol = Symbol.for('durable-sqs-lambda.engine-handler');
export const WORKFLOW_HANDLER: unique symbol = Symbol.for('durable-sqs-lambda.workflow-handler');
/**
 * On a Lambda context: the queues that a test has in place of SQS. They reach the handler through whatever is wrapped
 * around it.
 */
export const TEST_QUEUES: unique symbol = Symbol.for('durable-sqs-lambda.test-queues');
export const DEAD_LETTER_HANDLER: unique symbol = Symbol.for('durable-sqs-lambda.dead-letter-handler');
