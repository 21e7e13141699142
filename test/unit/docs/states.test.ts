import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { NEXT } from '../../../src/transport/engine/event-turns.ts';

const page = readFileSync(new URL('../../../docs/concepts/ordering.md', import.meta.url), 'utf8');
const section = page.slice(page.indexOf('## Attached, by events'));

it('the picture of the modes of a run shows each change of the table NEXT, and no other', () => {
  const drawn = [...section.matchAll(/^ {2}(\w+) --> (\w+): (.+)$/gm)].flatMap(([, from, to, causes = '']) =>
    causes.split(', ').map((cause) => `${from} ${cause} ${to}`),
  );
  const changes = Object.entries(NEXT).flatMap(([from, next]) =>
    Object.entries(next).flatMap(([cause, to]) => (to === from ? [] : [`${from} ${cause} ${to}`])),
  );
  expect(changes.length).toBeGreaterThan(10);
  expect(drawn.toSorted()).toEqual(changes.toSorted());
});

it('the page says what each cause is', () => {
  const causes = Object.keys(NEXT.none);
  expect(causes.filter((cause) => !new RegExp(`^\\| [^|]*\`${cause}\``, 'm').test(section))).toEqual([]);
});
