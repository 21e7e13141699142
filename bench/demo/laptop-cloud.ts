import { CreateQueueCommand, GetQueueAttributesCommand, SetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { createQueues, LocalEventSourceMapping, type LocalSqs, startLocalSqs } from 'durable-sqs-lambda/local';
import { STEPS } from './checkout.ts';
import { type Deliveries, withKills } from './faults.ts';

/** How much longer than the timeout of its function a message stays hidden after a kill. Short, so that the demo is. */
const HIDDEN_LONGER_SECONDS = 1;
const KILL_EVERY = 4;

/** What AWS would be: an SQS server in this process, and the functions in `handlers/` behind their tasks queues. */
export class LaptopCloud {
  readonly sqs: LocalSqs;
  readonly resultsQueueUrl: string;
  readonly taskQueueUrls: readonly string[];
  /** Of the functions of the steps. */
  readonly deliveries: Deliveries = { records: 0, redelivered: 0 };
  readonly #client: SQSClient;
  readonly #mappings: LocalEventSourceMapping[] = [];

  private constructor(sqs: LocalSqs, client: SQSClient, resultsQueueUrl: string, taskQueueUrls: readonly string[]) {
    this.sqs = sqs;
    this.#client = client;
    this.resultsQueueUrl = resultsQueueUrl;
    this.taskQueueUrls = taskQueueUrls;
  }

  /** @param options `stepTimeoutSeconds` is that of the functions of steps */
  static async open({
    verbose,
    stepTimeoutSeconds,
  }: {
    readonly verbose: boolean;
    readonly stepTimeoutSeconds: number;
  }): Promise<LaptopCloud> {
    const sqs = await startLocalSqs();
    const { clientConfig } = sqs;
    const { resultsQueueUrl, tasksQueueUrls } = await createQueues({
      clientConfig,
      steps: STEPS,
      functionTimeoutSeconds: stepTimeoutSeconds,
    });
    const cloud = new LaptopCloud(sqs, new SQSClient(clientConfig), resultsQueueUrl, [...tasksQueueUrls.values()]);
    for (const url of cloud.taskQueueUrls) await cloud.setVisibility(url, stepTimeoutSeconds + HIDDEN_LONGER_SECONDS);
    // What Lambda's environment would hold. The handlers read it when they are loaded, so they are loaded after this.
    Object.assign(process.env, {
      AWS_REGION: sqs.region,
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_ENDPOINT_URL_SQS: sqs.endpoint,
      DURABLE_RESULTS_QUEUE_URL: resultsQueueUrl,
      AWS_LAMBDA_LOG_LEVEL: verbose ? 'INFO' : 'FATAL',
    });
    const functions = await loadFunctions();
    cloud.#mappings.push(
      ...STEPS.map(
        (step) =>
          new LocalEventSourceMapping({
            clientConfig,
            queueUrl: tasksQueueUrls.get(step) ?? '',
            handler: withKills(functions[step], cloud.deliveries, KILL_EVERY),
            functionName: step,
            timeoutMs: stepTimeoutSeconds * 1000,
          }),
      ),
    );
    return cloud;
  }

  /** Creates a queue, and gives its URL. */
  async createQueue(name: string): Promise<string> {
    const { QueueUrl } = await this.#client.send(new CreateQueueCommand({ QueueName: name }));
    if (QueueUrl === undefined) throw new Error(`expected the SQS server to give the URL of ${name}, got none`);
    return `${this.sqs.endpoint}${new URL(QueueUrl).pathname}`;
  }

  async setVisibility(queueUrl: string, seconds: number): Promise<void> {
    await this.#client.send(new SetQueueAttributesCommand({ QueueUrl: queueUrl, Attributes: { VisibilityTimeout: String(seconds) } }));
  }

  start(): void {
    for (const mapping of this.#mappings) mapping.start();
  }

  /** Requests of SQS so far. */
  requests(): number {
    return Object.values(this.sqs.requests()).reduce((sum, count) => sum + count, 0);
  }

  /** Waits until the messages of killed functions have come back and are done with. */
  async untilEmpty(queueUrls: readonly string[]): Promise<void> {
    const deadline = Date.now() + 60_000;
    for (const url of queueUrls) {
      while (Date.now() < deadline && !(await this.#isEmpty(url))) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** The engine is to be closed before. */
  async close(): Promise<void> {
    await Promise.all(this.#mappings.map((mapping) => mapping.stop()));
    this.#client.destroy();
    await this.sqs.stop();
  }

  async #isEmpty(QueueUrl: string): Promise<boolean> {
    const { Attributes } = await this.#client.send(
      new GetQueueAttributesCommand({
        QueueUrl,
        AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
      }),
    );
    return Object.values(Attributes ?? {}).every((number) => number === '0');
  }
}

async function loadFunctions() {
  const [charge, reserve, notifications] = await Promise.all([
    import('../../handlers/charge-card.ts'),
    import('../../handlers/reserve-stock.ts'),
    import('../../handlers/notifications.ts'),
  ]);
  return {
    'payments.charge-card': charge.handler,
    'stock.reserve': reserve.handler,
    'notifications.send-receipt': notifications.handler,
    'notifications.send-decline-notice': notifications.handler,
  };
}
