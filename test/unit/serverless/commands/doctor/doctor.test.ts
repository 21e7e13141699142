import { describe, expect, it } from 'vitest';
import { sorted } from '../../../../../src/serverless/commands/doctor/finding.ts';
import { judge } from '../../../../../src/serverless/commands/doctor/rules/index.ts';
import { templateFacts } from '../../../../../src/serverless/commands/doctor/template.ts';

type Properties = Record<string, unknown>;
const SETTINGS = { stepSeconds: undefined, handlerConcurrency: 10, prefix: 'shop', enginePrefix: undefined };

interface Changes {
  readonly tasks?: Properties;
  readonly deadLetters?: Properties;
  readonly fn?: Properties;
  readonly mapping?: Properties;
  readonly alarm?: Properties;
  readonly results?: Properties;
}

/** A template in which all is well, but for what a test changes. */
function template({ tasks, deadLetters, fn, mapping, alarm, results }: Changes = {}) {
  const redrive = (id: string, maxReceiveCount = 10) => ({ deadLetterTargetArn: { 'Fn::GetAtt': [id, 'Arn'] }, maxReceiveCount });
  const queue = (QueueName: string, properties: Properties) => ({ Type: 'AWS::SQS::Queue', Properties: { QueueName, ...properties } });
  return {
    Tasks: queue('shop-tasks-pay', {
      VisibilityTimeout: 180,
      MessageRetentionPeriod: 345_600,
      RedrivePolicy: redrive('DeadLetters'),
      ...tasks,
    }),
    DeadLetters: queue('shop-dead-letters-pay', {
      VisibilityTimeout: 180,
      MessageRetentionPeriod: 1_209_600,
      RedrivePolicy: redrive('Parked'),
      ...deadLetters,
    }),
    Parked: queue('shop-parked-pay', { MessageRetentionPeriod: 1_209_600 }),
    Results: queue('shop-results', { MessageRetentionPeriod: 864_000, RedrivePolicy: redrive('ResultsDeadLetters', 100), ...results }),
    ResultsDeadLetters: queue('shop-results-dead-letters', { MessageRetentionPeriod: 1_209_600 }),
    Pay: { Type: 'AWS::Lambda::Function', Properties: { FunctionName: 'shop-dev-pay', Runtime: 'nodejs24.x', Timeout: 30, ...fn } },
    Mapping: {
      Type: 'AWS::Lambda::EventSourceMapping',
      Properties: {
        EventSourceArn: { 'Fn::GetAtt': 'Tasks.Arn' },
        FunctionName: { 'Fn::GetAtt': ['Pay', 'Arn'] },
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        ...mapping,
      },
    },
    Alarm: {
      Type: 'AWS::CloudWatch::Alarm',
      Properties: { Dimensions: [{ Name: 'QueueName', Value: { 'Fn::GetAtt': ['Results', 'QueueName'] } }], ...alarm },
    },
  };
}

const found = (changes: Changes, settings: Partial<Parameters<typeof judge>[1]> = {}) =>
  judge(templateFacts(template(changes), 'shop'), { ...SETTINGS, ...settings }).map(
    ({ id, severity, where, why }) => `${severity} ${id} | ${where} | ${why}`,
  );

const MAPPING = 'template: mapping Mapping of shop-tasks-pay';
const TASKS = 'template: Tasks (shop-tasks-pay)';

describe('doctor on a template', () => {
  it('finds nothing in a template without mistakes', () => {
    expect(found({})).toEqual([]);
  });

  it.each<[string, Changes, Partial<Parameters<typeof judge>[1]>, string]>([
    [
      'a visibility below the timeout',
      { tasks: { VisibilityTimeout: 29 } },
      {},
      `error visibility-below-timeout | ${TASKS} | its visibility timeout of 29 s is below the 30 s timeout of shop-dev-pay: AWS refuses the mapping, or messages are redelivered while they are being processed`,
    ],
    [
      'a visibility below six timeouts and the window',
      { mapping: { MaximumBatchingWindowInSeconds: 5 } },
      {},
      `warning visibility-below-advice | ${TASKS} | its visibility timeout of 180 s is below 185 s, six times the 30 s timeout of shop-dev-pay and the batch window: a throttled batch is redelivered while Lambda still retries it`,
    ],
    [
      'the visibility that a template leaves to AWS',
      { tasks: { VisibilityTimeout: undefined } },
      {},
      `warning visibility-below-advice | ${TASKS} | its visibility timeout of 30 s is below 180 s, six times the 30 s timeout of shop-dev-pay and the batch window: a throttled batch is redelivered while Lambda still retries it`,
    ],
    [
      'no dead-letter queue',
      { tasks: { RedrivePolicy: undefined } },
      {},
      `error no-dead-letter-queue | ${TASKS} | it has no dead-letter queue: a message that always fails is redelivered until its retention ends, and is then gone without a trace`,
    ],
    [
      'no maxReceiveCount',
      { tasks: { RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': ['DeadLetters', 'Arn'] } } } },
      {},
      `error no-max-receive-count | ${TASKS} | its RedrivePolicy has no maxReceiveCount, so nothing is ever moved`,
    ],
    [
      'a low maxReceiveCount, as text',
      { tasks: { RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': ['DeadLetters', 'Arn'] }, maxReceiveCount: '4' } } },
      {},
      `warning max-receive-count-low | ${TASKS} | maxReceiveCount is 4: throttled invocations and neighbours of a poison message use receives up too, so healthy tasks become dead letters`,
    ],
    [
      'a maxReceiveCount of results that an outage of the store uses up',
      { results: { RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': ['ResultsDeadLetters', 'Arn'] }, maxReceiveCount: 49 } } },
      {},
      "warning max-receive-count-low | template: Results (shop-results) | maxReceiveCount is 49: each time the engine's store is down for a result uses one up, and the run of a result that becomes a dead letter waits for ever",
    ],
    [
      'dead letters kept no longer than tasks',
      { deadLetters: { MessageRetentionPeriod: 345_600 } },
      {},
      'error dead-letter-retention | template: DeadLetters (shop-dead-letters-pay) | it keeps messages 4 d, no longer than shop-tasks-pay (4 d): a dead letter keeps its first enqueue time, so it can expire as it arrives',
    ],
    [
      'no ReportBatchItemFailures',
      { mapping: { FunctionResponseTypes: [] } },
      {},
      `error partial-failures-off | ${MAPPING} | ReportBatchItemFailures is missing: Lambda ignores which records failed, and deletes them with the rest`,
    ],
    [
      'a filter',
      { mapping: { FilterCriteria: { Filters: [{ Pattern: '{}' }] } } },
      {},
      `error filter-on-tasks | ${MAPPING} | it has filter patterns: Lambda deletes every task that does not match, and its run waits for ever`,
    ],
    [
      'a disabled mapping',
      { mapping: { Enabled: false } },
      {},
      `warning mapping-disabled | ${MAPPING} | it is disabled: tasks wait, and expire after the retention of the queue`,
    ],
    [
      'reserved concurrency below the maximum',
      { fn: { ReservedConcurrentExecutions: 4 }, mapping: { ScalingConfig: { MaximumConcurrency: 5 } } },
      {},
      'error reserved-below-maximum | template: function shop-dev-pay | its reserved concurrency of 4 is below the 5 that its mappings may use: Lambda throttles invocations, and each throttle uses up a receive',
    ],
    [
      'reserved concurrency without a maximum',
      { fn: { ReservedConcurrentExecutions: 4 } },
      {},
      'warning reserved-without-maximum | template: function shop-dev-pay | it has a reserved concurrency of 4, and a mapping without maximum concurrency, which grows past it: Lambda throttles invocations, and each throttle uses up a receive',
    ],
    [
      'a batch too long for steps of so many seconds',
      { mapping: { BatchSize: 11 } },
      { stepSeconds: 16 },
      `error batch-too-long | ${MAPPING} | a batch of 11, 10 at a time, takes 2 rounds, 32 s with steps of 16 s: more than the 30 s timeout of shop-dev-pay, so the rest of the batch runs again`,
    ],
    [
      'a batch that leaves less than a second for each step',
      { mapping: { BatchSize: 310 } },
      {},
      `warning batch-too-long | ${MAPPING} | a batch of 310, 10 at a time, takes 31 rounds: that leaves each step 0.97 s of the 30 s timeout of shop-dev-pay (--step-seconds N checks it with your figure)`,
    ],
    [
      'an old runtime',
      { fn: { Runtime: 'nodejs20.x' } },
      {},
      'error old-runtime | template: function shop-dev-pay | its runtime nodejs20.x is deprecated, and older than this package supports',
    ],
    [
      'results that no alarm watches',
      { alarm: { Dimensions: [] } },
      {},
      'warning results-without-alarm | template: Results (shop-results) | no alarm watches it: while no engine receives results every run stands still, and nothing else shows it',
    ],
    [
      "an engine's prefix that differs",
      {},
      { enginePrefix: 'durable' },
      'error prefix-differs | custom.durable.prefix | the engine uses the prefix "durable", this service "shop": tasks go to queues that nobody reads',
    ],
    [
      "a function's prefix that differs",
      { fn: { Environment: { Variables: { DURABLE_PREFIX: 'old' } } } },
      {},
      'error prefix-differs | template: function shop-dev-pay | its DURABLE_PREFIX is "old", that of the service "shop": its results go to a queue that no engine reads',
    ],
  ])('finds %s', (_, changes, settings, expected) => {
    expect(found(changes, settings)).toEqual([expected]);
  });

  it('accepts a batch that just fits, five receives, and an alarm that names the queue', () => {
    const alarm = { Dimensions: [{ Name: 'QueueName', Value: 'shop-results' }] };
    const tasks = { RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': ['DeadLetters', 'Arn'] }, maxReceiveCount: 5 } };
    expect(found({ alarm, tasks, mapping: { BatchSize: 10 } }, { stepSeconds: 30 })).toEqual([]);
  });

  it('judges only the visibility of queues that are not of durable steps, where they have a mapping', () => {
    const resources = template();
    const mails = { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'mails' } };
    expect(judge(templateFacts({ ...resources, Mails: mails }, 'shop'), SETTINGS)).toEqual([]);
    const { Mapping } = resources;
    const EventSourceArn = { 'Fn::GetAtt': ['Mails', 'Arn'] };
    const mapped = { ...Mapping, Properties: { ...Mapping.Properties, EventSourceArn, FunctionResponseTypes: [], FilterCriteria: {} } };
    const unnamed = { Type: 'AWS::SQS::Queue', Properties: {} };
    for (const Mails of [mails, unnamed]) {
      const all = judge(templateFacts({ ...resources, Mails, MailsMapping: mapped }, 'shop'), SETTINGS);
      expect(all.map(({ id }) => id)).toEqual(['visibility-below-advice']);
    }
  });

  it('ignores queues whose names only look like those of durable steps', () => {
    const named = (QueueName: string) => ({ Type: 'AWS::SQS::Queue', Properties: { QueueName } });
    const others = { Exams: named('exam-results'), Nightly: named('night-tasks-runner') };
    expect(judge(templateFacts({ ...template(), ...others }, 'shop'), SETTINGS)).toEqual([]);
  });

  it('judges a hand-written template with another prefix', () => {
    const ids = judge(templateFacts(template({ tasks: { RedrivePolicy: undefined } }), 'other'), SETTINGS).map(({ id }) => id);
    expect(ids).toEqual(['no-dead-letter-queue']);
  });

  it('ignores concurrency and runtime of a function behind a stream', () => {
    const { Mapping, ...resources } = template();
    const Properties = { ...Mapping.Properties, EventSourceArn: { 'Fn::GetAtt': ['Table', 'StreamArn'] }, StartingPosition: 'LATEST' };
    const fn = { FunctionName: 'audit', Runtime: 'nodejs20.x', Timeout: 30, ReservedConcurrentExecutions: 1 };
    const stream = {
      Audit: { Type: 'AWS::Lambda::Function', Properties: fn },
      Stream: { ...Mapping, Properties: { ...Properties, FunctionName: { Ref: 'Audit' } } },
    };
    expect(judge(templateFacts({ ...resources, Mapping, ...stream }, 'shop'), SETTINGS)).toEqual([]);
  });

  it('judges queues without a name by their redrive policies and mappings', () => {
    const { Tasks, DeadLetters, Pay, Mapping } = template({
      tasks: { QueueName: undefined },
      deadLetters: { QueueName: undefined },
      mapping: { FunctionResponseTypes: [] },
    });
    const all = judge(templateFacts({ Tasks, DeadLetters, Pay, Mapping }, 'shop'), SETTINGS);
    expect(all.map(({ id, where }) => `${id} ${where}`)).toEqual(['partial-failures-off template: mapping Mapping of Tasks']);
  });

  it('judges the mapping of a dead-letter queue, too', () => {
    const { Mapping, ...resources } = template();
    const Properties = {
      ...Mapping.Properties,
      EventSourceArn: { 'Fn::GetAtt': ['DeadLetters', 'Arn'] },
      FunctionResponseTypes: [],
      Enabled: false,
    };
    const all = judge(templateFacts({ ...resources, Mapping, Dead: { ...Mapping, Properties } }, 'shop'), SETTINGS);
    expect(all.map(({ id, why }) => `${id} ${why}`)).toEqual([
      'partial-failures-off ReportBatchItemFailures is missing: Lambda ignores which records failed, and deletes them with the rest',
      'mapping-disabled it is disabled: dead letters wait, and expire after the retention of the queue',
    ]);
  });
});

it('sorted() gives each finding once, errors first', () => {
  const finding = (id: string, severity: 'error' | 'warning') => ({ id, severity, where: 'w', why: '', fix: '' });
  const all = [finding('a', 'warning'), finding('b', 'error'), finding('b', 'error')];
  expect(sorted(all).map(({ id }) => id)).toEqual(['b', 'a']);
});
