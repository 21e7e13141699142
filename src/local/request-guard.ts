import type { IncomingHttpHeaders } from 'node:http';

/** What decides whether the local server answers a request. */
export interface GuardedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/**
 * Names that only this machine resolves to itself: `.localhost` is reserved, so no DNS server can claim it.
 * @see https://www.rfc-editor.org/rfc/rfc6761#section-6.3
 */
const LOOPBACK = /^(?:localhost|(?:[a-z0-9_-]+\.)+localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::\d+)?$/i;

/** Pages of the emulator that show every message; they are no part of SQS or S3. */
const EMULATOR_PAGES = /^\/(?:_fauxqs|health)(?:[/?]|$)/;

/**
 * Why the local server refuses a request; undefined where it answers.
 *
 * Whoever can send a message can run a developer's handlers. The server listens on the loopback address, which keeps
 * other machines away, but not the web pages in the developer's own browser: these send forms to any port, and reach it
 * by DNS rebinding (a name of theirs that suddenly resolves to 127.0.0.1). A browser says so: it names the page in
 * `Origin` or `Sec-Fetch-Site`, and the name in `Host`.
 * @param s3 whether S3 is served beside SQS
 */
export function refusal({ method, url, headers }: GuardedRequest, s3: boolean): string | undefined {
  if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined) return 'the local SQS server answers no web pages';
  if (!LOOPBACK.test(headers.host ?? '')) {
    return 'the local SQS server answers only under a name of this machine, as http://127.0.0.1 or http://localhost';
  }
  if (isSqs(method, url, headers)) return undefined;
  const isS3 = s3 && !EMULATOR_PAGES.test(url) && !(method === 'POST' && url.split('?')[0] === '/');
  return isS3 ? undefined : `the local server serves SQS (JSON protocol)${s3 ? ' and S3' : ''} only`;
}

function isSqs(method: string, url: string, headers: IncomingHttpHeaders): boolean {
  const target = headers['x-amz-target'];
  const isJson = headers['content-type']?.startsWith('application/x-amz-json-1.0') === true;
  return method === 'POST' && url === '/' && isJson && typeof target === 'string' && target.startsWith('AmazonSQS.');
}
