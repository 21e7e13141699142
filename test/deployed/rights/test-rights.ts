import { expect, inject, it } from 'vitest';
import { queueUrlOf, required } from '../account.ts';
import type { Credentials } from '../server/aws-server.ts';
import { clientsOf } from '../server/clients.ts';
import { refusals, wasAsked } from './calls.ts';
import { neverAllowed, notRefused, receiveAndDelete, send } from './forbidden.ts';
import { ENGINE_USER, heldPolicies, kindOf, NOT_ON_THIS_SERVER, rightsIn, WORKER_USER } from './held-rights.ts';
import { rolesOf, sessionOf } from './roles.ts';

const aws = inject('aws');
const clients = clientsOf(aws);
const plainHttp = { ...aws, endpoint: aws.plainEndpoint };

/** Who works in the stack of the variants, once it is deployed. */
export interface AtWork {
  readonly outputs: Readonly<Record<string, string>>;
  readonly engine: Credentials;
  /** Of the worker in a container. */
  readonly worker: Credentials;
}

/**
 * What the roles of the variants' stack, its engine and its worker may do, and what not. Comes last: it judges what was
 * done before.
 */
export function testRights(stackName: string, atWork: () => AtWork): void {
  it('suffice: nothing that anybody asked for was refused', async () => {
    const roles = [...(await rolesOf(clients, stackName)).values()];
    expect(refusals(aws, [...roles, ENGINE_USER, WORKER_USER])).toEqual([]);
  });

  it('go to nobody who does not use them', async () => {
    const held = rightsIn(await heldPolicies(clients, stackName, atWork().outputs));
    const used = new Set(held.filter((right) => wasAsked(right, aws, 'allowed')).map(kindOf));
    expect([...new Set(held.map(kindOf))].filter((kind) => !used.has(kind)).sort()).toEqual(NOT_ON_THIS_SERVER);
  });

  it('let a function reach its own queue and the results queue, and nothing else', async () => {
    const roles = await rolesOf(clients, stackName);
    const others = await urls('variants-tasks-mails--send', 'variants-dead-letters-prices--look-up', 'variants-parked-prices--look-up');
    const own = await urls('variants-tasks-prices--look-up');
    const results = await urls('variants-results.fifo');
    const all = [...others, ...own, ...results];
    const session = await sessionOf(clients, aws, required(roles.get('DurableFunctionRolePrices'), 'the role of prices'));
    const as = clientsOf(aws, session);
    const bucket = required(atWork().outputs['DurablePayloadBucketName'], 'DurablePayloadBucketName');
    expect(
      await notRefused({
        ...neverAllowed(as, all, bucket),
        ...receiveAndDelete(as, [...others, ...results]),
        ...send(as, [...others, ...own]),
        ...send(clientsOf(plainHttp, session), results, ' by plain HTTP'),
      }),
    ).toEqual([]);
    // The same call with TLS: it is the policy that has refused, not the address.
    expect(await notRefused(send(as, results))).toEqual(['SendMessage variants-results.fifo: allowed']);
  });

  it('let the dead-letter function reach its own queues and the results queue, and nothing else', async () => {
    const roles = await rolesOf(clients, stackName);
    const tasks = await urls('variants-tasks-mails--send');
    const deadLetters = await urls('variants-dead-letters-mails--send');
    const parked = await urls('variants-parked-mails--send');
    const results = await urls('variants-results.fifo');
    const as = clientsOf(aws, await sessionOf(clients, aws, required(roles.get('DurableFunctionRoleDeadLetters'), 'its role')));
    const bucket = required(atWork().outputs['DurablePayloadBucketName'], 'DurablePayloadBucketName');
    expect(
      await notRefused({
        ...neverAllowed(as, [...tasks, ...deadLetters, ...parked, ...results], bucket),
        ...receiveAndDelete(as, [...tasks, ...parked, ...results]),
        ...send(as, [...tasks, ...deadLetters]),
      }),
    ).toEqual([]);
  });

  it('let the engine send tasks and receive results, and do nothing else', async () => {
    const tasks = await urls('variants-tasks-mails--send');
    const others = await urls('variants-dead-letters-mails--send', 'variants-parked-mails--send');
    const results = await urls('variants-results.fifo');
    const as = clientsOf(aws, atWork().engine);
    const bucket = required(atWork().outputs['DurablePayloadBucketName'], 'DurablePayloadBucketName');
    expect(
      await notRefused({
        ...neverAllowed(as, [...tasks, ...others, ...results], bucket),
        ...receiveAndDelete(as, [...tasks, ...others]),
        ...send(as, [...others, ...results]),
        ...send(clientsOf(plainHttp, atWork().engine), tasks, ' by plain HTTP'),
      }),
    ).toEqual([]);
  });

  it('let a worker in a container receive its tasks and send results, and do nothing else', async () => {
    const own = await urls('variants-tasks-scans--read');
    const others = await urls('variants-tasks-mails--send', 'variants-dead-letters-scans--read', 'variants-parked-scans--read');
    const results = await urls('variants-results.fifo');
    const as = clientsOf(aws, atWork().worker);
    const bucket = required(atWork().outputs['DurablePayloadBucketName'], 'DurablePayloadBucketName');
    expect(
      await notRefused({
        ...neverAllowed(as, [...own, ...others, ...results], bucket),
        ...receiveAndDelete(as, [...others, ...results]),
        ...send(as, [...own, ...others]),
        ...send(clientsOf(plainHttp, atWork().worker), results, ' by plain HTTP'),
      }),
    ).toEqual([]);
  });
}

function urls(...names: readonly string[]): Promise<string[]> {
  return Promise.all(names.map(async (name) => required(await queueUrlOf(clients, name), `a queue ${name}`)));
}
