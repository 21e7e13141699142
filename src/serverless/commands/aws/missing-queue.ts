import { CommandError } from '../command-error.ts';

/** A queue that a command needs, and that SQS does not know. */
export function missingQueue(name: string): CommandError {
  return new CommandError(
    `queue "${name}" does not exist: deploy the service first (or is it another --stage or --region?). ` +
      '"sls durable local" makes its queues when it starts: after a change of serverless.yml start it again',
  );
}
