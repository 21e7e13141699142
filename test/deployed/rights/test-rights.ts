import { expect, inject, it } from 'vitest';
import { queueUrlOf, required } from '../account.ts';
import type { Credentials } from '../server/aws-server.ts';
import { clientsOf } from '../server/clients.ts';
import { neverAllowed, notRefused, receiveAndDelete, send } from './forbidden.ts';
import { type Right, refusals, rightsOfPolicy, rightsOfRole, rolesOf, sessionOf, unused } from './rights.ts';

const aws = inject('aws');
const clients = clientsOf(aws);
const plainHttp = { ...aws, endpoint: aws.plainEndpoint };

/**
 * What the roles of the variants' stack and its engine may do, and what not. Comes last: that a right is used shows in what was done.
 * @param given what is known once the stack is deployed
 */
export function testRights(
  stackName: string,
  given: () => { readonly outputs: Readonly<Record<string, string>>; readonly user: Credentials },
): void {
  it('nothing that a function or the engine has asked for was refused', async () => {
    expect(refusals(aws, [...(await rolesOf(clients, stackName)).values(), 'variants-engine'])).toEqual([]);
  });

  it('every right of a function is used by some function, or by the mapping of one', async () => {
    const roles = [...(await rolesOf(clients, stackName)).values()];
    const rights = await Promise.all(roles.map((name) => rightsOfRole(clients, name)));
    const idle = roles.flatMap((name, index) => unused(rights[index] ?? [], 'role', name, aws));
    const used = new Set(
      rights
        .flat()
        .filter((right) => !idle.includes(right))
        .map(kindOf),
    );
    expect([...new Set(idle.map(kindOf))].filter((kind) => !used.has(kind))).toEqual(NOT_ON_THIS_SERVER);
  });

  it('every right of DurableEnginePolicy is used by the engine', async () => {
    const rights = await rightsOfPolicy(clients, required(given().outputs['DurableEnginePolicyArn'], 'DurableEnginePolicyArn'));
    const idle = unused(rights, 'user', 'variants-engine', aws);
    const used = new Set(rights.filter((right) => !idle.includes(right)).map(kindOf));
    expect([...new Set(idle.map(kindOf))].filter((kind) => !used.has(kind))).toEqual([]);
  });

  it('a function reaches its own queue and the results queue, and nothing else', async () => {
    const roles = await rolesOf(clients, stackName);
    const others = await urls('variants-tasks-mails--send', 'variants-dead-letters-prices--look-up', 'variants-parked-prices--look-up');
    const own = await urls('variants-tasks-prices--look-up');
    const results = await urls('variants-results.fifo');
    const all = [...others, ...own, ...results];
    const session = await sessionOf(clients, aws, required(roles.get('DurableFunctionRolePrices'), 'the role of prices'));
    const as = clientsOf(aws, session);
    const bucket = required(given().outputs['DurablePayloadBucketName'], 'DurablePayloadBucketName');
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

  it('the dead-letter function reaches its own queues and the results queue, and nothing else', async () => {
    const roles = await rolesOf(clients, stackName);
    const tasks = await urls('variants-tasks-mails--send');
    const deadLetters = await urls('variants-dead-letters-mails--send');
    const parked = await urls('variants-parked-mails--send');
    const results = await urls('variants-results.fifo');
    const as = clientsOf(aws, await sessionOf(clients, aws, required(roles.get('DurableFunctionRoleDeadLetters'), 'its role')));
    const bucket = required(given().outputs['DurablePayloadBucketName'], 'DurablePayloadBucketName');
    expect(
      await notRefused({
        ...neverAllowed(as, [...tasks, ...deadLetters, ...parked, ...results], bucket),
        ...receiveAndDelete(as, [...tasks, ...parked, ...results]),
        ...send(as, [...tasks, ...deadLetters]),
      }),
    ).toEqual([]);
  });

  it('the engine sends tasks and receives results, and may do nothing else', async () => {
    const tasks = await urls('variants-tasks-mails--send');
    const others = await urls('variants-dead-letters-mails--send', 'variants-parked-mails--send');
    const results = await urls('variants-results.fifo');
    const as = clientsOf(aws, given().user);
    const bucket = required(given().outputs['DurablePayloadBucketName'], 'DurablePayloadBucketName');
    expect(
      await notRefused({
        ...neverAllowed(as, [...tasks, ...others, ...results], bucket),
        ...receiveAndDelete(as, [...tasks, ...others]),
        ...send(as, [...others, ...results]),
        ...send(clientsOf(plainHttp, given().user), tasks, ' by plain HTTP'),
      }),
    ).toEqual([]);
  });
}

/** The server keeps no logs, so functions call nothing for them. */
const NOT_ON_THIS_SERVER = ['logs:CreateLogStream *', 'logs:PutLogEvents *'];

/** A right without the step: `sqs:SendMessage variants-parked`. */
function kindOf({ action, resource }: Right): string {
  const name = resource.split(':').at(-1) ?? '';
  return `${action} ${/^variants-(tasks|dead-letters|parked)/.exec(name)?.[0] ?? name}`;
}

function urls(...names: readonly string[]): Promise<string[]> {
  return Promise.all(names.map(async (name) => required(await queueUrlOf(clients, name), `a queue ${name}`)));
}
