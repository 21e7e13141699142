import type { Context, SQSRecord } from 'aws-lambda';
import type { InFlightTask } from '../step/in-flight-task.ts';
import type { AnyResult } from '../step/task-format.ts';
import { METRICS_NAMESPACE, NOT_SERVED } from './metric-names.ts';

/** CloudWatch reads as many values of one metric from a line. */
const VALUES_PER_LINE = 100;

/** Of one step or workflow, in one invocation. The names are those of the metrics. */
interface Counts {
  Started: number;
  Completed: number;
  Failed: number;
  /** Tasks that SQS had delivered before. */
  Redelivered: number;
  /** Milliseconds of each run. */
  readonly Duration: number[];
  /** Milliseconds from the moment that SQS accepted a task to the start of its run, by two clocks that may differ. */
  readonly QueueTime: number[];
}

/**
 * The metrics of one invocation, as lines in CloudWatch's embedded metric format. Each step (or workflow) has a line;
 * one with more than a hundred runs in the invocation has more.
 *
 * A file of its own, loaded where metrics are asked for, and without an import that others share: a bundler makes it a
 * chunk that no cold start without metrics loads.
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export class InvocationMetrics {
  readonly #lambda: Context;
  readonly #names: readonly string[];
  readonly #zero: number;
  readonly #counts = new Map<string, Counts>();

  /**
   * @param names of the steps that the function serves: whoever can send to its queue chooses the others, and each
   * costs money
   * @param now of the clock by which tasks are measured
   */
  constructor(lambda: Context, names: readonly string[], now: number) {
    this.#lambda = lambda;
    this.#names = names;
    this.#zero = Date.now() - now;
  }

  /** Counts a task whose handling has ended, or is given up. @param record where it is known still */
  add<Task, Result extends AnyResult>(inFlight: InFlightTask<Task, Result>, record?: SQSRecord): void {
    const { task, host, message, startedAt, ranMs, failed } = inFlight;
    if (task === undefined) return;
    const counts = this.#countsOf(host.format.nameOf(task));
    if (message.receiveCount > 1) counts.Redelivered += 1;
    if (startedAt === undefined) return;
    counts.Started += 1;
    if (failed !== undefined) counts[failed ? 'Failed' : 'Completed'] += 1;
    if (ranMs !== undefined) counts.Duration.push(Math.round(ranMs));
    const waitedMs = this.#zero + startedAt - Number(record?.attributes.SentTimestamp);
    if (!Number.isNaN(waitedMs)) counts.QueueTime.push(Math.max(0, Math.round(waitedMs)));
  }

  /** Writes what was counted since the last call. */
  write(): void {
    for (const [name, { Duration, QueueTime, ...sums }] of this.#counts) {
      for (let from = 0; from === 0 || from < Duration.length || from < QueueTime.length; from += VALUES_PER_LINE) {
        const to = from + VALUES_PER_LINE;
        const values = { Duration: Duration.slice(from, to), QueueTime: QueueTime.slice(from, to) };
        process.stdout.write(`${this.#line(name, from === 0 ? { ...sums, ...values } : values)}\n`);
      }
    }
    this.#counts.clear();
  }

  #line(name: string, metrics: Readonly<Record<string, number | number[]>>): string {
    const given = Object.entries(metrics).filter(([, value]) => typeof value === 'number' || value.length > 0);
    const definitions = given.map(([metric, value]) => ({ Name: metric, Unit: typeof value === 'number' ? 'Count' : 'Milliseconds' }));
    const directive = { Namespace: METRICS_NAMESPACE, Dimensions: [['FunctionName', 'Step']], Metrics: definitions };
    const { functionName, awsRequestId } = this.#lambda;
    return JSON.stringify({
      _aws: { Timestamp: Date.now(), CloudWatchMetrics: [directive] },
      FunctionName: functionName,
      Step: name,
      ...Object.fromEntries(given),
      requestId: awsRequestId,
    });
  }

  #countsOf(taskName: string): Counts {
    const name = this.#names.includes(taskName) ? taskName : NOT_SERVED;
    const counts = this.#counts.get(name) ?? { Started: 0, Completed: 0, Failed: 0, Redelivered: 0, Duration: [], QueueTime: [] };
    this.#counts.set(name, counts);
    return counts;
  }
}
