import { ConfigurationError } from '../../errors.ts';
import { DEFAULT_KEY_PREFIX } from '../../payloads/payload-key.ts';
import { isFifoQueue } from '../../topology/fifo-queues.ts';
import { DEFAULT_PREFIX, effectivePrefix, resultsQueueName } from '../../topology/queue-names.ts';
import type { AlarmSettings, KmsKey, PayloadBucket } from '../deployment.ts';
import type { ResultsQueue, ServiceStep, StartRuns } from '../durable-service.ts';
import { readStartRuns } from './read-start-runs.ts';
import { readContainerStep } from './read-steps.ts';
import { DEFAULT_RETENTION_DAYS, SERVICE_FIELDS } from './schema.ts';
import { entriesOf, type Problems, Section, shown } from './section.ts';
import { readSharedQueue } from './shared-queue.ts';

export interface Settings {
  readonly prefix: string;
  /** Whether a namespace is folded into the prefix. */
  readonly namespaced: boolean;
  readonly resultsQueue: ResultsQueue;
  readonly startRuns: StartRuns | undefined;
  readonly containerSteps: readonly ServiceStep[];
  readonly kmsKey: KmsKey | undefined;
  readonly payloadBucket: PayloadBucket | undefined;
  readonly alarms: AlarmSettings | undefined;
  readonly dashboard: boolean;
  readonly metrics: boolean;
  readonly loadCheck: boolean;
  readonly perFunctionRoles: boolean;
}

const PATH = 'custom.durable';

/** Reads `custom.durable`; with a mistake, the default stands in so that all other mistakes are found too. */
export function readSettings(custom: unknown, problems: Problems): Settings {
  const given = entriesOf(custom)['durable'] ?? {};
  if (typeof given !== 'object' || Array.isArray(given)) {
    problems.add(PATH, `expected an object of ${Object.keys(SERVICE_FIELDS).join(', ')}, got ${shown(given)}`);
  }
  const section = new Section(given, PATH, SERVICE_FIELDS, problems);
  const prefix = readPrefix(section, problems);
  return {
    prefix,
    namespaced: isNamespaced(section.text('namespace')),
    resultsQueue: readResultsQueue(section.section('resultsQueue'), prefix, problems),
    startRuns: readStartRuns(section, prefix, problems),
    containerSteps: section
      .list('containerSteps')
      .flatMap((step, index) => readContainerStep(step, `${PATH}.containerSteps[${index}]`, prefix, problems) ?? []),
    kmsKey: readKmsKey(section),
    payloadBucket: readPayloadBucket(section, problems),
    alarms: section.flag('alarms') === false ? undefined : readAlarms(section.section('alarms')),
    dashboard: section.flag('dashboard') ?? false,
    metrics: section.flag('metrics') ?? false,
    loadCheck: section.flag('loadCheck') ?? true,
    perFunctionRoles: section.flag('perFunctionRoles') ?? false,
  };
}

function readPrefix(section: Section, problems: Problems): string {
  try {
    return effectivePrefix(section.text('prefix'), section.text('namespace'));
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    problems.add(`${PATH}.prefix`, error.message);
    return DEFAULT_PREFIX;
  }
}

/** As `effectivePrefix` has it: `default` is none. */
function isNamespaced(namespace: string | undefined): boolean {
  return namespace !== undefined && namespace !== 'default';
}

function readResultsQueue(section: Section | undefined, prefix: string, problems: Problems): ResultsQueue {
  const given = section?.flag('fifo');
  const shared = readSharedQueue(section, problems);
  const engineFunction = section?.flag('engineFunction');
  if (shared === undefined) {
    if (engineFunction !== undefined) {
      const remedy = 'remove it; the event durableEngine says it of a queue that this service makes';
      problems.add(`${section?.path}.engineFunction`, `expected nothing without url and arn, got ${engineFunction}; ${remedy}`);
    }
    return { owned: true, name: resultsQueueName(prefix, { fifo: given ?? false }), fifo: given ?? false };
  }
  const fifo = isFifoQueue(shared.url);
  if (given !== undefined && given !== fifo) {
    problems.add(`${section?.path}.fifo`, `expected ${fifo} for that queue, got ${given}; its name tells, so remove fifo`);
  }
  return { owned: false, ...shared, fifo, engineFunction: engineFunction ?? false };
}

function readKmsKey(section: Section): KmsKey | undefined {
  const arn = section.text('kmsKey');
  if (arn !== undefined) return { owned: false, arn };
  return section.flag('kmsKey') === true ? { owned: true } : undefined;
}

function readPayloadBucket(section: Section, problems: Problems): PayloadBucket | undefined {
  const given = section.section('payloadBucket');
  const keyPrefix = given?.text('keyPrefix') ?? DEFAULT_KEY_PREFIX;
  if (given === undefined)
    return section.flag('payloadBucket') === true ? { owned: true, retentionDays: DEFAULT_RETENTION_DAYS, keyPrefix } : undefined;
  const name = given.text('name');
  const retentionDays = given.integer('retentionDays');
  if (name === undefined) return { owned: true, retentionDays: retentionDays ?? DEFAULT_RETENTION_DAYS, keyPrefix };
  if (retentionDays !== undefined) {
    problems.add(
      `${given.path}.retentionDays`,
      'expected nothing beside name, whose lifecycle is up to its owner, got a number; remove one of the two',
    );
  }
  return { owned: false, name, keyPrefix };
}

function readAlarms(section: Section | undefined): AlarmSettings {
  return {
    snsTopicArn: section?.text('snsTopicArn'),
    tasksAgeSeconds: section?.integer('tasksAgeSeconds') ?? 900,
    resultsAgeSeconds: section?.integer('resultsAgeSeconds') ?? 300,
    startsAgeSeconds: section?.integer('startsAgeSeconds') ?? 300,
    deadLettersAgeSeconds: section?.integer('deadLettersAgeSeconds'),
    throttles: section?.integer('throttles'),
    errors: section?.integer('errors'),
  };
}
