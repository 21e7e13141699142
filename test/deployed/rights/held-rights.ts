import {
  CreatePolicyVersionCommand,
  DeletePolicyVersionCommand,
  GetPolicyCommand,
  GetPolicyVersionCommand,
  GetRolePolicyCommand,
  ListRolePoliciesCommand,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { required } from '../account.ts';
import type { Clients } from '../server/clients.ts';
import { rolesOf } from './roles.ts';

/** The users that the tests of the variants make: one for the engine, one for the worker in a container. */
export const ENGINE_USER = 'variants-engine';
export const WORKER_USER = 'variants-worker';

/** Who holds rights: a role of a function, or a user. */
export interface Holder {
  readonly kind: 'role' | 'user';
  readonly name: string;
  readonly is: 'step function' | 'dead-letter function' | 'engine' | 'container worker';
}

/** One action on one resource, as a policy allows it. */
export interface Right {
  readonly action: string;
  /** An ARN, `*` at its end included. */
  readonly resource: string;
}

export interface HeldRight extends Right {
  readonly holder: Holder;
}

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
}

interface PolicyDocument {
  readonly Version: string;
  readonly Statement: readonly Statement[];
}

/** A policy as it stands on AWS, and how to put another in its place. */
export interface HeldPolicy {
  readonly holder: Holder;
  readonly document: PolicyDocument;
  put(document: PolicyDocument): Promise<void>;
}

/** Kinds of rights that nothing uses on this server: it keeps no logs. */
export const NOT_ON_THIS_SERVER = ['dead-letter function', 'step function'].flatMap((is) => [
  `${is}: logs:CreateLogStream *`,
  `${is}: logs:PutLogEvents *`,
]);

/** Every policy that the variants' stack has made. */
export async function heldPolicies(
  clients: Clients,
  stackName: string,
  outputs: Readonly<Record<string, string>>,
): Promise<readonly HeldPolicy[]> {
  const roles = [...(await rolesOf(clients, stackName))].map(([logicalId, name]): Holder => {
    return { kind: 'role', name, is: logicalId.endsWith('DeadLetters') ? 'dead-letter function' : 'step function' };
  });
  const engine: Holder = { kind: 'user', name: ENGINE_USER, is: 'engine' };
  const worker: Holder = { kind: 'user', name: WORKER_USER, is: 'container worker' };
  const policies = await Promise.all([
    ...roles.map((role) => policiesOfRole(clients, role)),
    managedPolicy(clients, engine, required(outputs['DurableEnginePolicyArn'], 'DurableEnginePolicyArn')),
    managedPolicy(clients, worker, required(outputs['DurableWorkerPolicyArn'], 'DurableWorkerPolicyArn')),
  ]);
  return policies.flat();
}

export function rightsIn(policies: readonly HeldPolicy[]): HeldRight[] {
  return policies.flatMap(({ holder, document }) =>
    document.Statement.flatMap(({ Action, Resource }) =>
      [Action].flat().flatMap((action) => [Resource].flat().map((resource) => ({ holder, action, resource }))),
    ),
  );
}

/** A right without its step, which one code makes for all steps: `engine: sqs:SendMessage variants-tasks`. */
export function kindOf({ holder, action, resource }: HeldRight): string {
  const name = resource.split(':').at(-1) ?? '';
  const on = resource.includes(':kms:')
    ? 'the key'
    : (/^variants-(tasks|dead-letters|parked)/.exec(name)?.[0] ?? name.replace(/^[^/]+\//, ''));
  return `${holder.is}: ${action} ${on}`;
}

/** The document without the rights of one kind. */
export function without({ holder, document }: HeldPolicy, kind: string): PolicyDocument {
  const single = document.Statement.flatMap((statement) =>
    [statement.Action]
      .flat()
      .flatMap((action) => [statement.Resource].flat().map((resource) => ({ ...statement, Action: action, Resource: resource }))),
  );
  return {
    ...document,
    Statement: single.filter(({ Action, Resource }) => kindOf({ holder, action: Action, resource: Resource }) !== kind),
  };
}

async function policiesOfRole({ iam }: Clients, holder: Holder): Promise<HeldPolicy[]> {
  const { PolicyNames = [] } = await iam.send(new ListRolePoliciesCommand({ RoleName: holder.name }));
  return Promise.all(
    PolicyNames.map(async (PolicyName) => {
      const { PolicyDocument } = await iam.send(new GetRolePolicyCommand({ RoleName: holder.name, PolicyName }));
      return {
        holder,
        document: parsed(PolicyDocument),
        put: async (document) => {
          await iam.send(new PutRolePolicyCommand({ RoleName: holder.name, PolicyName, PolicyDocument: JSON.stringify(document) }));
        },
      };
    }),
  );
}

async function managedPolicy({ iam }: Clients, holder: Holder, PolicyArn: string): Promise<HeldPolicy> {
  const defaultVersion = async () => (await iam.send(new GetPolicyCommand({ PolicyArn }))).Policy?.DefaultVersionId;
  const { PolicyVersion } = await iam.send(new GetPolicyVersionCommand({ PolicyArn, VersionId: await defaultVersion() }));
  return {
    holder,
    document: parsed(PolicyVersion?.Document),
    put: async (document) => {
      const VersionId = await defaultVersion();
      await iam.send(new CreatePolicyVersionCommand({ PolicyArn, PolicyDocument: JSON.stringify(document), SetAsDefault: true }));
      // A policy has five versions at most.
      await iam.send(new DeletePolicyVersionCommand({ PolicyArn, VersionId }));
    },
  };
}

function parsed(document: string | undefined): PolicyDocument {
  return JSON.parse(decodeURIComponent(required(document, 'a policy')));
}
