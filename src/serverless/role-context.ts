import { entriesOf } from './config/section.ts';
import type { FrameworkFunction, FrameworkProvider, FrameworkService } from './framework.ts';
import { plainEventStatements } from './resources/access.ts';
import { allow, isValue, type Value } from './resources/cloudformation.ts';
import type { RoleContext } from './resources/roles.ts';

/** The settings of a service that go into the role of one function. */
export function roleContext({ provider, functions }: Pick<FrameworkService, 'provider' | 'functions'>, functionKey: string): RoleContext {
  const fn: FrameworkFunction | undefined = functions[functionKey];
  const role = entriesOf(entriesOf(provider['iam'])['role']);
  // The deploy tool still accepts the older names of these settings.
  const boundary = role['permissionsBoundary'] ?? role['permissionBoundary'] ?? provider['rolePermissionsBoundary'];
  return {
    functionName: fn?.name ?? functionKey,
    polled: plainEventStatements(fn?.events ?? []),
    vpc: inVpc(provider, fn),
    tracing: tracing(provider, fn),
    statements: [...values(role['statements'] ?? provider['iamRoleStatements']), ...functionRights(provider, fn)],
    managedPolicies: values(role['managedPolicies'] ?? provider['iamManagedPolicies']),
    permissionsBoundary: value(boundary),
    path: typeof role['path'] === 'string' ? role['path'] : undefined,
    tags: Object.entries(entriesOf(role['tags'])).flatMap(([Key, tag]) => (isValue(tag) ? [{ Key, Value: tag }] : [])),
  };
}

/**
 * By the deploy tool's own rule. It puts an empty object into every function and the provider, so only subnets count.
 */
function inVpc(provider: FrameworkProvider, fn: FrameworkFunction | undefined): boolean {
  const own = fn?.['vpc'];
  if (own === null || own === false) return false;
  return [own, provider['vpc']].some((vpc) => 'subnetIds' in entriesOf(vpc));
}

/** Rights that a function's settings need, which the deploy tool gives to its own role only. */
function functionRights(provider: FrameworkProvider, fn: FrameworkFunction | undefined): readonly Value[] {
  return [
    ...allow(['kms:Decrypt'], texts(fn?.['kmsKeyArn'] ?? provider['kmsKeyArn'])),
    ...allow(['sns:Publish'], texts(fn?.['onError'])),
    ...allow(['elasticfilesystem:ClientMount', 'elasticfilesystem:ClientWrite'], values([entriesOf(fn?.['fileSystemConfig'])['arn']])),
  ];
}

function tracing(provider: FrameworkProvider, fn: FrameworkFunction | undefined): boolean {
  const setting = fn?.['tracing'] ?? entriesOf(provider['tracing'])['lambda'];
  return setting !== undefined && setting !== null && setting !== false;
}

function texts(given: unknown): readonly string[] {
  return typeof given === 'string' ? [given] : [];
}

function values(given: unknown): readonly Value[] {
  return Array.isArray(given) ? given.filter(isValue) : [];
}

function value(given: unknown): Value | undefined {
  return isValue(given) ? given : undefined;
}
