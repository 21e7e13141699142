import type { FunctionRole } from '../deployment.ts';
import type { DurableFunction } from '../durable-service.ts';
import { entriesOf, type Problems, shown } from './section.ts';

/** What functions inherit from `provider`. */
export interface Defaults {
  readonly runtime: unknown;
  readonly timeout: unknown;
  readonly role: unknown;
  readonly perFunctionRoles: boolean;
}

/**
 * One function as it stands in the file, with its durable events and those plain `sqs` events that could touch our
 * queues.
 */
export interface FunctionEntry {
  readonly function: DurableFunction;
  readonly path: string;
  readonly events: readonly { readonly path: string; readonly event: Readonly<Record<string, unknown>> }[];
}

const OLDEST_NODE = 22;
/** The defaults of serverless. */
const DEFAULT_RUNTIME = 'nodejs24.x';
const DEFAULT_TIMEOUT_SECONDS = 6;
const ENV_OF_PLUGIN = [
  'DURABLE_PREFIX',
  'DURABLE_NAMESPACE',
  'DURABLE_RESULTS_QUEUE_URL',
  'DURABLE_METRICS',
  'DURABLE_START_RUN_QUEUE_URL',
  'DURABLE_PAYLOAD_BUCKET',
  'DURABLE_PAYLOAD_BUCKET_OWNER',
  'DURABLE_PAYLOAD_KEY_PREFIX',
];
const ENV_OF_REPLAY = 'DURABLE_REPLAY';

/** The functions of a serverless.yml. Nothing is checked yet: a function without durable events may be anything. */
export function readFunctions(functions: unknown, defaults: Defaults): FunctionEntry[] {
  return Object.entries(entriesOf(functions)).map(([functionKey, value]) => {
    const path = `functions.${functionKey}`;
    const given = entriesOf(value);
    const events: unknown = given['events'];
    return {
      path,
      function: {
        functionKey,
        handler: typeof given['handler'] === 'string' ? given['handler'] : '',
        runtime: String(given['runtime'] ?? defaults.runtime ?? DEFAULT_RUNTIME),
        timeoutSeconds: Number(given['timeout'] ?? defaults.timeout ?? DEFAULT_TIMEOUT_SECONDS),
        reservedConcurrency: optionalNumber(given['reservedConcurrency']),
      },
      events: (Array.isArray(events) ? events : []).map((event: unknown, index) => ({
        path: `${path}.events[${index}]`,
        event: entriesOf(event),
      })),
    };
  });
}

/** Whether a function can be a worker at all. */
export function checkFunction({ function: { handler, runtime }, path }: FunctionEntry, given: unknown, problems: Problems): void {
  if (handler === '') {
    problems.add(`${path}.handler`, 'expected a handler (file.export), got none; durable events need a zip function, not an image');
  }
  const node = /^nodejs(\d+)\.x$/.exec(runtime)?.[1];
  if (node === undefined || Number(node) < OLDEST_NODE) {
    problems.add(
      `${path}.runtime`,
      `expected nodejs${OLDEST_NODE}.x or later, got ${shown(runtime)}; set provider.runtime (or this runtime) to nodejs24.x`,
    );
  }
  checkEnvironment(`${path}.environment`, entriesOf(given)['environment'], problems);
}

/**
 * What the plugin sets must not be set beside it: a namespace would be folded into the prefix twice, and other values
 * be lost.
 */
export function checkEnvironment(path: string, environment: unknown, problems: Problems): void {
  for (const name of ENV_OF_PLUGIN) {
    if (Object.hasOwn(entriesOf(environment), name)) {
      problems.add(`${path}.${name}`, 'expected nothing, the plugin sets it; remove it and use custom.durable');
    }
  }
  if (Object.hasOwn(entriesOf(environment), ENV_OF_REPLAY)) {
    const remedy = 'set it in the shell of sls invoke local';
    problems.add(
      `${path}.${ENV_OF_REPLAY}`,
      `expected nothing: on Lambda "print" consumes tasks without sending a result; remove it, or ${remedy}`,
    );
  }
}

/** Where the rights of a function can be put. */
export function readRole(path: string, given: unknown, defaults: Defaults, problems: Problems): FunctionRole {
  const own: unknown = entriesOf(given)['role'];
  if (own === undefined || own === null) {
    if (defaults.perFunctionRoles) return { kind: 'made' };
    if (defaults.role === undefined || defaults.role === null) return { kind: 'service' };
    return extendableRole(defaults.role) ?? refused('provider.iam.role', defaults.role, problems);
  }
  return extendableRole(own) ?? refused(`${path}.role`, own, problems);
}

function extendableRole(role: unknown): FunctionRole | undefined {
  if (role === 'IamRoleLambdaExecution') return { kind: 'service' };
  if (typeof role === 'string') {
    const roleName = /^arn:[^:]+:iam::[^:]*:role\/(?:.*\/)?([^/]+)$/.exec(role)?.[1];
    if (roleName !== undefined) return { kind: 'existing', roleName };
    return /^[A-Za-z0-9]+$/.test(role) ? { kind: 'resource', logicalId: role } : undefined;
  }
  const attribute: unknown = entriesOf(role)['Fn::GetAtt'];
  const [logicalId, name]: unknown[] = Array.isArray(attribute) ? attribute : [];
  return typeof logicalId === 'string' && name === 'Arn' ? { kind: 'resource', logicalId } : undefined;
}

function refused(path: string, role: unknown, problems: Problems): FunctionRole {
  problems.add(
    path,
    `expected the ARN of a role as text, or the logical id of a role of this service, so that queue rights can be added to it; got ${shown(role)}`,
  );
  return { kind: 'service' };
}

function optionalNumber(value: unknown): number | undefined {
  return value === undefined || value === null ? undefined : Number(value);
}
