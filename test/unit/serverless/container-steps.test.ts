import { describe, expect, it } from 'vitest';
import { readLiveService } from '../../../src/serverless/commands/doctor/live-service.ts';
import { eventCommand } from '../../../src/serverless/commands/event/command.ts';
import { queuePlan } from '../../../src/serverless/queue-plan.ts';
import { readDurableService } from '../../../src/serverless/read-service.ts';
import { stepLogicalId } from '../../../src/serverless/resources/logical-ids.ts';
import { mappings } from '../../../src/serverless/resources/mappings.ts';
import { stackOutputs, stackResources } from '../../../src/serverless/resources/stack.ts';
import { adminSqs, testContext } from './commands/context.ts';
import { arn, functionWith, mistakesIn, serviceOf } from './services.ts';

const RENDER = stepLogicalId('reports.render', 'TasksQueue');
const DEAD = { dead: functionWith({ durableDeadLetters: true }) };
const deployment = readDurableService(
  serviceOf({
    durable: { containerSteps: ['reports.render', { name: 'mail', fifo: true, visibilityTimeout: 900, maxReceiveCount: 4 }] },
    functions: { charge: functionWith({ durableStep: 'pay' }), ...DEAD },
  }),
);
const resources = stackResources(deployment, () => {
  throw new Error('no role is made here');
});
const mistakes = (containerSteps: unknown, functions: object = { charge: functionWith({ durableStep: 'pay' }) }) =>
  mistakesIn(serviceOf({ durable: { containerSteps }, functions }));

describe('containerSteps', () => {
  it('gives each step a tasks queue, a dead-letter queue and a parked queue', () => {
    const queues = queuePlan(deployment).filter(({ token }) => token === 'reports.render' || token === 'mail');
    expect(queues.map(({ name, visibilityTimeoutSeconds, redrive }) => [name, visibilityTimeoutSeconds, redrive?.maxReceiveCount])).toEqual(
      [
        ['durable-parked-reports--render', 30, undefined],
        ['durable-dead-letters-reports--render', 180, 10],
        ['durable-tasks-reports--render', 360, 10],
        ['durable-parked-mail.fifo', 30, undefined],
        ['durable-dead-letters-mail.fifo', 180, 10],
        ['durable-tasks-mail.fifo', 900, 4],
      ],
    );
    expect(resources[RENDER]?.Properties).toMatchObject({ QueueName: 'durable-tasks-reports--render' });
  });

  it('maps no function to a tasks queue, and the dead-letter function to the dead letters', () => {
    const read = mappings(deployment).map(({ functionKey, queueId }) => [functionKey, queueId]);
    expect(read).toEqual([
      ['charge', stepLogicalId('pay', 'TasksQueue')],
      ...['pay', 'reports.render', 'mail'].map((token) => ['dead', stepLogicalId(token, 'DeadLetterQueue')]),
    ]);
  });

  it('gives the workers their rights and no other, in a policy of their own', () => {
    const tasks = [arn(RENDER), arn(stepLogicalId('mail', 'TasksQueue'))];
    const receive = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility', 'sqs:GetQueueUrl'];
    expect(resources['DurableWorkerPolicy']).toEqual({
      Type: 'AWS::IAM::ManagedPolicy',
      Properties: {
        Description: 'Workers of durable in containers: receive tasks and send results',
        PolicyDocument: {
          Version: '2012-10-17',
          Statement: [
            { Effect: 'Allow', Action: receive, Resource: tasks },
            { Effect: 'Allow', Action: ['sqs:SendMessage', 'sqs:GetQueueUrl'], Resource: [arn('DurableResultsQueue')] },
          ],
        },
      },
    });
    expect(stackOutputs(deployment)['DurableWorkerPolicyArn']?.Value).toEqual({ Ref: 'DurableWorkerPolicy' });
  });

  it('gives the engine the right to send to them, and the URL of each as an output', () => {
    expect(JSON.stringify(resources['DurableEnginePolicy'])).toContain(RENDER);
    expect(stackOutputs(deployment)[stepLogicalId('reports.render', 'TasksQueueUrl')]?.Value).toEqual({ Ref: RENDER });
  });

  it('makes alarms that speak of workers, not of mappings', () => {
    expect(resources[stepLogicalId('reports.render', 'TasksAgeAlarm')]?.Properties['AlarmDescription']).toBe(
      'Tasks of reports.render wait: no worker in a container receives them, or too few do',
    );
    expect(resources).toHaveProperty(stepLogicalId('reports.render', 'ParkedAlarm'));
  });

  it('makes no policy where there are none', () => {
    const none = readDurableService(serviceOf({ step: 'pay' }));
    expect(stackOutputs(none)).not.toHaveProperty('DurableWorkerPolicyArn');
    expect(stackResources(none, () => Object.create(null))).not.toHaveProperty('DurableWorkerPolicy');
  });

  it('refuses what is no list of steps', () => {
    expect(mistakes('reports.render')).toEqual([
      'custom.durable.containerSteps: expected a list of steps, each its name or an object with its name, got "reports.render" ' +
        '(Steps that workers in containers serve: queues, alarms and rights, and no mapping. Default none.)',
    ]);
    expect(mistakes(['', 3, {}])).toEqual([
      'custom.durable.containerSteps[0]: expected the name of a step, or an object with its name, got ""',
      'custom.durable.containerSteps[1]: expected the name of a step, or an object with its name, got 3',
      'custom.durable.containerSteps[2].name: expected a non-empty string, got nothing; add it (Name of the step, as the workflow calls it.)',
    ]);
  });

  it('refuses settings of a mapping, and says why', () => {
    expect(mistakes([{ name: 'mail', batchSize: 5, timeout: 3 }])).toEqual([
      'custom.durable.containerSteps[0].batchSize: it belongs to a mapping, and Lambda does not read the queue of a container step; remove it',
      'custom.durable.containerSteps[0].timeout: unknown key, expected one of name, partition, maxReceiveCount, fifo, visibilityTimeout; ' +
        'remove it or correct its spelling',
    ]);
  });

  it('refuses a step that a function serves, too', () => {
    expect(mistakes(['pay'])).toEqual([
      'custom.durable.containerSteps[0]: expected each step once, got "pay" at functions.charge.events[0].durableStep too; ' +
        "each would receive the other's tasks; remove one",
    ]);
  });

  it('refuses a plain event on the queue', () => {
    const functions = { other: functionWith({ sqs: 'arn:aws:sqs:eu-central-1:1:durable-tasks-mail' }) };
    expect(mistakes(['mail'], functions)).toEqual([
      'functions.other.events[0].sqs: expected one consumer of the tasks queue of "mail", got another beside custom.durable.containerSteps[0]; remove it',
    ]);
  });
});

describe('commands about container steps', () => {
  const shop = readDurableService(serviceOf({ durable: { containerSteps: ['mail'] }, functions: DEAD }));
  const url = (name: string) => `https://sqs.eu-central-1.amazonaws.com/1/${name}`;
  const queueArn = (name: string) => `arn:aws:sqs:eu-central-1:1:${name}`;
  const sqs = adminSqs({
    findQueueUrl: async (name) => url(name),
    listQueues: async () => [],
    attributes: async (queueUrl) => ({ QueueArn: queueArn(queueUrl.split('/').at(-1) ?? '') }),
  });
  const doctor = async (...mapped: string[]) => {
    const { findings } = await readLiveService(shop, sqs, {
      lambda: {
        mappingsOfQueue: async (of) => (mapped.map(queueArn).includes(of) ? [{ UUID: 'u', EventSourceArn: of, FunctionArn: 'f' }] : []),
        functionFacts: async () => undefined,
        destroy() {},
      },
    });
    return findings.map(({ id, where }) => `${id} ${where}`);
  };

  it('doctor misses a mapping of the dead letters, and none of the tasks', async () => {
    expect(await doctor('durable-dead-letters-mail')).toEqual([]);
    expect(await doctor()).toEqual(['mapping-missing live: durable-dead-letters-mail']);
  });

  it('doctor warns of a function that receives the tasks', async () => {
    expect(await doctor('durable-dead-letters-mail', 'durable-tasks-mail')).toEqual(['mapping-beside-container live: durable-tasks-mail']);
  });

  it('event says that no function could be invoked', async () => {
    const { context } = testContext({ service: shop, options: { step: 'mail', input: '{}' } });
    await expect(eventCommand.run(context)).rejects.toThrow(
      '--step: no function serves "mail", a worker in a container does (containerSteps): there is nothing to invoke',
    );
  });
});
