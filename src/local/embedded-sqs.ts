import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { ConfigurationError } from '../errors.ts';
import { checkOptions, is } from '../options.ts';
import { isRecord } from '../wire/shape.ts';

export interface LocalSqsOptions {
  /**
   * TCP port on 127.0.0.1.
   * @default 0, which takes a free one
   */
  readonly port?: number | undefined;
  /**
   * Region of the queues.
   * @default 'us-east-1'
   */
  readonly region?: string | undefined;
}

/** A running SQS server. */
export interface LocalSqs {
  /** `http://127.0.0.1:<port>`. */
  readonly endpoint: string;
  readonly region: string;
  readonly port: number;
  /**
   * Configuration for SQS clients. Needed even where a queue URL is at hand: the host in the queue URLs of this server does
   * not resolve, and only an explicit endpoint wins over it.
   */
  readonly clientConfig: SQSClientConfig & { readonly endpoint: string; readonly region: string };
  /** SQS requests since the start by action (`SendMessageBatch`, `ReceiveMessage`, …); a copy. What cost money on AWS. */
  requests(): Readonly<Record<string, number>>;
  /** Ends the server at once, open long polls included. Its queues are in memory and gone. */
  stop(): Promise<void>;
}

/** The emulator checks none, but clients refuse to send a request without. */
export const LOCAL_CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' } as const;

const OWNER = 'startLocalSqs';

/**
 * Starts an SQS server inside this process, on 127.0.0.1 only. It holds no data on disk and checks no credentials.
 *
 * It is an emulator (npm `fauxqs`): friendlier than AWS on queue names, batch entry ids and attribute counts.
 * @throws ConfigurationError where `fauxqs` is not installed or an option is wrong; Node's own error where the port is taken.
 */
export async function startLocalSqs(options: LocalSqsOptions = {}): Promise<LocalSqs> {
  checkOptions(OWNER, options, { port: is.integer(0, 65_535), region: is.string });
  const { port = 0, region = 'us-east-1' } = options;

  const { buildApp } = await loadFauxqs();
  // Not its startFauxqs(): that listens on all interfaces.
  const app = buildApp({ logger: false, defaultRegion: region });
  const counts = new Map<string, number>();
  app.addHook('onRequest', (request, _reply, done) => {
    const action = sqsAction(request.headers['x-amz-target']);
    if (action !== undefined) counts.set(action, (counts.get(action) ?? 0) + 1);
    done();
  });
  // The emulator answers a long poll whose client has gone, and the messages would stay hidden for their visibility timeout.
  app.addHook('onSend', async (request, _reply, payload) => {
    if (!request.raw.socket.destroyed || sqsAction(request.headers['x-amz-target']) !== 'ReceiveMessage') return;
    for (const lost of receipts(request.body, payload)) {
      const headers = { ...request.headers, 'x-amz-target': 'AmazonSQS.ChangeMessageVisibility' };
      delete headers['content-length'];
      await app.inject({ method: 'POST', url: '/', headers, payload: { ...lost, VisibilityTimeout: 0 } });
    }
  });
  const endpoint = await app.listen({ host: '127.0.0.1', port });

  return {
    endpoint,
    region,
    port: Number(new URL(endpoint).port),
    clientConfig: { endpoint, region, credentials: LOCAL_CREDENTIALS },
    requests: () => Object.fromEntries(counts),
    stop: async () => {
      await app.close();
    },
  };
}

/** The emulator, which is an optional dependency. `load` is for tests. */
export async function loadFauxqs(load = () => import('fauxqs')): Promise<typeof import('fauxqs')> {
  try {
    return await load();
  } catch (error) {
    // A module that fauxqs itself misses is another fault, and must not read as this one.
    if (!isMissing('fauxqs', error)) throw error;
    throw new ConfigurationError(`${OWNER}: the local SQS server needs the package "fauxqs". Install it: npm i -D fauxqs`, {
      cause: error,
    });
  }
}

function isMissing(name: string, error: unknown): boolean {
  if (!(error instanceof Error && 'code' in error)) return false;
  return (error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'MODULE_NOT_FOUND') && error.message.includes(`'${name}'`);
}

/** Queue and receipt handle of each message of an answer to `ReceiveMessage`. */
function receipts(request: unknown, answer: unknown): { QueueUrl: unknown; ReceiptHandle: unknown }[] {
  const { QueueUrl }: { QueueUrl?: unknown } = isRecord(request) ? request : {};
  const { Messages }: { Messages?: unknown } = typeof answer === 'string' ? JSON.parse(answer) : {};
  return Array.isArray(Messages) ? Messages.filter(isRecord).map(({ ReceiptHandle }) => ({ QueueUrl, ReceiptHandle })) : [];
}

/** `AmazonSQS.SendMessageBatch` → `SendMessageBatch`. */
function sqsAction(target: string | string[] | undefined): string | undefined {
  return typeof target === 'string' && target.startsWith('AmazonSQS.') ? target.slice('AmazonSQS.'.length) : undefined;
}
