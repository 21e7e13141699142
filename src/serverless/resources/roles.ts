import type { DurableDeployment, FunctionRole } from '../deployment.ts';
import type { DurableFunction } from '../durable-service.ts';
import { functionsWithRights } from '../read-service.ts';
import { functionStatements } from './access.ts';
import {
  allow,
  mergeStatements,
  policyDocument,
  type Resource,
  type Resources,
  ref,
  type Statement,
  sub,
  type Value,
} from './cloudformation.ts';
import { functionLogicalId } from './logical-ids.ts';

/**
 * Settings of the service that a role of ours adopts, so that it grants no less than the role that serverless would
 * make.
 */
export interface RoleContext {
  readonly functionName: string;
  /** What the function reads by plain `sqs` events. */
  readonly polled: readonly Statement[];
  readonly vpc: boolean;
  readonly tracing: boolean;
  /** From `provider.iam.role`. */
  readonly statements: readonly Value[];
  readonly managedPolicies: readonly Value[];
  readonly permissionsBoundary: Value | undefined;
  readonly path: string | undefined;
  readonly tags: readonly Value[];
}

type FunctionKey = Pick<DurableFunction, 'functionKey'>;

const POLLED_BY_SERVERLESS = { poll: false };
const POLLED_BY_US = { poll: true };

/** Rights that go into the one role that serverless makes. */
export function serviceRoleStatements(deployment: DurableDeployment): readonly Statement[] {
  const functions = functionsWithRights(deployment).filter((fn) => roleOf(deployment, fn).kind === 'service');
  return mergeStatements(functions.flatMap((fn) => functionStatements(deployment, fn, POLLED_BY_SERVERLESS)));
}

/** Roles that we make, and policies on roles that are not ours. */
export function roleResources(deployment: DurableDeployment, contextOf: (functionKey: string) => RoleContext): Resources {
  return Object.assign({}, ...functionsWithRights(deployment).map((fn) => rightsOf(fn, deployment, contextOf)));
}

function rightsOf(fn: FunctionKey, deployment: DurableDeployment, contextOf: (functionKey: string) => RoleContext): Resources {
  const role = roleOf(deployment, fn);
  const statements = functionStatements(deployment, fn, POLLED_BY_US);
  switch (role.kind) {
    case 'service':
      return {};
    case 'made':
      return { [functionLogicalId(fn.functionKey, 'Role')]: madeRole(statements, contextOf(fn.functionKey)) };
    case 'resource':
      return { [functionLogicalId(fn.functionKey, 'Policy')]: policyOn(ref(role.logicalId), fn, statements) };
    case 'existing':
      return { [functionLogicalId(fn.functionKey, 'Policy')]: policyOn(role.roleName, fn, statements) };
  }
}

/** What a mapping must wait for: AWS refuses one whose role may not yet read the queue. */
export function mappingDependency(deployment: DurableDeployment, fn: FunctionKey): string | undefined {
  switch (roleOf(deployment, fn).kind) {
    case 'service':
      return undefined;
    case 'made':
      return functionLogicalId(fn.functionKey, 'Role');
    case 'resource':
    case 'existing':
      return functionLogicalId(fn.functionKey, 'Policy');
  }
}

export function roleOf({ roles }: Pick<DurableDeployment, 'roles'>, fn: FunctionKey): FunctionRole {
  return roles.get(fn.functionKey) ?? { kind: 'service' };
}

function madeRole(statements: readonly Statement[], context: RoleContext): Resource {
  const { functionName, polled, vpc, tracing, permissionsBoundary, path, tags } = context;
  // By now a step's own queue is among the plain events too.
  const own = mergeStatements([...statements, ...polled]);
  const logs = allow(
    ['logs:CreateLogStream', 'logs:PutLogEvents'],
    [sub(`arn:\${AWS::Partition}:logs:\${AWS::Region}:\${AWS::AccountId}:log-group:/aws/lambda/${functionName}:*`)],
  );
  const managed = [
    ...context.managedPolicies,
    ...(vpc ? [sub(`arn:\${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole`)] : []),
    ...(tracing ? [sub(`arn:\${AWS::Partition}:iam::aws:policy/AWSXRayDaemonWriteAccess`)] : []),
  ];
  const trust: Value = { Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' };
  return {
    Type: 'AWS::IAM::Role',
    Properties: {
      AssumeRolePolicyDocument: policyDocument([trust]),
      ...(path === undefined ? {} : { Path: path }),
      ...(permissionsBoundary === undefined ? {} : { PermissionsBoundary: permissionsBoundary }),
      ...(managed.length === 0 ? {} : { ManagedPolicyArns: managed }),
      ...(tags.length === 0 ? {} : { Tags: tags }),
      Policies: [{ PolicyName: 'durable-worker', PolicyDocument: policyDocument([...logs, ...own, ...context.statements]) }],
    },
  };
}

/**
 * Inline policies of a role are told apart by name, and one role may serve several stages, regions and services: the
 * stack's own id is in it.
 */
function policyOn(role: Value, { functionKey }: FunctionKey, statements: readonly Statement[]): Resource {
  const stack: Value = { 'Fn::Select': [2, { 'Fn::Split': ['/', ref('AWS::StackId')] }] };
  // IAM allows 128 characters; the id of the stack has 36.
  const PolicyName: Value = { 'Fn::Join': ['-', ['durable', functionKey.slice(0, 80), stack]] };
  return { Type: 'AWS::IAM::Policy', Properties: { PolicyName, Roles: [role], PolicyDocument: policyDocument(statements) } };
}
