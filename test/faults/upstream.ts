import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Sends a request on to the SQS server behind the injector. */
export class Upstream {
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 512 });

  constructor(port: number) {
    this.#port = port;
  }

  /** @param signal ends it early, as a caller that hangs up does */
  send(headers: IncomingHttpHeaders, body: string, signal?: AbortSignal): Promise<Answer> {
    const { host: _host, connection: _connection, 'transfer-encoding': _encoding, ...kept } = headers;
    return new Promise((resolve, reject) => {
      const forwarded = request(
        {
          host: '127.0.0.1',
          port: this.#port,
          method: 'POST',
          path: '/',
          agent: this.#agent,
          headers: { ...kept, 'content-length': Buffer.byteLength(body) },
          ...(signal === undefined ? {} : { signal }),
        },
        (response) => {
          textOf(response).then((text) => resolve({ status: response.statusCode ?? 500, headers: response.headers, body: text }), reject);
        },
      );
      forwarded.on('error', reject);
      forwarded.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

export async function textOf(stream: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}
