import type { AlarmSettings, DurableDeployment } from '../deployment.ts';
import { allSteps, type ServiceStep } from '../durable-service.ts';
import { durableFunctions } from '../read-service.ts';
import { attribute, type Resource, type Resources, ref, type Value } from './cloudformation.ts';
import { tickAlarms, WAKE_UPS_AGE_SECONDS } from './engine-alarms.ts';
import {
  functionLogicalId,
  lambdaLogicalId,
  RESULTS_AGE_ALARM,
  RESULTS_DEAD_LETTER_QUEUE,
  RESULTS_DEAD_LETTERS_ALARM,
  RESULTS_QUEUE,
  START_RUN_AGE_ALARM,
  START_RUN_DEAD_LETTER_QUEUE,
  START_RUN_DEAD_LETTERS_ALARM,
  START_RUN_QUEUE,
  stepLogicalId,
  TICK_FAILING_ALARM,
  TICK_MISSING_ALARM,
  WAKE_UPS_AGE_ALARM,
  WAKE_UPS_QUEUE,
} from './logical-ids.ts';

interface Alarm {
  readonly description: string;
  readonly metric: 'ApproximateAgeOfOldestMessage' | 'ApproximateNumberOfMessagesVisible' | 'Errors' | 'Throttles';
  readonly of: Value;
  readonly threshold: number;
}

/**
 * Alarms that fire when something is wrong, and only then. CloudWatch charges for each, so by default there are those
 * that all else ends in: a function that fails or is throttled lets its tasks wait or park, and so does one that takes
 * no dead letters. The others, which are earlier, are made where their threshold is set.
 *
 * Not on the depth of a dead-letter queue that has a handler: it is emptied at once and looks empty. Not on ages alone:
 * the age skips a message that was received three times. Not on Lambda's errors alone: a reported record is none.
 */
export function alarmResources(deployment: DurableDeployment): Resources {
  const { alarms } = deployment;
  if (alarms === undefined) return {};
  const all = {
    ...Object.assign({}, ...allSteps(deployment).map((step) => stepAlarms(step, deployment, alarms))),
    ...functionAlarms(deployment, alarms),
    ...resultsAlarms(deployment, alarms),
    ...startAlarms(deployment, alarms),
    ...engineAlarms(deployment, alarms),
  };
  return all;
}

function stepAlarms(step: ServiceStep, { deadLetters }: DurableDeployment, settings: AlarmSettings): Resources {
  const { token, name } = step;
  const tasks = attribute(stepLogicalId(token, 'TasksQueue'), 'QueueName');
  const dead = attribute(stepLogicalId(token, 'DeadLetterQueue'), 'QueueName');
  const parked = attribute(stepLogicalId(token, 'ParkedQueue'), 'QueueName');
  const waits: Alarm = {
    description:
      step.function === undefined
        ? `Tasks of ${name} wait: no worker in a container receives them, or too few do`
        : `Tasks of ${name} wait: too little concurrency, a stopped mapping, or a function that fails`,
    metric: 'ApproximateAgeOfOldestMessage',
    of: tasks,
    threshold: settings.tasksAgeSeconds,
  };
  const isParked: Alarm = {
    description: `${name} has parked tasks: sls durable dead-letters shows them`,
    metric: 'ApproximateNumberOfMessagesVisible',
    of: parked,
    threshold: 1,
  };
  const lies: Alarm = {
    description: `${name} has dead letters`,
    metric: 'ApproximateNumberOfMessagesVisible',
    of: dead,
    threshold: 1,
  };
  const deadLettersAlarm = deadLetters === undefined ? lies : untaken(name, deadLetters.functionKey, dead, settings);
  return {
    [stepLogicalId(token, 'TasksAgeAlarm')]: alarm(waits, settings),
    ...(deadLettersAlarm === undefined ? {} : { [stepLogicalId(token, 'DeadLettersAlarm')]: alarm(deadLettersAlarm, settings) }),
    // Only the dead-letter function receives dead letters, and so only with it any can be parked.
    ...(deadLetters === undefined ? {} : { [stepLogicalId(token, 'ParkedAlarm')]: alarm(isParked, settings) }),
  };
}

function untaken(step: string, functionKey: string, of: Value, { deadLettersAgeSeconds: threshold }: AlarmSettings): Alarm | undefined {
  if (threshold === undefined) return undefined;
  return {
    description: `Dead letters of ${step} wait: ${functionKey} does not receive them`,
    metric: 'ApproximateAgeOfOldestMessage',
    of,
    threshold,
  };
}

function functionAlarms(deployment: DurableDeployment, settings: AlarmSettings): Resources {
  const entries = durableFunctions(deployment).flatMap(({ functionKey }): [string, Resource][] => {
    const of = ref(lambdaLogicalId(functionKey));
    const errors = { description: `Invocations of ${functionKey} fail`, metric: 'Errors' as const, of };
    const throttles = {
      description: `${functionKey} is throttled, which uses up the receives of its tasks: raise its concurrency, or lower maximumConcurrency`,
      metric: 'Throttles' as const,
      of,
    };
    return [
      ...fromThreshold(functionLogicalId(functionKey, 'ErrorsAlarm'), errors, settings.errors, settings),
      ...fromThreshold(functionLogicalId(functionKey, 'ThrottlesAlarm'), throttles, settings.throttles, settings),
    ];
  });
  return Object.fromEntries(entries);
}

function fromThreshold(
  logicalId: string,
  watched: Omit<Alarm, 'threshold'>,
  threshold: number | undefined,
  settings: AlarmSettings,
): [string, Resource][] {
  return threshold === undefined ? [] : [[logicalId, alarm({ ...watched, threshold }, settings)]];
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

function startAlarms({ startRuns, prefix }: DurableDeployment, settings: AlarmSettings): Resources {
  // Whoever owns the queue watches it.
  if (startRuns?.owned !== true) return {};
  return {
    [START_RUN_AGE_ALARM]: alarm(
      {
        description: `Starts of runs of ${prefix} wait: no engine receives them (startRuns: true of SqsTransport)`,
        metric: 'ApproximateAgeOfOldestMessage',
        of: attribute(START_RUN_QUEUE, 'QueueName'),
        threshold: settings.startsAgeSeconds,
      },
      settings,
    ),
    [START_RUN_DEAD_LETTERS_ALARM]: alarm(
      {
        description: `${prefix} has starts that no engine could carry out: sls durable dead-letters shows them`,
        metric: 'ApproximateNumberOfMessagesVisible',
        of: attribute(START_RUN_DEAD_LETTER_QUEUE, 'QueueName'),
        threshold: 1,
      },
      settings,
    ),
  };
}

/**
 * Where the engine is a function: what waits for it beside results and starts, and the tick, without which nobody
 * notices what is lost.
 */
function engineAlarms({ engine, prefix }: DurableDeployment, settings: AlarmSettings): Resources {
  if (engine === undefined) return {};
  const { functionKey } = engine.function;
  const wakeUps: Alarm = {
    description: `Wake-ups of ${prefix} wait: ${functionKey} does not receive them, and sleeps end by its tick`,
    metric: 'ApproximateAgeOfOldestMessage',
    of: attribute(WAKE_UPS_QUEUE, 'QueueName'),
    threshold: WAKE_UPS_AGE_SECONDS,
  };
  const { missing, failing } = tickAlarms(engine, ref(lambdaLogicalId(functionKey)));
  const ofTick = (watched: typeof missing): Resource => ({
    Type: 'AWS::CloudWatch::Alarm',
    Properties: { ...watched, ...actionsOf(settings) },
  });
  return {
    [WAKE_UPS_AGE_ALARM]: alarm(wakeUps, settings),
    ...(engine.enabled ? { [TICK_MISSING_ALARM]: ofTick(missing), [TICK_FAILING_ALARM]: ofTick(failing) } : {}),
  };
}

function actionsOf({ snsTopicArn }: AlarmSettings) {
  return snsTopicArn === undefined ? {} : { AlarmActions: [snsTopicArn], OKActions: [snsTopicArn] };
}

function alarm({ description, metric, of, threshold }: Alarm, settings: AlarmSettings): Resource {
  const ofFunction = metric === 'Errors' || metric === 'Throttles';
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
      ...actionsOf(settings),
    },
  };
}
