import { MAX_DELAY_SECONDS } from '../../engine-function/wake-ups.ts';
import type { EngineFunction } from '../durable-service.ts';
import type { Value } from './cloudformation.ts';

/**
 * A wake-up that is this old should have come long ago, however long it was delayed: whether the age counts a delay, no
 * page of AWS says.
 */
export const WAKE_UPS_AGE_SECONDS = 2 * MAX_DELAY_SECONDS;

/** So many ticks in a row. One may fail: a cold start on a busy day, a database that fails over. */
const TICKS = 5;

type Watched = Readonly<Record<string, Value>>;

/**
 * What CloudWatch looks at of the engine's tick: that one came, and that they did not all fail. A tick that fails is
 * dropped, as the function is set up.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html#async-invocation-metrics
 */
export function tickAlarms({ tickMinutes, function: { functionKey } }: EngineFunction, fn: Value): { missing: Watched; failing: Watched } {
  const common = {
    Namespace: 'AWS/Lambda',
    Dimensions: [{ Name: 'FunctionName', Value: fn }],
    Statistic: 'Sum',
    Period: TICKS * tickMinutes * 60,
    EvaluationPeriods: 1,
  };
  return {
    missing: {
      AlarmDescription: `No tick has invoked ${functionKey} for ${TICKS * tickMinutes} minutes: the schedule of the engine is off, and long waits never end`,
      ...common,
      MetricName: 'AsyncEventsReceived',
      Threshold: 1,
      ComparisonOperator: 'LessThanThreshold',
      // A function that nobody invokes has no metrics.
      TreatMissingData: 'breaching',
    },
    failing: {
      AlarmDescription: `${TICKS} ticks of the engine in a row have failed: see the log of ${functionKey}; its store may not answer`,
      ...common,
      MetricName: 'AsyncEventsDropped',
      Threshold: TICKS,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      TreatMissingData: 'notBreaching',
    },
  };
}
