import { describe, expect, it } from 'vitest';
import { readableStack } from '../../../../src/local/process/readable-stack.ts';

const own = (index: number) => `    at charge${index} (/app/handlers/charge.ts:${index}:1)`;
const foreign = (index: number) => `    at Client.query (/app/node_modules/pg/lib/client.js:${index}:1)`;
const node = '    at process.processTicksAndRejections (node:internal/process/task_queues:104:5)';

function error(message: string, frames: readonly string[], cause?: unknown): Error {
  const made = new RangeError(message, cause === undefined ? undefined : { cause });
  made.stack = [`RangeError: ${message}`, ...frames].join('\n');
  return made;
}

describe('readableStack', () => {
  it("puts the user's own frames first, and keeps ten", () => {
    const runtime = '    at async load (/app/node_modules/durable-sqs-lambda/dist/esm/local-runtime.mjs:9:1)';
    const frames = [runtime, ...Array.from({ length: 8 }, (_, index) => foreign(index)), own(1), node, own(2), foreign(9)];
    const lines = readableStack(error('no', frames)).split('\n');
    expect(lines).toEqual(['RangeError: no', own(1), own(2), ...Array.from({ length: 8 }, (_, index) => foreign(index))]);
  });

  it('shows the causes, which share the ten frames', () => {
    const cause = error('the socket closed', [foreign(1), own(9)]);
    const text = readableStack(
      error(
        'no',
        Array.from({ length: 9 }, (_, index) => own(index)),
        cause,
      ),
    );
    expect(text.split('\n').filter((line) => line.startsWith('    at '))).toHaveLength(10);
    expect(text).toContain(`caused by: RangeError: the socket closed\n${own(9)}`);
    expect(text).not.toContain(foreign(1));
  });

  it('ends at a cause that is its own cause', () => {
    const circle = error('round', [own(1)]);
    circle.cause = circle;
    expect(readableStack(circle)).toBe(`RangeError: round\n${own(1)}`);
  });

  it('keeps a message of several lines', () => {
    expect(readableStack(error('a\nb', [own(1)]))).toBe(`RangeError: a\nb\n${own(1)}`);
  });

  it.each([
    ['a string', "'a string'"],
    [{ code: 7 }, '{ code: 7 }'],
    [undefined, 'undefined'],
  ])('shows %j, which is no error, as it is', (thrown, text) => {
    expect(readableStack(thrown)).toBe(text);
  });

  it('shows an error without a stack by its message', () => {
    const bare = new Error('bare');
    bare.stack = '';
    expect(readableStack(bare)).toBe('Error: bare');
  });
});
