import { METRICS_NAMESPACE } from '../../lambda/metric-names.ts';
import { wakeUpsQueueName } from '../../topology/queue-names.ts';
import type { DurableDeployment } from '../deployment.ts';
import { allSteps } from '../durable-service.ts';
import { durableFunctions } from '../read-service.ts';
import { type Resources, sub } from './cloudformation.ts';
import { DASHBOARD, lambdaLogicalId } from './logical-ids.ts';

type Metric = readonly [namespace: string, name: string, ...dimensions: string[]];

/** One dashboard of the service: what waits, what died, what the functions do. */
export function dashboardResources(deployment: DurableDeployment): Resources {
  if (!deployment.dashboard) return {};
  const steps = allSteps(deployment);
  const results = deployment.resultsQueue.name;
  const functions = durableFunctions(deployment).map(({ functionKey }) => `\${${lambdaLogicalId(functionKey)}}`);
  const tasks = steps.map((step) => step.queues.tasks);
  const lost = steps.flatMap((step) => [step.queues.deadLetters, step.queues.parked]);
  const widgets = [
    widget('Tasks waiting', 'Maximum', tasks.map(queueMetric('ApproximateNumberOfMessagesVisible'))),
    widget('Age of the oldest task (s)', 'Maximum', tasks.map(queueMetric('ApproximateAgeOfOldestMessage'))),
    widget('Dead letters and parked tasks', 'Maximum', lost.map(queueMetric('ApproximateNumberOfMessagesVisible'))),
    widget('Results', 'Sum', [
      ['AWS/SQS', 'NumberOfMessagesSent', 'QueueName', results],
      ['AWS/SQS', 'NumberOfMessagesDeleted', 'QueueName', results],
    ]),
    widget('Age of the oldest result (s)', 'Maximum', [queueMetric('ApproximateAgeOfOldestMessage')(results)]),
    widget('Duration p95 (ms)', 'p95', functions.map(functionMetric('Duration'))),
    widget('Concurrent invocations', 'Maximum', functions.map(functionMetric('ConcurrentExecutions'))),
    widget('Errors', 'Sum', functions.map(functionMetric('Errors'))),
    widget('Throttles', 'Sum', functions.map(functionMetric('Throttles'))),
    ...engineWidgets(deployment),
    ...(deployment.metrics ? stepWidgets(deployment) : []),
  ].map((content, index) => ({ ...content, x: (index % 3) * 8, y: Math.floor(index / 3) * 6, width: 8, height: 6 }));
  return {
    [DASHBOARD]: {
      Type: 'AWS::CloudWatch::Dashboard',
      // Dashboards are global to an account, and services of one prefix are stacks of their own.
      Properties: { DashboardName: sub(`\${AWS::StackName}-\${AWS::Region}`), DashboardBody: sub(JSON.stringify({ widgets })) },
    },
  };
}

/** Where the engine is a function: what comes to it beside results. */
function engineWidgets({ engine, startRuns, prefix }: DurableDeployment) {
  if (engine === undefined) return [];
  const fn = `\${${lambdaLogicalId(engine.function.functionKey)}}`;
  const waiting = [wakeUpsQueueName(prefix), ...(startRuns === undefined ? [] : [startRuns.name])];
  return [
    widget(
      'Ticks of the engine',
      'Sum',
      ['AsyncEventsReceived', 'AsyncEventsDropped'].map((name) => functionMetric(name)(fn)),
    ),
    widget('Wake-ups and starts waiting', 'Maximum', waiting.map(queueMetric('ApproximateNumberOfMessagesVisible'))),
    widget('Wake-ups delayed', 'Maximum', [queueMetric('ApproximateNumberOfMessagesDelayed')(wakeUpsQueueName(prefix))]),
  ];
}

/** What functions write of each step, where metrics are asked for. */
function stepWidgets({ steps }: DurableDeployment) {
  const metrics = (name: string) =>
    steps.map((step): Metric => {
      const fn = `\${${lambdaLogicalId(step.function.functionKey)}}`;
      return [METRICS_NAMESPACE, name, 'FunctionName', fn, 'Step', step.name];
    });
  return [
    widget('Steps completed', 'Sum', metrics('Completed')),
    widget('Steps failed', 'Sum', metrics('Failed')),
    widget('Tasks redelivered', 'Sum', metrics('Redelivered')),
    widget('Duration of a step p95 (ms)', 'p95', metrics('Duration')),
    widget('Time in the queue p95 (ms)', 'p95', metrics('QueueTime')),
    widget('Steps started', 'Sum', metrics('Started')),
  ];
}

function widget(title: string, stat: string, metrics: readonly Metric[]) {
  return { type: 'metric', properties: { title, region: `\${AWS::Region}`, stat, period: 60, metrics } };
}

function queueMetric(name: string): (queue: string) => Metric {
  return (queue) => ['AWS/SQS', name, 'QueueName', queue];
}

function functionMetric(name: string): (fn: string) => Metric {
  return (fn) => ['AWS/Lambda', name, 'FunctionName', fn];
}
