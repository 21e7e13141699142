import type { Agent, ClientRequest, IncomingHttpHeaders } from 'node:http';
import { namedError } from '../named-error.ts';
import { runningLimit } from '../time.ts';

export interface HttpPost {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface HttpLimits {
  /** Until the answer is there as a whole. @default no limit but the signal */
  readonly answerMs?: number | undefined;
  /** Of one call: it keeps a listener for each request. */
  readonly signal?: AbortSignal | undefined;
}

/** The network, as {@link HttpConnections} has it; tests need none. */
export interface Connections {
  /**
   * Sends one request and gives its answer, whatever its status. Rejects with Node's own error where there is none, or
   * a limit ends it.
   */
  post(request: HttpPost, limits: HttpLimits): Promise<HttpAnswer>;
  /** Closes the connections that are idle. */
  destroy(): void;
}

/**
 * How long a kept connection may have been idle, by the clock on the wall: it goes on while Lambda freezes the process,
 * and what is between here and SQS forgets connections without a word.
 */
const IDLE_FOR_MS = 20_000;
/** Ten messages of 1 MiB, each character of them escaped in six, are the longest answer that SQS can give. */
const MAX_ANSWER_CHARACTERS = 64 * 1_048_576;

/**
 * A fault after which the same request has every chance at once: the connection had been idle, and the other side had
 * closed it; or the answer did not come within {@link HttpLimits.answerMs}.
 */
type Fault = 'idle connection' | 'no answer';

/** Whether a request failed for this fault. */
export function hasFault(error: unknown, fault: Fault): boolean {
  return error instanceof Error && 'fault' in error && error.fault === fault;
}

interface Opened {
  readonly agent: Agent;
  readonly request: typeof import('node:http')['request'];
}

/** Kept-alive connections over `node:https`, or `node:http` for an endpoint without TLS. */
export class HttpConnections implements Connections {
  readonly #connectMs: number;
  readonly #opened = new Map<string, Opened>();
  readonly #usedLast = new WeakMap<object, number>();

  /** @param connectMs until a connection stands, TLS included */
  constructor(connectMs: number) {
    this.#connectMs = connectMs;
  }

  post({ url, headers, body }: HttpPost, { answerMs, signal }: HttpLimits = {}): Promise<HttpAnswer> {
    const { agent, request: open } = this.#agentFor(url.protocol);
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted());
      const request = open(url, { method: 'POST', agent, headers: { ...headers } });
      // Never removed: the signal is of one call, and goes with it.
      signal?.addEventListener('abort', () => request.destroy(aborted()));
      let answering = false;
      const connecting = runningLimit(this.#connectMs, () => {
        if (isConnecting(request)) request.destroy(timeout(`no connection within ${this.#connectMs} ms`));
      });
      const answered =
        answerMs === undefined
          ? undefined
          : runningLimit(answerMs, () => request.destroy(withFault(timeout(`no answer within ${answerMs} ms`), 'no answer')));
      const clear = () => {
        connecting.clear();
        answered?.clear();
      };
      const fail = (error: Error) => {
        clear();
        reject(request.reusedSocket && !answering && isClosedConnection(error) ? withFault(error, 'idle connection') : error);
      };
      // Not `once`: a second error without a listener would end the process.
      request.on('error', fail);
      // Without this listener an HTTP 101 neither answers nor fails.
      request.once('upgrade', (_response, socket) => {
        socket.destroy();
        fail(new Error('HTTP status 101'));
      });
      request.once('response', (response) => {
        answering = true;
        // Noted before the connection is handed back, which happens at the answer's end.
        this.#usedLast.set(response.socket, Date.now());
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
          if (text.length > MAX_ANSWER_CHARACTERS)
            request.destroy(new Error(`the answer is longer than ${MAX_ANSWER_CHARACTERS} characters`));
        });
        // Where an answer is cut off in the middle there is an error, and no end.
        response.on('error', fail);
        response.once('end', () => {
          clear();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
        });
      });
      request.end(body);
    });
  }

  destroy(): void {
    for (const { agent } of this.#opened.values()) agent.destroy();
  }

  /** The agent of a protocol, rid of connections that have been idle for too long. */
  #agentFor(protocol: string): Opened {
    let opened = this.#opened.get(protocol);
    if (opened === undefined) {
      const { Agent, request } = httpModule(protocol);
      opened = { agent: new Agent({ keepAlive: true }), request };
      this.#opened.set(protocol, opened);
    }
    const before = Date.now() - IDLE_FOR_MS;
    for (const sockets of Object.values(opened.agent.freeSockets)) {
      for (const socket of sockets ?? []) if ((this.#usedLast.get(socket) ?? 0) <= before) socket.destroy();
    }
    return opened;
  }
}

/**
 * Loads ahead what the first request to this URL would load: the module and, for TLS, the certificates that Node
 * trusts. Opens no connection.
 */
export function prepareConnections({ protocol }: URL): void {
  httpModule(protocol);
  if (protocol !== 'http:') process.getBuiltinModule('node:tls').createSecureContext();
}

/**
 * Not imported above: whoever sends over one of the two does not pay for the other, and an import of `node:http` loads
 * what it merely exports too (WebSocket, from undici: some 20 ms).
 */
function httpModule(protocol: string) {
  return protocol === 'http:' ? process.getBuiltinModule('node:http') : process.getBuiltinModule('node:https');
}

function isConnecting({ socket }: ClientRequest): boolean {
  return socket === null || socket.connecting || ('secureConnecting' in socket && socket.secureConnecting === true);
}

/** What a request meets whose connection the other side has closed in the meantime. */
function isClosedConnection(error: Error): boolean {
  return 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

function aborted(): Error {
  return namedError('AbortError', 'the request was aborted');
}

function timeout(message: string): Error {
  return namedError('TimeoutError', message);
}

function withFault(error: Error, fault: Fault): Error {
  return Object.assign(error, { fault });
}
