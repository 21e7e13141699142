import { describe, expect, it } from 'vitest';
import { ResultBook } from '../../faults/result-book.ts';

/** A result that went its way once. */
function once(): ResultBook {
  const book = new ResultBook();
  book.taskGiven('r:0');
  book.sent('r:0');
  book.delivered('r:0');
  book.handedToEngine('r:0');
  return book;
}

describe('the book of results', () => {
  it('finds nothing wrong with a result that was sent, delivered and handed over once', () => {
    expect(once().violations()).toEqual([]);
  });

  it('forbids a worker to send a result twice, unless its task was given twice or a send was cut', () => {
    const [bare, given, cut] = [once(), once(), once()];
    given.taskGiven('r:0');
    cut.copied('r:0');
    for (const book of [bare, given, cut]) book.sent('r:0');
    expect(bare.violations()).toEqual([expect.stringContaining('sent 2 times')]);
    expect([...given.violations(), ...cut.violations()]).toEqual([]);
  });

  it('forbids the transport to hand a result over more often than it was delivered', () => {
    const book = once();
    book.handedToEngine('r:0');
    expect(book.violations()).toEqual([expect.stringContaining('handed its result 2 times')]);
    book.delivered('r:0');
    expect(book.violations()).toEqual([]);
  });
});
