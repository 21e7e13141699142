import { entriesOf } from './config/section.ts';
import type { DurableDeployment } from './deployment.ts';
import type { FrameworkFunction, FrameworkProvider, FrameworkService, Template, TemplateResource } from './framework.ts';
import { durableFunctions } from './read-service.ts';
import { plainEventStatements } from './resources/access.ts';
import { allow, isValue, type Value } from './resources/cloudformation.ts';
import { nodeOptions, workerEnvironment } from './resources/environment.ts';
import { functionLogicalId } from './resources/logical-ids.ts';
import { type Mapping, mappings } from './resources/mappings.ts';
import { policySizeProblem } from './resources/policy-size.ts';
import { type RoleContext, roleOf, serviceRoleStatements } from './resources/roles.ts';
import { stackOutputs, stackResources, stackSizeProblem } from './resources/stack.ts';

const SERVICE_ROLE = 'IamRoleLambdaExecution';

/** Gives the functions their mappings, environment and roles, before the deploy tool looks at them. */
export function extendFunctions(service: FrameworkService, deployment: DurableDeployment): void {
  for (const { functionKey, sqs } of mappings(deployment)) {
    const fn = service.functions[functionKey];
    if (fn !== undefined) fn.events = [...fn.events, { sqs }];
  }
  setEnvironment(service, deployment, workerEnvironment(deployment));
  for (const fn of durableFunctions(deployment)) {
    const entry = service.functions[fn.functionKey];
    if (entry !== undefined && roleOf(deployment, fn).kind === 'made') entry.role = functionLogicalId(fn.functionKey, 'Role');
  }
}

/** Adds variables to every durable function, and source maps to what the service asks of Node. */
export function setEnvironment(service: FrameworkService, deployment: DurableDeployment, variables: Readonly<Record<string, Value>>): void {
  const common = entriesOf(service.provider['environment']);
  for (const { functionKey } of durableFunctions(deployment)) {
    const fn = service.functions[functionKey];
    if (fn === undefined) continue;
    const given = fn.environment ?? {};
    fn.environment = { ...given, ...variables, NODE_OPTIONS: nodeOptions(given['NODE_OPTIONS'] ?? common['NODE_OPTIONS']) };
  }
}

/** Adds queues, alarms, policies and outputs to the template. */
export function addResources(service: FrameworkService, deployment: DurableDeployment, template: Template): void {
  Object.assign(
    template.Resources,
    stackResources(deployment, (key) => roleContext(service, key)),
  );
  template.Outputs = { ...template.Outputs, ...stackOutputs(deployment) };
}

/** Puts into the compiled mappings and the service's role what the deploy tool has no words for. */
export function patchEvents(deployment: DurableDeployment, template: Template): void {
  const all = mappings(deployment);
  for (const mapping of all) {
    for (const resource of mappingResources(template, mapping)) patchMapping(resource, mapping);
  }
  const statements = serviceRoleList(template);
  if (statements === undefined) return;
  const foreign = all.filter(({ dependsOn }) => dependsOn !== undefined).map(({ queueId }) => queueId);
  withdraw(statements, new Set(foreign));
  statements.push(...serviceRoleStatements(deployment));
}

/** What is wrong with the finished template, if anything. */
export function templateProblem(deployment: DurableDeployment, template: Template): string | undefined {
  return stackSizeProblem(Object.keys(template.Resources).length, deployment.steps.length) ?? policySizeProblem(template);
}

function mappingResources(template: Template, { queueId }: Mapping): TemplateResource[] {
  return Object.values(template.Resources).filter(
    ({ Type, Properties }) => Type === 'AWS::Lambda::EventSourceMapping' && queueOf(Properties?.['EventSourceArn']) === queueId,
  );
}

function patchMapping(resource: TemplateResource, { extraProperties, dependsOn }: Mapping): void {
  Object.assign(resource.Properties ?? {}, extraProperties);
  if (dependsOn !== undefined) resource.DependsOn = [...new Set([resource.DependsOn ?? [], dependsOn].flat())];
}

/** The deploy tool lets its own role read the queue of every mapping: also of those whose function has another role. */
function withdraw(statements: unknown[], foreign: ReadonlySet<string>): void {
  for (const [index, statement] of [...statements.entries()].reverse()) {
    const { Action, Resource } = entriesOf(statement);
    if (!Array.isArray(Action) || !Action.includes('sqs:ReceiveMessage') || !Array.isArray(Resource)) continue;
    const kept: unknown[] = Resource.filter((arn: unknown) => !foreign.has(queueOf(arn) ?? ''));
    if (kept.length === 0) statements.splice(index, 1);
    else statements[index] = { ...entriesOf(statement), Resource: kept };
  }
}

function serviceRoleList(template: Template): unknown[] | undefined {
  const policies: unknown = template.Resources[SERVICE_ROLE]?.Properties?.['Policies'];
  const document = entriesOf(Array.isArray(policies) ? policies[0] : undefined)['PolicyDocument'];
  const statements: unknown = entriesOf(document)['Statement'];
  return Array.isArray(statements) ? statements : undefined;
}

/** The logical id in `Fn::GetAtt: [id, Arn]`. */
function queueOf(arn: unknown): string | undefined {
  const attribute: unknown = entriesOf(arn)['Fn::GetAtt'];
  const id: unknown = Array.isArray(attribute) ? attribute[0] : undefined;
  return typeof id === 'string' ? id : undefined;
}

export function roleContext({ provider, functions }: Pick<FrameworkService, 'provider' | 'functions'>, functionKey: string): RoleContext {
  const fn: FrameworkFunction | undefined = functions[functionKey];
  const role = entriesOf(entriesOf(provider['iam'])['role']);
  // The tool still takes the older names of these settings.
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

/** As the tool has it; an empty object says nothing, and it puts one into every function and the provider itself. */
function inVpc(provider: FrameworkProvider, fn: FrameworkFunction | undefined): boolean {
  const own = fn?.['vpc'];
  if (own === null || own === false) return false;
  return [own, provider['vpc']].some((vpc) => 'subnetIds' in entriesOf(vpc));
}

/** Rights that settings of a function ask for, which the tool gives to its own role only. */
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
