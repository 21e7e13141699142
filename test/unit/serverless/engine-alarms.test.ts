import { describe, expect, it } from 'vitest';
import { readDurableService } from '../../../src/serverless/read-service.ts';
import { alarmResources } from '../../../src/serverless/resources/alarms.ts';
import { dashboardResources } from '../../../src/serverless/resources/dashboard.ts';
import { functionWith, serviceOf } from './services.ts';

const TOPIC = 'arn:aws:sns:eu-west-1:123456789012:pager';

const deploymentWith = (durableEngine: unknown, durable: object = {}) =>
  readDurableService(
    serviceOf({
      durable: { prefix: 'shop', ...durable },
      functions: { charge: functionWith({ durableStep: 'pay' }), engine: { handler: 'engine.handler', events: [{ durableEngine }] } },
    }),
  );
const ofEngine = (...given: Parameters<typeof deploymentWith>) =>
  Object.fromEntries(Object.entries(alarmResources(deploymentWith(...given))).filter(([id]) => /WakeUps|Tick/.test(id)));
const ofTick = (MetricName: string, more: object) => ({
  Namespace: 'AWS/Lambda',
  MetricName,
  Dimensions: [{ Name: 'FunctionName', Value: { Ref: 'EngineLambdaFunction' } }],
  Statistic: 'Sum',
  EvaluationPeriods: 1,
  ...more,
});

describe('the alarms of an engine in a function', () => {
  it('look at wake-ups that nobody takes, at ticks that do not come, and at ticks that fail', () => {
    const alarms = ofEngine(true);
    expect(Object.keys(alarms)).toEqual(['DurableWakeUpsAgeAlarm', 'DurableTickMissingAlarm', 'DurableTickFailingAlarm']);
    expect(alarms['DurableWakeUpsAgeAlarm']?.Properties).toMatchObject({
      MetricName: 'ApproximateAgeOfOldestMessage',
      Dimensions: [{ Name: 'QueueName', Value: { 'Fn::GetAtt': ['DurableWakeUpsQueue', 'QueueName'] } }],
      Threshold: 1_800,
    });
    expect(alarms['DurableTickMissingAlarm']?.Properties).toMatchObject(
      ofTick('AsyncEventsReceived', { Period: 300, Threshold: 1, ComparisonOperator: 'LessThanThreshold', TreatMissingData: 'breaching' }),
    );
    expect(alarms['DurableTickFailingAlarm']?.Properties).toMatchObject(
      ofTick('AsyncEventsDropped', {
        Period: 300,
        Threshold: 5,
        ComparisonOperator: 'GreaterThanOrEqualToThreshold',
        TreatMissingData: 'notBreaching',
      }),
    );
  });

  it('wait for five ticks, however long these are apart', () => {
    expect(ofEngine({ tickMinutes: 60 })['DurableTickMissingAlarm']?.Properties).toMatchObject({ Period: 18_000 });
  });

  it('go to the topic of the service', () => {
    for (const { Properties } of Object.values(ofEngine(true, { alarms: { snsTopicArn: TOPIC } }))) {
      expect(Properties).toMatchObject({ AlarmActions: [TOPIC], OKActions: [TOPIC] });
    }
  });

  it('expect no tick where the engine is off', () => {
    expect(Object.keys(ofEngine({ enabled: false }))).toEqual(['DurableWakeUpsAgeAlarm']);
  });

  it('have no alarm where the service wants none, nor where the engine is a process', () => {
    expect(ofEngine(true, { alarms: false })).toEqual({});
    const process = readDurableService(serviceOf({ functions: { charge: functionWith({ durableStep: 'pay' }) } }));
    expect(Object.keys(alarmResources(process)).filter((id) => /WakeUps|Tick/.test(id))).toEqual([]);
  });
});

describe('the dashboard of an engine in a function', () => {
  const widgets = (durable: object) => {
    const body: unknown = Object.values(
      Object(dashboardResources(deploymentWith(true, durable))['DurableDashboard']?.Properties['DashboardBody']),
    )[0];
    const parsed: { widgets: { properties: { title: string; metrics: string[][] } }[] } = JSON.parse(String(body));
    return new Map(parsed.widgets.map(({ properties }) => [properties.title, properties.metrics]));
  };

  it('shows its ticks, and what waits for it', () => {
    const all = widgets({ dashboard: true, startRuns: true });
    const fn = `\${EngineLambdaFunction}`;
    expect(all.get('Ticks of the engine')).toEqual([
      ['AWS/Lambda', 'AsyncEventsReceived', 'FunctionName', fn],
      ['AWS/Lambda', 'AsyncEventsDropped', 'FunctionName', fn],
    ]);
    expect(all.get('Wake-ups and starts waiting')?.map((metric) => metric.at(-1))).toEqual(['shop-wake-ups', 'shop-start-run']);
    expect(all.get('Wake-ups delayed')).toEqual([['AWS/SQS', 'ApproximateNumberOfMessagesDelayed', 'QueueName', 'shop-wake-ups']]);
    expect(all.get('Errors')).toContainEqual(['AWS/Lambda', 'Errors', 'FunctionName', fn]);
  });
});
