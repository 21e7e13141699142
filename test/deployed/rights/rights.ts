import { readFileSync } from 'node:fs';
import { DescribeStackResourcesCommand } from '@aws-sdk/client-cloudformation';
import {
  GetPolicyCommand,
  GetPolicyVersionCommand,
  GetRolePolicyCommand,
  ListRolePoliciesCommand,
  UpdateAssumeRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { AssumeRoleCommand } from '@aws-sdk/client-sts';
import { required } from '../account.ts';
import type { AwsAddress, Credentials } from '../server/aws-server.ts';
import type { Clients } from '../server/clients.ts';

/** One action on one resource, as a policy allows it. */
export interface Right {
  readonly action: string;
  /** An ARN, `*` at its end included. */
  readonly resource: string;
}

/** Who has called what: a line of the server's book. */
interface Call extends Right {
  readonly kind: string;
  readonly name: string;
  readonly allowed: boolean;
}

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
}

/** Names of the roles that a stack has made, by logical id. */
export async function rolesOf({ cloudFormation }: Clients, stackName: string): Promise<ReadonlyMap<string, string>> {
  const { StackResources = [] } = await cloudFormation.send(new DescribeStackResourcesCommand({ StackName: stackName }));
  return new Map(
    StackResources.filter(({ ResourceType }) => ResourceType === 'AWS::IAM::Role').map(({ LogicalResourceId, PhysicalResourceId }) => [
      required(LogicalResourceId, 'a logical id'),
      required(PhysicalResourceId, 'the name of a role'),
    ]),
  );
}

/** A session of a role. Functions alone may assume it, so the account is let in first. */
export async function sessionOf({ iam, sts }: Clients, { accountId }: AwsAddress, roleName: string): Promise<Credentials> {
  const principals = { Service: 'lambda.amazonaws.com', AWS: `arn:aws:iam::${accountId}:root` };
  const PolicyDocument = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: principals, Action: 'sts:AssumeRole' }],
  });
  await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: roleName, PolicyDocument }));
  const { Credentials: session } = await sts.send(
    new AssumeRoleCommand({ RoleArn: `arn:aws:iam::${accountId}:role/${roleName}`, RoleSessionName: 'test' }),
  );
  return {
    accessKeyId: required(session?.AccessKeyId, 'an access key'),
    secretAccessKey: required(session?.SecretAccessKey, 'a secret key'),
    sessionToken: required(session?.SessionToken, 'a session token'),
  };
}

/** What the inline policies of a role allow. */
export async function rightsOfRole({ iam }: Clients, roleName: string): Promise<Right[]> {
  const { PolicyNames = [] } = await iam.send(new ListRolePoliciesCommand({ RoleName: roleName }));
  const documents = await Promise.all(
    PolicyNames.map(async (PolicyName) => {
      const { PolicyDocument } = await iam.send(new GetRolePolicyCommand({ RoleName: roleName, PolicyName }));
      return rightsIn(PolicyDocument);
    }),
  );
  return documents.flat();
}

/** What a managed policy allows. */
export async function rightsOfPolicy({ iam }: Clients, policyArn: string): Promise<Right[]> {
  const { Policy } = await iam.send(new GetPolicyCommand({ PolicyArn: policyArn }));
  const { PolicyVersion } = await iam.send(new GetPolicyVersionCommand({ PolicyArn: policyArn, VersionId: Policy?.DefaultVersionId }));
  return rightsIn(PolicyVersion?.Document);
}

function rightsIn(document: string | undefined): Right[] {
  const { Statement: statements }: { Statement: readonly Statement[] } = JSON.parse(decodeURIComponent(required(document, 'a policy')));
  return statements.flatMap(({ Action, Resource }) =>
    [Action].flat().flatMap((action) => [Resource].flat().map((resource) => ({ action, resource }))),
  );
}

/** What roles and users were refused so far, look-ups aside: those are refused for every queue that is not there. */
export function refusals({ callsFile }: AwsAddress, names: readonly string[]): string[] {
  const refused = calls(callsFile).filter(({ name, action, allowed }) => !allowed && names.includes(name) && action !== 'sqs:GetQueueUrl');
  return refused.map(({ name, action, resource }) => `${name}: ${action} ${resource}`);
}

/** Which of the rights nobody of that name has used since the server started. */
export function unused(rights: readonly Right[], kind: 'role' | 'user', name: string, { callsFile }: AwsAddress): Right[] {
  const used = calls(callsFile).filter((call) => call.kind === kind && call.name === name && call.allowed);
  return rights.filter((right) => !used.some((call) => call.action === right.action && covers(right.resource, call.resource)));
}

function calls(callsFile: string): Call[] {
  return readFileSync(callsFile, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

function covers(pattern: string, arn: string): boolean {
  return pattern.endsWith('*') ? arn.startsWith(pattern.slice(0, -1)) : arn === pattern;
}
