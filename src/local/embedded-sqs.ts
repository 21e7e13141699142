import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { ConfigurationError } from '../errors.ts';
import { aBoolean, anInteger, aString, checkOptions } from '../options.ts';
import { isRecord } from '../wire/shape.ts';
import { refusal } from './request-guard.ts';

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
  /**
   * Whether to serve S3, too, at the same endpoint: for a `payloadStore`.
   * @default false
   */
  readonly s3?: boolean | undefined;
}

/** A running SQS server. */
export interface LocalSqs {
  /** `http://127.0.0.1:<port>`. */
  readonly endpoint: string;
  readonly region: string;
  readonly port: number;
  /**
   * Configuration for SQS clients. A queue URL alone is not enough: the host in this server's queue URLs does not
   * resolve, and the SDK prefers it to everything but an explicit endpoint.
   */
  readonly clientConfig: SQSClientConfig & { readonly endpoint: string; readonly region: string };
  /** A copy of the number of SQS requests since the start, by action (`SendMessageBatch`, …): what AWS would bill. */
  requests(): Readonly<Record<string, number>>;
  /** Ends the server at once, open long polls included. Its queues, which are in memory only, are gone. */
  stop(): Promise<void>;
}

/** The emulator checks none, but clients refuse to send a request without. */
export const LOCAL_CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' } as const;

const OWNER = 'startLocalSqs';

/**
 * Starts an SQS server inside this process, on 127.0.0.1 only. It stores nothing on disk and checks no credentials, so
 * it refuses every request that comes from a web page or is addressed to a name which is not this machine's.
 *
 * It is an emulator (npm `fauxqs`) that accepts more than AWS does: any queue name, batch entry id and number of
 * attributes. It is an ES module: Jest's CommonJS loads it where Node runs with `--experimental-vm-modules`.
 * @throws ConfigurationError where `fauxqs` is not installed or an option is wrong; Node's own error where the port is
 * taken.
 */
export async function startLocalSqs(options: LocalSqsOptions = {}): Promise<LocalSqs> {
  return startServer(options, () => undefined);
}

/** A message that the server has accepted. */
export interface AcceptedMessage {
  readonly queueUrl: string;
  readonly body: string;
}

/** The same, for whoever wants to see what is sent. @param onMessage called before the sender has its answer */
export async function startServer(options: LocalSqsOptions, onMessage: (message: AcceptedMessage) => void): Promise<LocalSqs> {
  checkOptions(OWNER, options, { port: anInteger(0, 65_535), region: aString, s3: aBoolean });
  const { port = 0, region = 'us-east-1', s3 = false } = options;

  const { buildApp } = await loadFauxqs();
  // Not its startFauxqs(): that listens on all interfaces.
  const app = buildApp({ logger: false, defaultRegion: region });
  const counts = new Map<string, number>();
  app.addHook('onRequest', (request, reply, done) => {
    const why = refusal(request, s3);
    if (why !== undefined) {
      // In SQS's own form, so that a client shows the reason.
      reply.code(403).send({ __type: 'com.amazonaws.sqs#AccessDenied', message: why });
      return;
    }
    const action = sqsAction(request.headers['x-amz-target']);
    if (action !== undefined) counts.set(action, (counts.get(action) ?? 0) + 1);
    done();
  });
  app.addHook('onSend', async (request, reply) => {
    if (reply.statusCode === 200 && SENDS.has(sqsAction(request.headers['x-amz-target']) ?? '')) {
      for (const message of sentMessages(request.body)) onMessage(message);
    }
  });
  // The emulator also answers a long poll whose client has disconnected; those messages would stay in flight until
  // their visibility timeout.
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

/** Imports the emulator, an optional dependency. @param load for tests */
export async function loadFauxqs(load = () => import('fauxqs')): Promise<typeof import('fauxqs')> {
  try {
    return await load();
  } catch (error) {
    // Not a module that fauxqs itself cannot find.
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

/** Queue and receipt handle of each message in an answer to `ReceiveMessage`. */
function receipts(request: unknown, answer: unknown): { QueueUrl: unknown; ReceiptHandle: unknown }[] {
  const { QueueUrl }: { QueueUrl?: unknown } = isRecord(request) ? request : {};
  const { Messages }: { Messages?: unknown } = typeof answer === 'string' ? JSON.parse(answer) : {};
  return Array.isArray(Messages) ? Messages.filter(isRecord).map(({ ReceiptHandle }) => ({ QueueUrl, ReceiptHandle })) : [];
}

const SENDS: ReadonlySet<string> = new Set(['SendMessage', 'SendMessageBatch']);

/** The messages of a request to send one or several. */
function sentMessages(request: unknown): AcceptedMessage[] {
  if (!isRecord(request)) return [];
  const { QueueUrl: queueUrl, Entries: entries }: { QueueUrl?: unknown; Entries?: unknown } = request;
  const all: unknown[] = Array.isArray(entries) ? entries : [request];
  return all.flatMap((entry) => {
    const body = isRecord(entry) ? entry['MessageBody'] : undefined;
    return typeof queueUrl === 'string' && typeof body === 'string' ? [{ queueUrl, body }] : [];
  });
}

/** `AmazonSQS.SendMessageBatch` → `SendMessageBatch`. */
function sqsAction(target: string | string[] | undefined): string | undefined {
  return typeof target === 'string' && target.startsWith('AmazonSQS.') ? target.slice('AmazonSQS.'.length) : undefined;
}
