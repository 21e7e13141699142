import { once } from 'node:events';
import { createServer } from 'node:http';
import { deserialize, serialize } from 'node:v8';
import { InMemoryStateStore } from '@dudousxd/nestjs-durable-core';

/** A store in this process that other processes use over HTTP: it outlives them, as a database does. */
export interface StoreServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** A call that a store has carried out and not yet answered. */
export interface StoreCall {
  readonly method: string;
  readonly args: readonly unknown[];
}

/** @param carriedOut awaited before each answer: a caller that is killed meanwhile has written, and does not know it */
export async function serveStore(store: InMemoryStateStore, carriedOut: (call: StoreCall) => unknown): Promise<StoreServer> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const method = (request.url ?? '').slice(1);
    const member: unknown = Reflect.get(store, method);
    if (typeof member !== 'function') return response.writeHead(404).end();
    const decoded: unknown = deserialize(Buffer.concat(chunks));
    const args: readonly unknown[] = Array.isArray(decoded) ? decoded : [];
    const answer: unknown = await Reflect.apply(member, store, args);
    await carriedOut({ method, args });
    return response.end(serialize(answer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('expected the store to listen on a port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The store behind {@link serveStore}, as the engine of another process uses it. It has no transactions. */
export function remoteStore(url: string): InMemoryStateStore {
  return new Proxy(new InMemoryStateStore(), {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== 'function' || property === 'transaction') return undefined;
      return async (...args: unknown[]): Promise<unknown> => {
        const response = await fetch(`${url}/${String(property)}`, { method: 'POST', body: serialize(args) });
        if (!response.ok) throw new Error(`store: ${String(property)} gave HTTP ${response.status}`);
        return deserialize(Buffer.from(await response.arrayBuffer()));
      };
    },
  });
}
