import { DEFAULT_KEY_PREFIX, KEY_PREFIX } from '../../payloads/payload-key.ts';
import { longestLifeDays, SERVICE_QUEUES, STEP_QUEUES } from '../../topology/queue-kinds.ts';
import { advisedVisibilitySeconds, CONTAINER_VISIBILITY_SECONDS, MAX_VISIBILITY_SECONDS } from '../../topology/visibility.ts';

/**
 * What may stand in a serverless.yml, one table per place.
 *
 * The reader checks by these tables, not serverless by a JSON schema: its messages name a key but not what was
 * expected, and it would stop at its own mistakes before ours are found.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html limits of an event source mapping
 */
export type Kind =
  | { readonly is: 'text'; readonly pattern?: RegExp; readonly words: string }
  | { readonly is: 'integer'; readonly minimum: number; readonly maximum: number }
  | { readonly is: 'boolean' }
  | { readonly is: 'constant'; readonly value: boolean }
  | { readonly is: 'object'; readonly fields: Fields }
  | { readonly is: 'list'; readonly words: string /** An item is one of these. */; readonly items: readonly Kind[] };

export interface Field {
  /** What it means, and its default: part of the message about a wrong value. */
  readonly description: string;
  /** A value is one of these. */
  readonly accepts: readonly Kind[];
  readonly required?: boolean;
}

export type Fields = Readonly<Record<string, Field>>;

const YES = { is: 'constant', value: true } as const;
const NO = { is: 'constant', value: false } as const;
const BOOLEAN = { is: 'boolean' } as const;
const QUEUE_URL = { is: 'text', pattern: /^https?:\/\/\S+\/\S+$/, words: 'the URL of a queue' } as const;
export const NAME = { is: 'text', words: 'a non-empty string' } as const;

/** Keeps the type of a table: the types for a `serverless.ts` are made of it. */
function fields<const Table extends Fields>(table: Table): Table {
  return table;
}

function integer(minimum: number, maximum: number) {
  return { is: 'integer', minimum, maximum } as const;
}

export function object<Table extends Fields>(table: Table) {
  return { is: 'object', fields: table } as const;
}

function arn(service: string) {
  return { is: 'text', pattern: new RegExp(`^arn:[a-z-]+:${service}:.+`), words: `an ARN (arn:aws:${service}:…)` } as const;
}

/** A day more than any message can need. */
export const DEFAULT_RETENTION_DAYS = longestLifeDays({ fifo: true }) + 1;

const BATCH_SIZE = integer(1, 10_000);
const CONCURRENCY = integer(2, 1_000);

/** What every step may say, whoever serves it. */
const COMMON_STEP_FIELDS = fields({
  name: { description: 'Name of the step, as the workflow calls it.', accepts: [NAME], required: true },
  partition: { description: 'Partition (tenant) of the step; its tasks have a queue of their own.', accepts: [NAME] },
  maxReceiveCount: {
    description: `Receives before a task becomes a dead letter. Default ${STEP_QUEUES.tasks.redrive.maxReceiveCount}.`,
    accepts: [integer(1, 1_000)],
  },
  fifo: { description: 'A FIFO tasks queue: the tasks of one run one after the other. Default false.', accepts: [BOOLEAN] },
});

export const STEP_FIELDS = fields({
  ...COMMON_STEP_FIELDS,
  batchSize: {
    description: 'Tasks of one invocation. Above 10 only with a batchWindow, and not on FIFO. Default 10.',
    accepts: [BATCH_SIZE],
  },
  batchWindow: { description: 'Seconds that Lambda waits for a batch to fill. Default 0.', accepts: [integer(0, 300)] },
  maximumConcurrency: { description: 'Invocations at the same time at most. Default: no limit of its own.', accepts: [CONCURRENCY] },
  provisionedPollers: {
    description: 'Pollers kept ready; costs by the hour. Excludes maximumConcurrency.',
    accepts: [
      object({
        minimum: { description: 'Pollers at least.', accepts: [integer(2, 200)], required: true },
        maximum: { description: 'Pollers at most.', accepts: [integer(2, 2_000)], required: true },
      }),
    ],
  },
  visibilityTimeout: {
    description: 'Seconds that a received task stays hidden. Default 6 × the function timeout + batchWindow.',
    accepts: [integer(1, MAX_VISIBILITY_SECONDS)],
  },
  enabled: { description: 'false stops the mapping; tasks wait in the queue. Default true.', accepts: [BOOLEAN] },
});

/** Visibility timeout of a container step's queue: that of a queue which `autoCreate` makes. */
export const DEFAULT_CONTAINER_VISIBILITY_SECONDS = advisedVisibilitySeconds(CONTAINER_VISIBILITY_SECONDS);

export const CONTAINER_STEP_FIELDS = fields({
  ...COMMON_STEP_FIELDS,
  visibilityTimeout: {
    description: `Seconds that a received task stays hidden from other workers, where the worker names no time of its own. Default ${DEFAULT_CONTAINER_VISIBILITY_SECONDS}.`,
    accepts: [integer(1, MAX_VISIBILITY_SECONDS)],
  },
});

export const DEAD_LETTER_FIELDS = fields({
  batchSize: { description: 'Dead letters of one invocation. Default 10.', accepts: [integer(1, 10)] },
  maximumConcurrency: { description: 'Invocations per dead-letter queue at the same time at most. Default 2.', accepts: [CONCURRENCY] },
  enabled: { description: 'false stops the mappings. Default true.', accepts: [BOOLEAN] },
});

/**
 * Each environment of the engine has connections of its own to the database. A PostgreSQL allows 100 unless it is told
 * otherwise: three queues with ten environments each, and the one of a tick, leave each a pool of three.
 */
export const DEFAULT_ENGINE_CONCURRENCY = 10;

export const ENGINE_FIELDS = fields({
  batchSize: { description: 'Records of one invocation. Default 10.', accepts: [integer(1, 10)] },
  maximumConcurrency: {
    description: `Invocations per queue at the same time at most, each with its own connections to the database. Default ${DEFAULT_ENGINE_CONCURRENCY}.`,
    accepts: [CONCURRENCY],
  },
  tickMinutes: {
    description: 'How often the engine looks for what nothing else wakes: waits beyond 15 minutes, lost messages. Default 1.',
    accepts: [integer(1, 60)],
  },
  enabled: { description: 'false stops the mappings and the schedule; runs wait. Default true.', accepts: [BOOLEAN] },
});

const ALARM_FIELDS = fields({
  snsTopicArn: { description: 'Topic that alarms are sent to. Without it they only show in the console.', accepts: [arn('sns')] },
  tasksAgeSeconds: {
    description: 'Age of the oldest task that is too old. Default 900.',
    accepts: [integer(60, STEP_QUEUES.tasks.retentionSeconds)],
  },
  deadLettersAgeSeconds: {
    description: 'Age of the oldest dead letter that its handler should have received. Default: no such alarm.',
    accepts: [integer(60, STEP_QUEUES['dead-letters'].retentionSeconds)],
  },
  resultsAgeSeconds: {
    description: 'Age of the oldest result that the engine should have received. Default 300.',
    accepts: [integer(60, SERVICE_QUEUES.results.retentionSeconds)],
  },
  startsAgeSeconds: {
    description: 'Age of the oldest start that the engine should have received. Default 300.',
    accepts: [integer(60, SERVICE_QUEUES['start-run'].retentionSeconds)],
  },
  throttles: {
    description: 'Throttled invocations in five minutes that are too many. Default: no such alarm.',
    accepts: [integer(1, 1_000_000)],
  },
  errors: {
    description: 'Failed invocations in five minutes that are too many. Default: no such alarm.',
    accepts: [integer(1, 1_000_000)],
  },
});

export const SERVICE_FIELDS = fields({
  prefix: { description: 'First part of all queue names. Default durable.', accepts: [NAME] },
  namespace: { description: 'Folded into the prefix, as in the engine: <prefix>-<namespace>.', accepts: [NAME] },
  containerSteps: {
    description: 'Steps that workers in containers serve: queues, alarms and rights, and no mapping. Default none.',
    accepts: [
      { is: 'list', words: 'a list of steps, each its name or an object with its name', items: [NAME, object(CONTAINER_STEP_FIELDS)] },
    ],
  },
  resultsQueue: {
    description:
      'An existing results queue ({ url, arn }: one service owns it, others share it), or { fifo: true }. Default: made here, standard.',
    accepts: [
      object({
        url: {
          description: 'URL of an existing results queue.',
          accepts: [QUEUE_URL],
        },
        arn: { description: 'ARN of that queue.', accepts: [arn('sqs')] },
        fifo: { description: 'Makes a FIFO results queue. All workers must then send a message group.', accepts: [BOOLEAN] },
        engineFunction: {
          description:
            'With url and arn: whether the engine is a function of the service that owns the queue (durableEngine). Default false.',
          accepts: [BOOLEAN],
        },
      }),
    ],
  },
  startRuns: {
    description:
      'true makes a queue for starts of runs by message; { functions } also lists those that may send them, { url, arn } shares the queue of ' +
      'another service. Default false.',
    accepts: [
      BOOLEAN,
      object({
        functions: {
          description: 'Functions of this service that may start runs.',
          accepts: [{ is: 'list', words: 'a list of function names', items: [NAME] }],
        },
        url: { description: 'URL of the start queue of another service.', accepts: [QUEUE_URL] },
        arn: { description: 'ARN of that queue.', accepts: [arn('sqs')] },
      }),
    ],
  },
  kmsKey: {
    description: 'true makes a KMS key for all queues; an ARN uses that key. Default: encrypted with the key of SQS.',
    accepts: [
      YES,
      // A right on an alias grants nothing: IAM compares the ARN of the key.
      { is: 'text', pattern: /^arn:[a-z-]+:kms:[^:]+:\d+:key\/.+/, words: 'the ARN of a key, not of an alias (arn:aws:kms:…:key/…)' },
    ],
  },
  payloadBucket: {
    description:
      'true (or { retentionDays, keyPrefix }) makes a bucket for the bodies of a payloadStore, { name, keyPrefix } uses an existing one. Default none.',
    accepts: [
      YES,
      object({
        name: {
          description: `Name of an existing bucket. Its objects must live ${DEFAULT_RETENTION_DAYS} days, or 29 without FIFO steps.`,
          accepts: [NAME],
        },
        keyPrefix: {
          description: `Beginning of the keys of stored bodies, the keyPrefix of s3PayloadStore; rights cover nothing else. Default ${DEFAULT_KEY_PREFIX}.`,
          accepts: [
            {
              is: 'text',
              // An asterisk would be a wildcard in the policies.
              pattern: new RegExp(`(?!.*\\*)(?:${KEY_PREFIX.source})`),
              words: "a beginning of S3 keys such as durable/ (A-Z a-z 0-9 ! _ . ' ( ) / -, no slash in front)",
            },
          ],
        },
        retentionDays: {
          description: `Days before an object expires. Default ${DEFAULT_RETENTION_DAYS}.`,
          accepts: [integer(longestLifeDays({ fifo: false }), 3_650)],
        },
      }),
    ],
  },
  alarms: {
    description: 'CloudWatch alarms: false for none, or their topic and thresholds. Default: on.',
    accepts: [NO, YES, object(ALARM_FIELDS)],
  },
  dashboard: { description: 'A CloudWatch dashboard. Default false.', accepts: [BOOLEAN] },
  metrics: {
    description: 'Metrics of each step in CloudWatch, which bills them as custom metrics; the dashboard shows them. Default false.',
    accepts: [BOOLEAN],
  },
  loadCheck: { description: 'Whether each bundle is loaded when it is packaged. Default true.', accepts: [BOOLEAN] },
  perFunctionRoles: {
    description: 'Each function its own role with nothing but its own rights. Default false: the role of the service.',
    accepts: [BOOLEAN],
  },
});
