/**
 * Loads a bundled function and invokes it once, as a cold start does. The bundle and the event come by the environment.
 */
import { lambdaContext } from '../../src/local/lambda-context.ts';

const { handler } = await import(process.env['BENCH_BUNDLE'] ?? '');
const event = JSON.parse(process.env['BENCH_EVENT'] ?? '{}');
const { batchItemFailures } = await handler(event, lambdaContext({ functionName: 'bench', timeoutMs: 30_000 }));
if (batchItemFailures.length > 0) throw new Error('the record was not consumed');
process.exit(0);
