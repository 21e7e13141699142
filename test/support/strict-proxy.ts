import { createHash } from 'node:crypto';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { refused, requestedOnly } from './strict-sqs.ts';
import { type Fields, fieldsOf, type Refusal } from './strict-values.ts';

export interface StrictProxy {
  /** `http://127.0.0.1:<port>`. */
  readonly endpoint: string;
  readonly port: number;
  /** Requests so far by action; a copy. */
  requests(): Readonly<Record<string, number>>;
  /** What was refused so far, in order. */
  refusals(): readonly (Refusal & { readonly action: string })[];
  /** Ends at once, open long polls included. */
  stop(): Promise<void>;
}

/**
 * Stands before an SQS server and refuses what AWS would refuse. A server and no client middleware: so it sees every
 * client, that of a child process and of another language included. What is not SQS's JSON protocol goes through as it
 * is.
 */
export async function startStrictProxy(upstream: string): Promise<StrictProxy> {
  const counts = new Map<string, number>();
  const refusals: (Refusal & { readonly action: string })[] = [];
  const agent = new Agent({ keepAlive: true });
  const server = createServer((incoming, answer) => {
    void handle(incoming, answer).catch(() => answer.destroy());
  });

  async function handle(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const action = actionOf(incoming);
    if (action !== undefined) counts.set(action, (counts.get(action) ?? 0) + 1);
    const body = await bytesOf(incoming);
    const input = action === undefined ? {} : jsonOf(body);
    const refusal = action === undefined ? undefined : refused(action, input);
    if (action !== undefined && refusal !== undefined) {
      refusals.push({ action, ...refusal });
      return refuse(answer, refusal);
    }
    const forwarded = request(new URL(incoming.url ?? '/', upstream), { method: incoming.method, headers: incoming.headers, agent });
    // A long poll whose client has gone must end at the server, too: it would take a message with it.
    answer.on('close', () => {
      if (!answer.writableFinished) forwarded.destroy();
    });
    const got = await new Promise<IncomingMessage>((resolve, reject) => {
      forwarded.on('response', resolve).on('error', reject).end(body);
    });
    const content = await bytesOf(got);
    const strict = action !== undefined && got.statusCode === 200 ? filtered(action, input, content) : content;
    const { 'transfer-encoding': _chunked, connection: _connection, ...headers } = got.headers;
    answer.writeHead(got.statusCode ?? 502, { ...headers, ...(incoming.method === 'HEAD' ? {} : { 'content-length': strict.length }) });
    answer.end(strict);
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const port = portOf(server.address());
  return {
    endpoint: `http://127.0.0.1:${port}`,
    port,
    requests: () => Object.fromEntries(counts),
    refusals: () => [...refusals],
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        agent.destroy();
      }),
  };
}

function filtered(action: string, input: Fields, content: Buffer): Buffer {
  const answer = jsonOf(content);
  const only = requestedOnly(action, input, answer);
  return only === answer ? content : Buffer.from(JSON.stringify(only));
}

function refuse(answer: ServerResponse, { code, message }: Refusal): void {
  const body = JSON.stringify({ __type: `com.amazonaws.sqs#${code}`, message: `strict: ${message}` });
  answer.writeHead(400, {
    'content-type': 'application/x-amz-json-1.0',
    'content-length': Buffer.byteLength(body),
    'x-amzn-query-error': `${code};Sender`,
    'x-amzn-requestid': createHash('md5').update(body).digest('hex'),
  });
  answer.end(body);
}

/** `AmazonSQS.SendMessageBatch` → `SendMessageBatch`. */
function actionOf({ headers }: IncomingMessage): string | undefined {
  const target = headers['x-amz-target'];
  return typeof target === 'string' && target.startsWith('AmazonSQS.') ? target.slice('AmazonSQS.'.length) : undefined;
}

async function bytesOf(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function jsonOf(bytes: Buffer): Fields {
  try {
    return fieldsOf(JSON.parse(bytes.toString('utf8')));
  } catch {
    return {};
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (typeof address !== 'object' || address === null) throw new Error('expected the strict proxy to listen on a port');
  return address.port;
}
