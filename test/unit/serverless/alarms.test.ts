import { describe, expect, it } from 'vitest';
import { readDurableService } from '../../../src/serverless/read-service.ts';
import { alarmResources } from '../../../src/serverless/resources/alarms.ts';
import { dashboardResources } from '../../../src/serverless/resources/dashboard.ts';
import { stepLogicalId } from '../../../src/serverless/resources/logical-ids.ts';
import { functionWith, serviceOf } from './services.ts';

const TOPIC = 'arn:aws:sns:eu-west-1:123456789012:pager';
const id = stepLogicalId;

function deploymentWith(durable: object, { handled }: { handled: boolean }) {
  const dead = handled ? { dead: functionWith({ durableDeadLetters: true }) } : {};
  return readDurableService(serviceOf({ durable, functions: { charge: functionWith({ durableStep: 'pay' }), ...dead } }));
}

/** What CloudWatch looks at: everything of an alarm but its words and its actions. */
function watched(durable: object, handled: boolean): Record<string, unknown> {
  const all = Object.entries(alarmResources(deploymentWith(durable, { handled })));
  return Object.fromEntries(
    all.map(([key, { Properties }]) => {
      const { AlarmDescription, AlarmActions, OKActions, ...rest } = Properties;
      return [key, rest];
    }),
  );
}

const ofQueue = (MetricName: string, logicalId: string, Threshold: number) => ({
  Namespace: 'AWS/SQS',
  MetricName,
  Dimensions: [{ Name: 'QueueName', Value: { 'Fn::GetAtt': [logicalId, 'QueueName'] } }],
  Statistic: 'Maximum',
  Period: 300,
  EvaluationPeriods: 1,
  Threshold,
  ComparisonOperator: 'GreaterThanOrEqualToThreshold',
  TreatMissingData: 'notBreaching',
});

const ofFunction = (MetricName: string, logicalId: string, Threshold: number) => ({
  ...ofQueue(MetricName, '', Threshold),
  Namespace: 'AWS/Lambda',
  Dimensions: [{ Name: 'FunctionName', Value: { Ref: logicalId } }],
  Statistic: 'Sum',
});

describe('alarms', () => {
  it('alarms look at metrics that exist, of the queue or function they are about, and the costly ones are asked for', () => {
    const atStart = {
      [id('pay', 'TasksAgeAlarm')]: ofQueue('ApproximateAgeOfOldestMessage', id('pay', 'TasksQueue'), 900),
      [id('pay', 'ParkedAlarm')]: ofQueue('ApproximateNumberOfMessagesVisible', id('pay', 'ParkedQueue'), 1),
      DurableResultsAgeAlarm: ofQueue('ApproximateAgeOfOldestMessage', 'DurableResultsQueue', 300),
      DurableResultsDeadLettersAlarm: ofQueue('ApproximateNumberOfMessagesVisible', 'DurableResultsDeadLetterQueue', 1),
    };
    expect(watched({}, true)).toEqual(atStart);
    expect(watched({ alarms: { deadLettersAgeSeconds: 600, errors: 1, throttles: 1 } }, true)).toEqual({
      ...atStart,
      [id('pay', 'DeadLettersAlarm')]: ofQueue('ApproximateAgeOfOldestMessage', id('pay', 'DeadLetterQueue'), 600),
      DurableFunctionErrorsAlarmCharge: ofFunction('Errors', 'ChargeLambdaFunction', 1),
      DurableFunctionThrottlesAlarmCharge: ofFunction('Throttles', 'ChargeLambdaFunction', 1),
      DurableFunctionErrorsAlarmDead: ofFunction('Errors', 'DeadLambdaFunction', 1),
      DurableFunctionThrottlesAlarmDead: ofFunction('Throttles', 'DeadLambdaFunction', 1),
    });
  });

  it('the alarm of a dead-letter queue that nobody empties looks at its depth', () => {
    const all = watched({}, false);
    expect(all[id('pay', 'DeadLettersAlarm')]).toEqual(ofQueue('ApproximateNumberOfMessagesVisible', id('pay', 'DeadLetterQueue'), 1));
    expect(all).not.toHaveProperty(id('pay', 'ParkedAlarm'));
  });

  it('each alarm has its own threshold', () => {
    const alarms = { tasksAgeSeconds: 101, deadLettersAgeSeconds: 102, resultsAgeSeconds: 103, throttles: 104, errors: 105 };
    const all = watched({ alarms }, true);
    expect(all).toMatchObject({
      [id('pay', 'TasksAgeAlarm')]: { Threshold: 101 },
      [id('pay', 'DeadLettersAlarm')]: { Threshold: 102 },
      DurableResultsAgeAlarm: { Threshold: 103 },
      DurableFunctionThrottlesAlarmCharge: { Threshold: 104 },
      DurableFunctionErrorsAlarmCharge: { Threshold: 105 },
    });
  });

  it('alarms tell a topic when they begin and end; without a topic they only show in the console', () => {
    const withTopic = Object.values(alarmResources(deploymentWith({ alarms: { snsTopicArn: TOPIC } }, { handled: true })));
    for (const { Properties } of withTopic) expect(Properties).toMatchObject({ AlarmActions: [TOPIC], OKActions: [TOPIC] });
    const without = Object.values(alarmResources(deploymentWith({}, { handled: true })));
    for (const { Properties } of without) expect(Object.keys(Properties)).not.toContain('AlarmActions');
  });
});

it('a dashboard shows metrics that exist, of every queue and function', () => {
  const resources = dashboardResources(deploymentWith({ dashboard: true }, { handled: true }));
  const body: unknown = Object.values(Object(resources['DurableDashboard']?.Properties['DashboardBody']))[0];
  const { widgets }: { widgets: { properties: { stat: string; metrics: string[][] } }[] } = JSON.parse(String(body));
  const charge = `\${ChargeLambdaFunction}`;
  const dead = `\${DeadLambdaFunction}`;
  const queue = (stat: string, metric: string, ...names: string[]) => names.map((name) => [stat, 'AWS/SQS', metric, 'QueueName', name]);
  const lambda = (stat: string, metric: string) => [charge, dead].map((name) => [stat, 'AWS/Lambda', metric, 'FunctionName', name]);
  expect(widgets.flatMap(({ properties: { stat, metrics } }) => metrics.map((metric) => [stat, ...metric]))).toEqual([
    ...queue('Maximum', 'ApproximateNumberOfMessagesVisible', 'durable-tasks-pay'),
    ...queue('Maximum', 'ApproximateAgeOfOldestMessage', 'durable-tasks-pay'),
    ...queue('Maximum', 'ApproximateNumberOfMessagesVisible', 'durable-dead-letters-pay', 'durable-parked-pay'),
    ...queue('Sum', 'NumberOfMessagesSent', 'durable-results'),
    ...queue('Sum', 'NumberOfMessagesDeleted', 'durable-results'),
    ...queue('Maximum', 'ApproximateAgeOfOldestMessage', 'durable-results'),
    ...lambda('p95', 'Duration'),
    ...lambda('Maximum', 'ConcurrentExecutions'),
    ...lambda('Sum', 'Errors'),
    ...lambda('Sum', 'Throttles'),
  ]);
});

it('a dashboard shows the metrics of each step where functions write them', () => {
  const bodyOf = (metrics: boolean) => {
    const resources = dashboardResources(deploymentWith({ dashboard: true, metrics }, { handled: true }));
    return JSON.stringify(resources['DurableDashboard']?.Properties['DashboardBody']).replaceAll('\\\\', '');
  };
  for (const name of ['Started', 'Completed', 'Failed', 'Redelivered', 'Duration', 'QueueTime']) {
    const metric = ['DurableSqsLambda', name, 'FunctionName', `\${ChargeLambdaFunction}`, 'Step', 'pay'];
    expect(bodyOf(true).replaceAll('\\', '')).toContain(JSON.stringify(metric));
  }
  expect(bodyOf(false)).not.toContain('DurableSqsLambda');
});
