import { Console } from 'node:console';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { resultsQueueName, tasksQueueName } from 'durable-sqs-lambda';
import type { SqsEngineHandler } from 'durable-sqs-lambda/engine-function';
import { LocalEventSourceMapping, type SqsLambdaHandler, startLocalSqs } from 'durable-sqs-lambda/local';

/** The repository's example handlers by the steps they serve: ES modules in TypeScript, which Node runs as they are. */
const HANDLERS = {
  'payments.charge-card': 'charge-card.ts',
  'stock.reserve': 'reserve-stock.ts',
  'notifications.send-receipt': 'notifications.ts',
  'notifications.send-decline-notice': 'notifications.ts',
};
type StepName = keyof typeof HANDLERS;
/** What an engine function reads beside the results. */
const ENGINE_QUEUES = ['durable-start-run', 'durable-wake-ups'];
const STEP_NAMES: readonly StepName[] = [
  'payments.charge-card',
  'stock.reserve',
  'notifications.send-receipt',
  'notifications.send-decline-notice',
];

/** All that is AWS in production: the queues, and the functions behind them. */
export interface LambdaSide {
  /** Lets the function of a step read its queue. */
  deploy(...steps: readonly StepName[]): Promise<void>;
  deployAll(): Promise<void>;
  /** Lets an engine function read its queues. */
  deployEngine(handler: SqsEngineHandler): Promise<void>;
  /** Takes the functions from their queues again. */
  withdraw(): Promise<void>;
  /** Messages in a step's tasks queue. */
  tasks(step: StepName): Promise<number>;
  /** Messages in the results queue. */
  results(): Promise<number>;
  /** Messages in all queues. */
  messages(): Promise<number>;
  stop(): Promise<void>;
}

export async function startLambdaSide(): Promise<LambdaSide> {
  // The functions' log is CloudWatch's, not the output of this program.
  globalThis.console = new Console(process.stderr, process.stderr);
  const sqs = await startLocalSqs();
  // What the environment of a Lambda function, or of a container, tells the SDK.
  process.env['AWS_REGION'] = sqs.region;
  process.env['AWS_ENDPOINT_URL_SQS'] = sqs.endpoint;
  process.env['AWS_ACCESS_KEY_ID'] = 'local';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'local';

  const client = new SQSClient(sqs.clientConfig);
  const createQueue = async (QueueName: string) => {
    const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName, Attributes: { VisibilityTimeout: '30' } }));
    if (QueueUrl === undefined) throw new Error(`queue ${QueueName} has no URL`);
    return QueueUrl;
  };
  const depth = async (QueueUrl: string) => {
    const AttributeNames = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
    const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...AttributeNames] }));
    return AttributeNames.reduce((sum, name) => sum + Number(Attributes?.[name]), 0);
  };
  const queueUrls = new Map<StepName, string>();
  for (const step of STEP_NAMES) queueUrls.set(step, await createQueue(tasksQueueName(step)));
  const resultsQueueUrl = await createQueue(resultsQueueName());
  const queueUrlOf = (step: StepName) => queueUrls.get(step) ?? '';

  let mappings: LocalEventSourceMapping[] = [];
  const deploy = async (...steps: readonly StepName[]) => {
    for (const step of steps) {
      const handler = await loadHandler(HANDLERS[step]);
      const mapping = new LocalEventSourceMapping({
        clientConfig: sqs.clientConfig,
        queueUrl: queueUrlOf(step),
        functionName: step.replace('.', '-'),
        handler,
      });
      mapping.start();
      mappings.push(mapping);
    }
  };
  const deployEngine = async (handler: SqsEngineHandler) => {
    const queues = [resultsQueueUrl, ...(await Promise.all(ENGINE_QUEUES.map(createQueue)))];
    for (const queueUrl of queues) {
      const mapping = new LocalEventSourceMapping({
        clientConfig: sqs.clientConfig,
        queueUrl,
        functionName: 'engine',
        timeoutMs: 30_000,
        handler,
      });
      mapping.start();
      mappings.push(mapping);
    }
  };
  const withdraw = async () => {
    const stopping = mappings;
    mappings = [];
    await Promise.all(stopping.map((mapping) => mapping.stop()));
  };
  return {
    deploy,
    deployAll: () => deploy(...STEP_NAMES),
    deployEngine,
    withdraw,
    tasks: (step) => depth(queueUrlOf(step)),
    results: () => depth(resultsQueueUrl),
    async messages() {
      const depths = await Promise.all([resultsQueueUrl, ...queueUrls.values()].map(depth));
      return depths.reduce((sum, each) => sum + each, 0);
    },
    async stop() {
      await withdraw();
      client.destroy();
      await sqs.stop();
    },
  };
}

async function loadHandler(file: string): Promise<SqsLambdaHandler> {
  const path = resolve(__dirname, '../../../handlers', file);
  const loaded: unknown = await import(pathToFileURL(path).href);
  if (typeof loaded === 'object' && loaded !== null && 'handler' in loaded && isHandler(loaded.handler)) return loaded.handler;
  throw new Error(`${file} exports no handler`);
}

function isHandler(value: unknown): value is SqsLambdaHandler {
  return typeof value === 'function';
}
