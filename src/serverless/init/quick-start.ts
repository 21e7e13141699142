import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { sqsEvent } from '../commands/event/sqs-event.ts';
import { taskMessages } from '../commands/messages/queue-messages.ts';
import { readDurableService } from '../read-service.ts';

/** One file of the quick start, and whether it was written: a file that is there is never touched. */
export interface QuickStartFile {
  readonly path: string;
  readonly written: boolean;
}

const SERVICE = 'serverless.yml';
const HANDLER = 'handlers/charge-card.ts';
/** As serverless.yml names it. */
const HANDLER_NAME = 'handlers/charge-card.handler';
const ENGINE = 'engine.mts';
const EVENT = 'events/charge-card.json';
const INPUT = { orderId: 'o-1', amountCents: 1200 };

/**
 * Writes the files of README's quick start into a folder: the service, its handler, an engine, and an event to try the
 * handler with.
 */
export function writeQuickStart(folder: string, readme: string = packedReadme()): QuickStartFile[] {
  const texts: readonly (readonly [path: string, text: string])[] = [
    ...[SERVICE, HANDLER, ENGINE].map((path) => [path, fileInReadme(readme, path)] as const),
    [EVENT, `${JSON.stringify(quickStartEvent(), undefined, 2)}\n`],
  ];
  return texts.map(([path, text]) => ({ path, written: writeNew(join(folder, path), text) }));
}

/** Whether the service's file names the handler of the quick start: what it says of it otherwise is the user's. */
export function namesHandler(folder: string): boolean {
  return readFileSync(join(folder, SERVICE), 'utf8').includes(HANDLER_NAME);
}

/** The commands of README that install what the files need; none where all of it is installed. */
export function missingInstalls(folder: string, readme: string = packedReadme()): string[] {
  const commands = readme.split('\n').filter((line) => /^npm install .*(durable-sqs-lambda|serverless-esbuild)/.test(line));
  return commands.filter((command) => packagesOf(command).some((name) => !existsSync(join(folder, 'node_modules', name))));
}

/**
 * What is to be done next, as text for a terminal.
 * @param isNamed whether {@link namesHandler}
 */
export function nextSteps(files: readonly QuickStartFile[], installs: readonly string[], isNamed: boolean): string {
  const told = files.map(({ path, written }) => (written ? `wrote  ${path}` : `kept   ${path}, which was there`));
  const advice = `${SERVICE} names no handler "${HANDLER_NAME}": add the function, as "In your project" of durable-sqs-lambda's README does`;
  return [
    ...told,
    ...(files.some(({ written }) => written) ? [] : ['nothing to write: all files of the quick start are there']),
    ...(isNamed ? [] : [advice]),
    ...(installs.length === 0 ? [] : ['', 'install what is missing:', ...installs.map((command) => `  ${command}`)]),
    '',
    'run the step once:',
    `  npx sls invoke local -f chargeCard -p ${EVENT}`,
    'run the whole service, and the engine beside it:',
    '  npx sls durable local   # goes on until Ctrl-C, and prints export lines',
    `  node ${ENGINE}         # in a second shell, where those lines were pasted`,
    '',
  ].join('\n');
}

/** README is where the quick start stands; npm packs it with every package. */
function packedReadme(): string {
  const packageFile = createRequire(import.meta.url).resolve('durable-sqs-lambda/package.json');
  return readFileSync(join(dirname(packageFile), 'README.md'), 'utf8');
}

/** A block of code that begins with a comment of nothing but the file's name. */
function fileInReadme(readme: string, path: string): string {
  const name = path.replaceAll('.', '\\.');
  const [, text] = new RegExp(`^\`\`\`\\w+\\n((?://|#) ${name}\\n.*?)^\`\`\`$`, 'ms').exec(readme) ?? [];
  if (text === undefined) throw new Error(`README.md of durable-sqs-lambda has no block of code for ${path}`);
  return text;
}

function quickStartEvent() {
  const [step] = readDurableService({
    custom: { durable: { prefix: 'durable-dev' } },
    functions: { chargeCard: { handler: HANDLER_NAME, events: [{ durableStep: 'payments.charge-card' }] } },
  }).steps;
  if (step === undefined) throw new Error('expected one step, got none');
  return sqsEvent(taskMessages(step, { input: INPUT, runId: 'order-1', attempt: 1, count: 1 }), 'eu-central-1', Date.now());
}

/** Whether the file was not there yet. */
function writeNew(file: string, text: string): boolean {
  if (existsSync(file)) return false;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { flag: 'wx' });
  return true;
}

/** Names of the packages of an `npm install` command, without version or alias. */
function packagesOf(command: string): string[] {
  const names = command
    .replace(/ +#.*$/, '')
    .split(' ')
    .slice(2);
  return names.filter((name) => !name.startsWith('-')).map((name) => name.replace(/(?<=.)@.*$/, ''));
}
