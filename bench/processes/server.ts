/** The SQS server, in a process of its own, counting requests. */
import { startLocalSqs } from 'durable-sqs-lambda/local';
import { serveCommands } from './serve-commands.ts';

const sqs = await startLocalSqs();

serveCommands({
  open: () => ({ endpoint: sqs.endpoint, region: sqs.region }),
  requests: () => sqs.requests(),
});
