/** An SQS server as a process of its own; tells its endpoint over IPC, and ends with its parent. */
import { startLocalSqs } from '../../src/local/embedded-sqs.ts';

const sqs = await startLocalSqs();
process.on('disconnect', () => process.exit(0));
process.on('message', () =>
  process.send?.({ connections: process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length }),
);
process.send?.({ port: sqs.port });
