import { distance } from '../../edit-distance.ts';
import { entriesOf } from './section.ts';

export const BUNDLER = 'serverless-esbuild';
const OWN = 'durable-sqs-lambda';
const SETTINGS = 'durable';
/** The events of this plugin. */
export const DURABLE_EVENTS = ['durableStep', 'durableWorkflow', 'durableDeadLetters', 'durableEngine'] as const;
export type DurableEvent = (typeof DURABLE_EVENTS)[number];

const EMPTY: Readonly<Record<DurableEvent, string>> = {
  durableStep: 'expected the name of a step, or an object with its name, got nothing; write "- durableStep: <name of the step>"',
  durableWorkflow:
    'expected the name of a workflow, or an object with its name, got nothing; write "- durableWorkflow: <name of the workflow>"',
  durableDeadLetters: 'expected true, or an object of settings, got nothing; write "- durableDeadLetters: true"',
  durableEngine: 'expected true, or an object of settings, got nothing; write "- durableEngine: true"',
};

/** A serverless.yml as the deploy tool has it before it validates the file. */
export interface UnvalidatedService {
  readonly plugins?: unknown;
  readonly custom?: unknown;
  readonly functions?: unknown;
}

/** Whether the service has any durable settings; the plugin does not touch a service without. */
export function usesDurableSteps({ custom, functions }: UnvalidatedService): boolean {
  if (SETTINGS in entriesOf(custom)) return true;
  return Object.values(merged(functions)).some((fn) => {
    const events: unknown = entriesOf(fn)['events'];
    return Array.isArray(events) && events.some((event: unknown) => DURABLE_EVENTS.some((name) => name in entriesOf(event)));
  });
}

/**
 * Settings for durable steps that nothing would read: the deploy tool ignores them, or refuses the file with a message
 * that does not name the mistake.
 *
 * @returns one line per mistake: its path, what was expected, what was got, and what to do
 */
export function unreadSettings(service: UnvalidatedService): string[] {
  const functions = Object.entries(merged(service.functions));
  return [
    ...(usesDurableSteps(service) ? pluginOrder(service.plugins) : []),
    ...customKeys(service.custom),
    ...functions.flatMap(([key, fn]) => functionKeys(key, fn)),
  ];
}

/** The list of plugins, in either form that the deploy tool knows. */
export function pluginNames(given: unknown): readonly unknown[] {
  const modules: unknown = Array.isArray(given) ? given : entriesOf(given)['modules'];
  return Array.isArray(modules) ? modules : [];
}

/** The plugin needs what the bundler has built, and hooks of the same event run in the order of the list. */
function pluginOrder(given: unknown): string[] {
  const plugins = pluginNames(given);
  const own = plugins.findIndex((name) => typeof name === 'string' && name.includes(OWN));
  if (own === -1 || plugins.indexOf(BUNDLER) <= own) return [];
  return [`plugins: expected ${BUNDLER} before ${String(plugins[own])}, got it after; swap the two lines`];
}

function customKeys(custom: unknown): string[] {
  const keys = Object.keys(entriesOf(custom));
  if (keys.includes(SETTINGS)) return [];
  return keys
    .filter((key) => plain(key) === plain(OWN) || (plain(key).startsWith('d') && distance(plain(key), SETTINGS) <= 1))
    .map(
      (key) =>
        `custom.${key}: expected custom.${SETTINGS}, got a key that nothing reads; rename it (if it is another plugin's, add "${SETTINGS}: {}" beside it)`,
    );
}

function functionKeys(functionKey: string, fn: unknown): string[] {
  const path = `functions.${functionKey}`;
  const given = entriesOf(fn);
  const misplaced = DURABLE_EVENTS.filter((name) => name in given).map(
    (name) => `${path}.${name}: expected it in the list of events, got it beside them; move it to ${path}.events, as "- ${name}: …"`,
  );
  const events: unknown = given['events'];
  if (Array.isArray(events)) {
    return [...misplaced, ...events.flatMap((event: unknown, index) => eventKeys(`${path}.events[${index}]`, entriesOf(event)))];
  }
  const [name] = DURABLE_EVENTS.filter((event) => event in entriesOf(events));
  return name === undefined ? misplaced : [...misplaced, `${path}.events: expected a list, got an object; write "- " before ${name}`];
}

function eventKeys(path: string, event: Readonly<Record<string, unknown>>): string[] {
  const known = DURABLE_EVENTS.filter((name) => name in event);
  if (known.length > 0) {
    return known
      .filter((name) => event[name] === null || event[name] === undefined)
      .map((name) => {
        const beside = Object.keys(event).filter((key) => key !== name);
        const indent = beside.length === 0 ? '' : `; or indent ${beside.join(', ')} below it, by four spaces more than the dash`;
        return `${path}.${name}: ${EMPTY[name]}${indent}`;
      });
  }
  return Object.keys(event).flatMap((key) => {
    const meant = DURABLE_EVENTS.find((name) => distance(plain(key), plain(name)) <= 2);
    return meant === undefined ? [] : [`${path}.${key}: expected ${meant}, got an event that nobody knows; correct its spelling`];
  });
}

/** A list of objects counts as one object; the deploy tool merges it later. */
function merged(functions: unknown): Readonly<Record<string, unknown>> {
  return Array.isArray(functions) ? Object.assign({}, ...functions.map(entriesOf)) : entriesOf(functions);
}

function plain(key: string): string {
  return key.toLowerCase().replaceAll(/[^a-z]/g, '');
}
