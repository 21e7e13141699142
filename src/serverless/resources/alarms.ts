import type { AlarmSettings, DurableDeployment } from '../deployment.ts';
import type { DurableStep } from '../durable-service.ts';
import { durableFunctions } from '../read-service.ts';
import { attribute, type Resource, type Resources, ref, type Value } from './cloudformation.ts';
import {
  functionLogicalId,
  lambdaLogicalId,
  RESULTS_AGE_ALARM,
  RESULTS_DEAD_LETTER_QUEUE,
  RESULTS_DEAD_LETTERS_ALARM,
  RESULTS_QUEUE,
  stepLogicalId,
} from './logical-ids.ts';

interface Alarm {
  readonly description: string;
  readonly metric: 'ApproximateAgeOfOldestMessage' | 'ApproximateNumberOfMessagesVisible' | 'Errors' | 'Throttles';
  readonly of: Value;
  readonly threshold: number;
}

/**
 * Alarms that fire when something is wrong, and only then.
 *
 * Not on the depth of a dead-letter queue that has a handler: it is emptied at once and looks empty. Not on ages alone: the age skips a
 * message that was received three times. Not on Lambda's errors alone: a reported record is none.
 */
export function alarmResources(deployment: DurableDeployment): Resources {
  const { alarms } = deployment;
  if (alarms === undefined) return {};
  const all = {
    ...Object.assign({}, ...deployment.steps.map((step) => stepAlarms(step, deployment, alarms))),
    ...functionAlarms(deployment, alarms),
    ...resultsAlarms(deployment, alarms),
  };
  return all;
}

function stepAlarms(step: DurableStep, { deadLetters }: DurableDeployment, settings: AlarmSettings): Resources {
  const { token, name } = step;
  const tasks = attribute(stepLogicalId(token, 'TasksQueue'), 'QueueName');
  const dead = attribute(stepLogicalId(token, 'DeadLetterQueue'), 'QueueName');
  const parked = attribute(stepLogicalId(token, 'ParkedQueue'), 'QueueName');
  return {
    [stepLogicalId(token, 'TasksAgeAlarm')]: alarm(
      {
        description: `Tasks of ${name} wait: too little concurrency, a stopped mapping, or a function that fails`,
        metric: 'ApproximateAgeOfOldestMessage',
        of: tasks,
        threshold: settings.tasksAgeSeconds,
      },
      settings,
    ),
    [stepLogicalId(token, 'DeadLettersAlarm')]:
      deadLetters === undefined
        ? alarm({ description: `${name} has dead letters`, metric: 'ApproximateNumberOfMessagesVisible', of: dead, threshold: 1 }, settings)
        : alarm(
            {
              description: `Dead letters of ${name} wait: ${deadLetters.functionKey} does not receive them`,
              metric: 'ApproximateAgeOfOldestMessage',
              of: dead,
              threshold: settings.deadLettersAgeSeconds,
            },
            settings,
          ),
    [stepLogicalId(token, 'ParkedAlarm')]: alarm(
      {
        description: `${name} has parked tasks: sls durable dead-letters shows them`,
        metric: 'ApproximateNumberOfMessagesVisible',
        of: parked,
        threshold: 1,
      },
      settings,
    ),
  };
}

function functionAlarms(deployment: DurableDeployment, settings: AlarmSettings): Resources {
  const entries = durableFunctions(deployment).flatMap(({ functionKey }): [string, Resource][] => {
    const of = ref(lambdaLogicalId(functionKey));
    const errors: Alarm = { description: `Invocations of ${functionKey} fail`, metric: 'Errors', of, threshold: settings.errors };
    const throttles: Alarm = {
      description: `${functionKey} is throttled, which uses up the receives of its tasks: raise its concurrency, or lower maximumConcurrency`,
      metric: 'Throttles',
      of,
      threshold: settings.throttles,
    };
    return [
      [functionLogicalId(functionKey, 'ErrorsAlarm'), alarm(errors, settings)],
      [functionLogicalId(functionKey, 'ThrottlesAlarm'), alarm(throttles, settings)],
    ];
  });
  return Object.fromEntries(entries);
}

function resultsAlarms({ resultsQueue, prefix }: DurableDeployment, settings: AlarmSettings): Resources {
  // Whoever owns the queue watches it.
  if (!resultsQueue.owned) return {};
  return {
    [RESULTS_AGE_ALARM]: alarm(
      {
        description: `Results of ${prefix} wait: no engine receives them`,
        metric: 'ApproximateAgeOfOldestMessage',
        of: attribute(RESULTS_QUEUE, 'QueueName'),
        threshold: settings.resultsAgeSeconds,
      },
      settings,
    ),
    [RESULTS_DEAD_LETTERS_ALARM]: alarm(
      {
        description: `${prefix} has results that the engine could not process`,
        metric: 'ApproximateNumberOfMessagesVisible',
        of: attribute(RESULTS_DEAD_LETTER_QUEUE, 'QueueName'),
        threshold: 1,
      },
      settings,
    ),
  };
}

function alarm({ description, metric, of, threshold }: Alarm, { snsTopicArn }: AlarmSettings): Resource {
  const ofFunction = metric === 'Errors' || metric === 'Throttles';
  const actions = snsTopicArn === undefined ? {} : { AlarmActions: [snsTopicArn], OKActions: [snsTopicArn] };
  return {
    Type: 'AWS::CloudWatch::Alarm',
    Properties: {
      AlarmDescription: description,
      Namespace: ofFunction ? 'AWS/Lambda' : 'AWS/SQS',
      MetricName: metric,
      Dimensions: [{ Name: ofFunction ? 'FunctionName' : 'QueueName', Value: of }],
      Statistic: ofFunction ? 'Sum' : 'Maximum',
      Period: 300,
      EvaluationPeriods: 1,
      Threshold: threshold,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      // An idle queue has no metrics.
      TreatMissingData: 'notBreaching',
      ...actions,
    },
  };
}
