import type { Agent, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { type RunningLimit, runningLimit } from '../time.ts';

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

/** Sends one request and gives its answer, whatever its status. Rejects with Node's own error where there is none, or when `signal` ends it. */
export type Post = (request: HttpPost, signal?: AbortSignal) => Promise<HttpAnswer>;

export interface HttpTimes {
  /** Until the connection stands, TLS included. */
  readonly connectMs: number;
  /** Until the answer is there as a whole. @default no limit but the signal */
  readonly answerMs?: number;
}

/**
 * How long a kept connection may have been idle, by the clock on the wall: it goes on while Lambda freezes the process, and what is
 * between here and SQS forgets connections without a word.
 */
const IDLE_FOR_MS = 20_000;
/** Stale connections can fail one after another; a fresh one always comes in the end. */
const STALE_CONNECTIONS = 5;

interface Opened {
  readonly agent: Agent;
  readonly request: typeof import('node:http')['request'];
}

/** Kept-alive connections over `node:https`, or `node:http` for an endpoint without TLS. */
export class HttpConnections {
  readonly #times: HttpTimes;
  readonly #opened = new Map<string, Opened>();
  readonly #usedLast = new WeakMap<object, number>();

  constructor(times: HttpTimes) {
    this.#times = times;
  }

  /** A request that fails on a connection that had been idle goes out again at once on another one: it was the connection that was old. */
  async post(request: HttpPost, signal?: AbortSignal): Promise<HttpAnswer> {
    const opened = this.#open(request.url.protocol);
    this.#dropIdle(opened.agent);
    for (let stale = 0; ; stale += 1) {
      const attempt = { reused: false, answering: false };
      try {
        return await this.#once(opened, request, attempt, signal);
      } catch (error) {
        if (!attempt.reused || attempt.answering || !isClosedConnection(error) || stale === STALE_CONNECTIONS) throw error;
      }
    }
  }

  /** Closes the connections that are idle. */
  destroy(): void {
    for (const { agent } of this.#opened.values()) agent.destroy();
  }

  #open(protocol: string): Opened {
    let opened = this.#opened.get(protocol);
    if (opened === undefined) {
      const { Agent, request } = httpModule(protocol);
      opened = { agent: new Agent({ keepAlive: true }), request };
      this.#opened.set(protocol, opened);
    }
    return opened;
  }

  #dropIdle(agent: Agent): void {
    const before = Date.now() - IDLE_FOR_MS;
    for (const socket of Object.values(agent.freeSockets).flat()) {
      if (socket !== undefined && (this.#usedLast.get(socket) ?? 0) <= before) socket.destroy();
    }
  }

  #once(opened: Opened, post: HttpPost, attempt: { reused: boolean; answering: boolean }, signal?: AbortSignal): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted());
      const limits: RunningLimit[] = [];
      const request = opened.request(post.url, { method: 'POST', agent: opened.agent, headers: { ...post.headers } });
      const abort = () => request.destroy(aborted());
      signal?.addEventListener('abort', abort);
      const settled = <T>(settle: (value: T) => void) => {
        return (value: T) => {
          signal?.removeEventListener('abort', abort);
          for (const limit of limits) limit.clear();
          settle(value);
        };
      };
      const fail = settled(reject);

      const { answerMs, connectMs } = this.#times;
      if (answerMs !== undefined) limits.push(runningLimit(answerMs, () => request.destroy(timeout('no answer', answerMs))));
      let used: () => void = () => undefined;
      request.once('socket', (socket) => {
        used = () => this.#usedLast.set(socket, Date.now());
        attempt.reused = request.reusedSocket;
        if (!socket.connecting) return;
        const connecting = runningLimit(connectMs, () => request.destroy(timeout('no connection', connectMs)));
        limits.push(connecting);
        socket.once(post.url.protocol === 'http:' ? 'connect' : 'secureConnect', () => connecting.clear());
      });
      // Not `once`: a second error without a listener would end the process.
      request.on('error', fail);
      request.once('response', (response) => {
        attempt.answering = true;
        // Noted before the connection is handed back, which happens at the answer's end.
        used();
        readAnswer(response, settled(resolve), fail);
      });
      request.end(post.body);
    });
  }
}

/**
 * Loads ahead what the first request to this URL would load: the module and, for TLS, the certificates that Node trusts. Opens no
 * connection.
 */
export function prepareConnections({ protocol }: URL): void {
  httpModule(protocol);
  if (protocol !== 'http:') process.getBuiltinModule('node:tls').createSecureContext();
}

/**
 * Not imported above: whoever sends over one of the two does not pay for the other, and an import of `node:http` loads what it merely
 * exports too (WebSocket, from undici: some 20 ms).
 */
function httpModule(protocol: string) {
  return protocol === 'http:' ? process.getBuiltinModule('node:http') : process.getBuiltinModule('node:https');
}

function readAnswer(response: IncomingMessage, resolve: (answer: HttpAnswer) => void, reject: (error: Error) => void): void {
  const chunks: Buffer[] = [];
  response.on('data', (chunk: Buffer) => chunks.push(chunk));
  // Where an answer is cut off in the middle there is an error, and no end.
  response.on('error', reject);
  response.once('end', () => {
    resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() });
  });
}

/** What a request meets whose connection the other side has closed in the meantime. */
function isClosedConnection(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

function aborted(): Error {
  return Object.assign(new Error('the request was aborted'), { name: 'AbortError' });
}

function timeout(what: string, ms: number): Error {
  return Object.assign(new Error(`${what} within ${ms} ms`), { name: 'TimeoutError' });
}
