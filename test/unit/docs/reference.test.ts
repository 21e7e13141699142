import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { runStarter } from '../../../src/client/index.ts';
import { sqsEngineHandler } from '../../../src/engine-function/index.ts';
import { sqsDeadLetterHandler, sqsStepHandler } from '../../../src/lambda/index.ts';
import { s3PayloadStore } from '../../../src/payloads/s3-payload-store.ts';
import { durableCommands } from '../../../src/serverless/commands/index.ts';
import {
  CONTAINER_STEP_FIELDS,
  DEAD_LETTER_FIELDS,
  ENGINE_FIELDS,
  SERVICE_FIELDS,
  STEP_FIELDS,
} from '../../../src/serverless/config/schema.ts';
import { SqsTransport } from '../../../src/transport/index.ts';
import { sqsWorkflowHandler } from '../../../src/workflow/index.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (path: string) => readFileSync(root + path, 'utf8');
const errors = read('docs/reference/errors.md');
const options = read('docs/reference/options.md');
const commands = read('docs/reference/commands.md');
const settings = read('docs/reference/serverless-yml.md');

const UNKNOWN = { nobodyKnows: 1 };
/** Each refuses an option that it does not know, by a message that lists those that it knows. */
const REFUSALS: Readonly<Record<string, () => unknown>> = {
  // @ts-expect-error: there is no such option
  sqsStepHandler: () => sqsStepHandler('a', async () => 1, UNKNOWN),
  // @ts-expect-error: there is no such option
  sqsWorkflowHandler: () => sqsWorkflowHandler('a', '1', async () => 1, UNKNOWN),
  // @ts-expect-error: there is no such option
  sqsDeadLetterHandler: () => sqsDeadLetterHandler(UNKNOWN),
  // @ts-expect-error: there is no such option
  sqsEngineHandler: () => sqsEngineHandler(() => Promise.reject(new Error('not reached')), UNKNOWN),
  // @ts-expect-error: there is no such option
  SqsTransport: () => new SqsTransport(UNKNOWN),
  // @ts-expect-error: there is no such option
  s3PayloadStore: () => s3PayloadStore(UNKNOWN),
  // @ts-expect-error: there is no such option
  runStarter: () => runStarter(UNKNOWN),
};

function optionsOf(refuse: () => unknown): string[] {
  try {
    refuse();
  } catch (error) {
    const [, names] = /unknown option "nobodyKnows", expected one of (.+)$/.exec(String(error)) ?? [];
    if (names !== undefined) return names.split(', ');
  }
  throw new Error('expected a message that lists the options');
}

it.each(Object.entries(REFUSALS))('options.md has each option of %s', (_name, refuse) => {
  const names = optionsOf(refuse);
  expect(names.length).toBeGreaterThan(3);
  expect(names.filter((name) => !options.includes(`\`${name}\``))).toEqual([]);
});

it('errors.md has each class of src/errors, with its code', () => {
  const sources = globSync('src/errors/*.ts', { cwd: root }).map(read);
  const classes = sources.flatMap((source) => [...source.matchAll(/^export class (\w+) extends \w+Error \{(.*?)^\}/gms)]);
  expect(classes.length).toBeGreaterThan(15);
  const rows = classes.map(([, name = '', body = '']) => {
    const code = /readonly code = '(\w+)'/.exec(body)?.[1];
    return code === undefined ? `| \`${name}\`` : `| \`${name}\`, \`${code}\` |`;
  });
  expect(rows.filter((row) => !errors.includes(row))).toEqual([]);
});

it('errors.md has each code that the sources write', () => {
  const sources = globSync('src/{step,lambda,workflow,container,transport}/**/*.ts', { cwd: root });
  const found = sources.flatMap((path) => [...read(path).matchAll(/\bcode: '(\w+)'/g)].map(([, code = '']) => code));
  const codes = [...new Set(found)];
  expect(codes.length).toBeGreaterThan(3);
  expect(codes.filter((code) => !errors.includes(`\`${code}\``))).toEqual([]);
});

it('commands.md has each command of sls durable with each of its options', () => {
  const missing = Object.entries(durableCommands.durable.commands).flatMap(([name, { options: known }]) => {
    const start = commands.indexOf(`\n## \`sls durable ${name}\``);
    const text = commands.slice(start, commands.indexOf('\n## ', start + 1));
    const absent = Object.keys(known).filter((option) => option !== 'json' && !text.includes(`\`--${option}`));
    return start < 0 ? [name] : absent.map((option) => `${name} --${option}`);
  });
  expect(missing).toEqual([]);
});

it('commands.md has each finding of doctor', () => {
  const sources = globSync('src/serverless/commands/doctor/**/*.ts', { cwd: root });
  const found = sources.flatMap((path) => [...read(path).matchAll(/\bid: '([a-z]+(?:-[a-z]+)+)'/g)].map(([, id = '']) => id));
  const ids = [...new Set(found)];
  expect(ids.length).toBeGreaterThan(15);
  expect(ids.filter((id) => !commands.includes(`| \`${id}\``))).toEqual([]);
});

it("serverless-yml.md has each key of the plugin's tables", () => {
  const tables = [STEP_FIELDS, CONTAINER_STEP_FIELDS, DEAD_LETTER_FIELDS, ENGINE_FIELDS, SERVICE_FIELDS];
  const keys = tables.flatMap((fields) => Object.keys(fields));
  expect(keys.filter((key) => !settings.includes(`| \`${key}\` |`))).toEqual([]);
});
