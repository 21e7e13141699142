import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { md5 } from './stub-request-handler.ts';

/** A request that arrived, as far as tests look at it. */
export interface StubRequest {
  readonly operation: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** One number per connection, from 1. */
  readonly connection: number;
  /** `performance.now()` of its arrival. */
  readonly at: number;
}

/** What the next request meets: an answer, or whatever is done to its connection. */
export type StubAnswer =
  | { readonly status?: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>>; readonly afterMs?: number }
  | ((response: ServerResponse, request: StubRequest) => void);

export interface StubSqs {
  readonly endpoint: string;
  readonly queueUrl: string;
  readonly requests: readonly StubRequest[];
  /** Connections that are open now. */
  readonly connections: ReadonlySet<Socket>;
  /** Answers of the requests to come, in order; what comes after them is accepted. */
  answer(...answers: StubAnswer[]): void;
  stop(): Promise<void>;
}

/** A server on 127.0.0.1 that accepts every SQS request, but for those that a test wants answered otherwise. */
export async function startStubSqs(tls?: { readonly key: string; readonly cert: string }): Promise<StubSqs> {
  const answers: StubAnswer[] = [];
  const requests: StubRequest[] = [];
  const connections = new Set<Socket>();
  const numbers = new WeakMap<Socket, number>();
  let opened = 0;

  const server: Server = tls === undefined ? createServer() : createTlsServer(tls);
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    opened += 1;
    numbers.set(socket, opened);
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  server.on('request', async (message, response) => {
    const at = performance.now();
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(Buffer.from(chunk));
    const operation = String(message.headers['x-amz-target'] ?? '').replace('AmazonSQS.', '');
    const input = JSON.parse(Buffer.concat(chunks).toString() || '{}');
    const request = { operation, input, headers: message.headers, connection: numbers.get(message.socket) ?? 0, at };
    requests.push(request);
    const answer = answers.shift() ?? { body: accepted(request) };
    if (typeof answer === 'function') return answer(response, request);
    const { status = 200, body = {}, headers = {}, afterMs = 0 } = answer;
    const send = () => {
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0', ...headers });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    };
    if (afterMs === 0) send();
    else setTimeout(send, afterMs).unref();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const endpoint = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;

  return {
    endpoint,
    queueUrl: `${endpoint}/123456789012/durable-results`,
    requests,
    connections,
    answer: (...more) => answers.push(...more),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** What SQS answers where it accepts every entry. */
export function accepted({ operation, input }: Pick<StubRequest, 'operation' | 'input'>): unknown {
  if (operation === 'GetQueueUrl') return { QueueUrl: `https://sqs.us-east-1.amazonaws.com/123456789012/${input['QueueName']}` };
  if (operation === 'SendMessage') return { MessageId: 'm', MD5OfMessageBody: md5(String(input['MessageBody'])) };
  const entries: unknown = input['Entries'];
  const Successful = (Array.isArray(entries) ? entries : []).map(({ Id, MessageBody }) => {
    return { Id, MessageId: `m-${Id}`, ...(MessageBody === undefined ? {} : { MD5OfMessageBody: md5(MessageBody) }) };
  });
  return { Successful };
}
