import { CreateQueueCommand, DeleteQueueCommand, GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { depthOf, outputsOf, queueNames, queueUrlOf, required, sendTo } from './account.ts';
import { layOut } from './deploy.ts';
import { clientsOf } from './server/clients.ts';

const TASKS = 'life-tasks-life--work';
const PARKED = 'life-parked-life--work';

const aws = inject('aws');
const clients = clientsOf(aws);
const service = layOut(aws, 'life', { 'test/deployed/services/life': '.' });

afterAll(() => service.remove());

/** Each test goes on where the one before stopped. */
describe('a first deployment that fails', () => {
  it('leaves nothing in the way of the next, which prints what an engine needs', async () => {
    const { QueueUrl } = await clients.sqs.send(new CreateQueueCommand({ QueueName: 'life-blocked' }));
    const failed = await service.sls(['deploy']);
    expect(failed.stdout + failed.stderr).toContain('already exists');
    expect(failed.code).toBe(1);
    expect(await queueNames(clients, 'life-')).toEqual(['life-blocked']);

    await clients.sqs.send(new DeleteQueueCommand({ QueueUrl }));
    const { stdout, stderr } = await service.done(['deploy']);
    const outputs = await outputsOf(clients, 'life-dev');
    for (const output of ['DurablePrefix', 'DurableResultsQueueUrl', 'DurableEnginePolicyArn']) {
      expect(stdout + stderr).toContain(required(outputs[output], output));
    }
  });
});

describe('a tasks queue that would go', () => {
  it.each([
    ['another prefix', '    prefix: life\n', '    prefix: after-life\n'],
    ['fifo', '{ name: life.work, enabled: false }', '{ name: life.work, enabled: false, fifo: true }'],
    [
      'the removal of its step',
      '- durableStep: { name: life.work, enabled: false }',
      '- durableStep: { name: life.other, enabled: false }',
    ],
  ])('survives %s while tasks wait in it: the deployment is refused', async (_change, from, to) => {
    if ((await depthOf(clients, TASKS)).visible === 0) await sendTo(clients, TASKS, 'a task');
    service.edit(from, to);
    const { code, stdout, stderr } = await service.sls(['deploy']);
    service.edit(to, from);
    expect(stdout + stderr).toContain(`${TASKS}: 1 message`);
    expect(stdout + stderr).toContain('--durable-drop-tasks');
    expect(code).toBe(1);
    expect(await depthOf(clients, TASKS)).toEqual({ visible: 1, inFlight: 0 });
  });

  it('shows in doctor before the deployment', async () => {
    service.edit('    prefix: life\n', '    prefix: after-life\n');
    await service.done(['package']);
    const { stdout } = await service.sls(['durable', 'doctor', '--live', '--json']);
    service.edit('    prefix: after-life\n', '    prefix: life\n');
    expect(JSON.parse(stdout).findings).toContainEqual(expect.objectContaining({ id: 'deploy-deletes-tasks', where: `live: ${TASKS}` }));
  });

  it('goes with its tasks where that is asked for', async () => {
    service.edit('{ name: life.work, enabled: false }', '{ name: life.work, enabled: false, fifo: true }');
    await service.done(['deploy', '--durable-drop-tasks']);
    expect(await queueUrlOf(clients, TASKS)).toBeUndefined();
    service.edit('{ name: life.work, enabled: false, fifo: true }', '{ name: life.work, enabled: false }');
    const adopt = await service.sls(['durable', 'adopt']);
    expect(adopt.stdout + adopt.stderr).toContain('has another queue in the place of "life-parked-life--work"');
    await service.done(['remove']);
  });
});

describe('queues that sls remove has kept', () => {
  const list = async () => JSON.parse((await service.done(['durable', 'dead-letters', '--json'])).stdout).steps[0];

  it('still show their messages, and save them', async () => {
    await service.done(['durable', 'adopt']);
    await service.done(['deploy']);
    await sendTo(clients, PARKED, 'kept');
    await sendTo(clients, 'life-results', 'a result');
    await service.done(['remove']);
    expect(await queueUrlOf(clients, TASKS)).toBeUndefined();
    expect(await list()).toMatchObject({ parked: { visible: 1 }, messages: [{ receiveCount: 1 }] });
    await service.done(['durable', 'dead-letters', '--save', 'kept.json']);
  });

  it('say that there is nowhere to send a message back to', async () => {
    const { code, stdout, stderr } = await service.sls(['durable', 'dead-letters', '--retry']);
    expect(stdout + stderr).toContain(`queue "${TASKS}" does not exist`);
    expect(code).toBe(1);
  });

  it('still refuse whoever comes without TLS', async () => {
    const QueueUrl = required(await queueUrlOf(clients, PARKED), 'the parked queue');
    const { Attributes } = await clients.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['Policy'] }));
    expect(Attributes?.['Policy']).toContain('aws:SecureTransport');
  });

  it('stand in the way of a deployment until they are adopted, and then are part of it with their messages', async () => {
    const refused = await service.sls(['deploy']);
    expect(refused.stdout + refused.stderr).toContain('already exists');
    expect(refused.code).toBe(1);

    const { stdout } = await service.done(['durable', 'adopt']);
    expect(stdout).toContain(`${PARKED}: 1 message`);
    await service.done(['deploy']);
    expect(await depthOf(clients, PARKED)).toMatchObject({ visible: 1 });
    expect(await depthOf(clients, 'life-results')).toMatchObject({ visible: 1 });
    const { stdout: found } = await service.done(['durable', 'doctor', '--live', '--json']);
    expect(JSON.parse(found).findings.filter(({ severity }: { severity: string }) => severity === 'error')).toEqual([]);
  });
});

describe('another results queue', () => {
  it('leaves the results that wait in the one before, and doctor names it', async () => {
    service.edit('    prefix: life\n', '    prefix: life\n    resultsQueue: { fifo: true }\n');
    await service.done(['deploy']);
    expect(await depthOf(clients, 'life-results')).toEqual({ visible: 1, inFlight: 0 });
    const { stdout } = await service.sls(['durable', 'doctor', '--live', '--json']);
    expect(JSON.parse(stdout).findings).toContainEqual(
      expect.objectContaining({ id: 'former-results-queue', where: 'live: life-results' }),
    );
  });
});
