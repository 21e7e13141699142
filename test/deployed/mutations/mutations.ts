/** The template of a deployment, as the deploy tool has it in memory. */
export interface MutableTemplate {
  readonly Resources: Record<string, MutableResource>;
}

interface MutableResource {
  readonly Type: string;
  DeletionPolicy?: string;
  readonly Properties: Record<string, unknown>;
}

/** One fault of a template, which `npm run test:deployed` must find. */
export interface Mutation {
  readonly name: string;
  /** The file of tests that finds it. */
  readonly file: 'first-run' | 'life' | 'variants';
  /** What the red run says: it must be red because of this fault. */
  readonly says: string;
  mutate(template: MutableTemplate): void;
}

/** What is behind it is the same for all queues of a step. */
const TASKS_QUEUES = /DurableStepTasksQueue/g;

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'a missing right: functions may not send results',
    file: 'first-run',
    says: 'completes 100 checkouts of all outcomes',
    mutate: (template) => removeAction(template, 'sqs:SendMessage', 'DurableResultsQueue'),
  },
  {
    name: 'a missing right: the role may not poll',
    file: 'first-run',
    says: 'does not have permissions to call ReceiveMessage on SQS',
    mutate: (template) => removeAction(template, 'sqs:ReceiveMessage', 'DurableStepTasksQueue'),
  },
  {
    name: 'a wrong ARN: the engine may send to the parked queues',
    file: 'first-run',
    says: 'completes 100 checkouts of all outcomes',
    mutate: ({ Resources }) => {
      rewrite(Resources['DurableEnginePolicy'], TASKS_QUEUES, 'DurableStepParkedQueue');
    },
  },
  {
    name: 'a wrong ARN: mappings poll the parked queues',
    file: 'first-run',
    says: 'on SQS',
    mutate: (template) => {
      for (const mapping of ofType(template, 'AWS::Lambda::EventSourceMapping')) rewrite(mapping, TASKS_QUEUES, 'DurableStepParkedQueue');
    },
  },
  {
    name: 'a visibility timeout below the timeout of the function',
    file: 'first-run',
    says: 'Queue visibility timeout: 10 seconds is less than Function timeout: 30 seconds',
    mutate: (template) => {
      for (const queue of queuesOf(template, 'DurableStepTasksQueue')) queue.Properties['VisibilityTimeout'] = 10;
    },
  },
  {
    name: 'mappings without ReportBatchItemFailures',
    file: 'first-run',
    says: 'has nothing that doctor --live --strict warns of',
    mutate: (template) => {
      for (const mapping of ofType(template, 'AWS::Lambda::EventSourceMapping')) delete mapping.Properties['FunctionResponseTypes'];
    },
  },
  {
    name: 'tasks queues without a redrive policy',
    file: 'first-run',
    says: 'has nothing that doctor --live --strict warns of',
    mutate: (template) => {
      for (const queue of queuesOf(template, 'DurableStepTasksQueue')) delete queue.Properties['RedrivePolicy'];
    },
  },
  {
    name: 'functions that send results to the dead letters of the results queue',
    file: 'first-run',
    says: 'completes 100 checkouts of all outcomes',
    mutate: (template) => {
      for (const fn of ofType(template, 'AWS::Lambda::Function'))
        rewrite(fn, /"Ref":"DurableResultsQueue"/g, '"Ref":"DurableResultsDeadLetterQueue"');
    },
  },
  {
    name: 'parked queues that go with the stack',
    file: 'first-run',
    says: 'keeps what may hold the only copy of a message',
    mutate: (template) => {
      for (const queue of queuesOf(template, 'DurableStepParkedQueue')) queue.DeletionPolicy = 'Delete';
    },
  },
  {
    name: 'queues that a failed first deployment leaves behind',
    file: 'life',
    says: 'leaves nothing in the way of the next',
    mutate: (template) => {
      for (const queue of ofType(template, 'AWS::SQS::Queue')) if (queue.DeletionPolicy !== undefined) queue.DeletionPolicy = 'Retain';
    },
  },
  {
    name: 'queues that plain HTTP may reach',
    file: 'variants',
    says: 'by plain HTTP: allowed',
    mutate: ({ Resources }) => {
      for (const [id, { Type }] of Object.entries(Resources)) if (Type === 'AWS::SQS::QueuePolicy') delete Resources[id];
    },
  },
  {
    name: 'queues without the key',
    file: 'variants',
    says: 'encrypts every queue',
    mutate: (template) => {
      for (const queue of ofType(template, 'AWS::SQS::Queue')) delete queue.Properties['KmsMasterKeyId'];
    },
  },
  {
    name: 'alarms that notify nobody',
    file: 'variants',
    says: 'exist, and the alarms notify the topic',
    mutate: (template) => {
      for (const alarm of ofType(template, 'AWS::CloudWatch::Alarm')) alarm.Properties['AlarmActions'] = [];
    },
  },
];

function ofType({ Resources }: MutableTemplate, type: string): MutableResource[] {
  return Object.values(Resources).filter(({ Type }) => Type === type);
}

/** Queues by the beginning of their logical ids. */
function queuesOf({ Resources }: MutableTemplate, beginning: string): MutableResource[] {
  return Object.entries(Resources).flatMap(([id, resource]) =>
    id.startsWith(beginning) && resource.Type === 'AWS::SQS::Queue' ? [resource] : [],
  );
}

/** Replaces a text in the JSON of a resource's properties. */
function rewrite(resource: MutableResource | undefined, from: RegExp, to: string): void {
  if (resource === undefined) return;
  Object.assign(resource.Properties, JSON.parse(JSON.stringify(resource.Properties).replace(from, to)));
}

interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

/** Removes an action from every statement of a role that has a resource whose logical id begins so. */
function removeAction(template: MutableTemplate, action: string, beginning: string): void {
  for (const { Properties } of ofType(template, 'AWS::IAM::Role')) {
    const policies: { PolicyDocument: { Statement: Statement[] } }[] = JSON.parse(JSON.stringify(Properties['Policies'] ?? []));
    for (const { PolicyDocument } of policies) {
      PolicyDocument.Statement = PolicyDocument.Statement.flatMap((statement) => {
        if (!JSON.stringify(statement.Resource).includes(`"${beginning}`)) return [statement];
        const Action = [statement.Action].flat().filter((name) => name !== action);
        return Action.length === 0 ? [] : [{ ...statement, Action }];
      });
    }
    Properties['Policies'] = policies;
  }
}
