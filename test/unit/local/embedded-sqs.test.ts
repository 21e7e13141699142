import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../../../src/errors.ts';
import { loadFauxqs, startLocalSqs } from '../../../src/local/embedded-sqs.ts';

/** What Node's import() rejects with for a package that is not there. */
function notFound(name: string): Error {
  return Object.assign(new Error(`Cannot find package '${name}' imported from /app/index.js`), { code: 'ERR_MODULE_NOT_FOUND' });
}

describe('startLocalSqs', () => {
  it('names the package to install where the server is missing', async () => {
    const cause = notFound('fauxqs');
    const missing = loadFauxqs(() => Promise.reject(cause));
    await expect(missing).rejects.toBeInstanceOf(ConfigurationError);
    await expect(missing).rejects.toMatchObject({ cause, message: expect.stringContaining('npm i -D fauxqs') });
  });

  it('passes on other errors of the import', async () => {
    for (const error of [notFound('fastify'), new SyntaxError('boom')]) {
      await expect(loadFauxqs(() => Promise.reject(error))).rejects.toBe(error);
    }
  });

  it('refuses wrong options', async () => {
    await expect(startLocalSqs({ port: 70_000 })).rejects.toThrow('expected port to be an integer from 0 to 65535, got 70000');
    await expect(startLocalSqs({ region: '' })).rejects.toThrow('expected region to be a non-empty string, got an empty string');
    await expect(Reflect.apply(startLocalSqs, undefined, [{ host: '0.0.0.0' }])).rejects.toThrow('unknown option "host"');
  });
});
