import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Socket } from 'node:net';

/**
 * Every TCP socket that this process opens, whoever opens it: the AWS SDK and our own sender try again by themselves
 * and tell nobody.
 */
const CLIENT_SOCKETS = 'net.client.socket';

/**
 * Calls back for each connection of this process to the port that is refused, until the returned function is called.
 */
export function onRefused(port: number, refused: () => void): () => void {
  const listen = (message: unknown) => {
    const socket = typeof message === 'object' && message !== null && 'socket' in message ? message.socket : undefined;
    if (!(socket instanceof Socket)) return;
    socket.once('error', (error: NodeJS.ErrnoException & { readonly port?: number }) => {
      if (error.code === 'ECONNREFUSED' && error.port === port) refused();
    });
  };
  subscribe(CLIENT_SOCKETS, listen);
  return () => unsubscribe(CLIENT_SOCKETS, listen);
}
