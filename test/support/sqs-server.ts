import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { type LocalSqs, startLocalSqs } from '../../src/local/index.ts';
import { startStrictProxy } from './strict-proxy.ts';

/** An SQS server for tests, strict as AWS: the embedded one, or that at `SQS_ENDPOINT`. */
export type TestSqs = LocalSqs;

/** The server that the suite runs against where it is not the embedded one. */
export const SQS_ENDPOINT: string | undefined = process.env['SQS_ENDPOINT'] || undefined;

/**
 * The server by name, as `.ci/with-moto` and `.ci/with-elasticmq` give it: each has a defect or two that a test must
 * look past.
 */
export const ON_MOTO: boolean = process.env['SQS_SERVER'] === 'moto';
export const ON_ELASTICMQ: boolean = process.env['SQS_SERVER'] === 'elasticmq';

/**
 * Opens the SQS server that the suite runs against, behind the strict layer, with a request count of its own.
 *
 * Another server than the embedded one is shared by all tests and keeps its queues: so every test has queue names of
 * its own. `embedded` takes the embedded one all the same: for a test that rests on what it alone does, and says so.
 */
export async function startTestSqs({ embedded = false } = {}): Promise<TestSqs> {
  const inner = SQS_ENDPOINT === undefined || embedded ? await startLocalSqs() : elsewhere(SQS_ENDPOINT);
  const { endpoint, port, requests, refusals, stop } = await startStrictProxy(inner.endpoint);
  const { region } = inner;
  return {
    endpoint,
    port,
    region,
    clientConfig: { ...inner.clientConfig, endpoint, region },
    requests,
    async stop() {
      await stop();
      await inner.stop();
      // A refusal that was retried, or only logged, must not go unseen.
      if (refusals().length > 0) throw new Error(`AWS would have refused ${JSON.stringify(refusals().slice(0, 10))}`);
    },
  };
}

/** Emulators check no credentials, but the SDK wants some. */
function elsewhere(endpoint: string): Pick<LocalSqs, 'endpoint' | 'region' | 'clientConfig' | 'stop'> {
  const region = process.env['AWS_REGION'] ?? 'us-east-1';
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const config: SQSClientConfig = process.env['AWS_ACCESS_KEY_ID'] === undefined ? { credentials } : {};
  return { endpoint, region, clientConfig: { ...config, endpoint, region }, stop: async () => undefined };
}
