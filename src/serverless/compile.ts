import { entriesOf } from './config/section.ts';
import type { DurableDeployment } from './deployment.ts';
import { allSteps } from './durable-service.ts';
import type { FrameworkService, Template, TemplateResource } from './framework.ts';
import { durableFunctions, functionsWithRights } from './read-service.ts';
import type { Value } from './resources/cloudformation.ts';
import { isLoop, TICK_INVOCATION, tickEvents } from './resources/engine.ts';
import { engineVariables, nodeOptions, starterEnvironment, workerEnvironment } from './resources/environment.ts';
import { functionLogicalId, lambdaLogicalId } from './resources/logical-ids.ts';
import { type Mapping, mappings } from './resources/mappings.ts';
import { policySizeProblem } from './resources/policy-size.ts';
import { roleOf, serviceRoleStatements } from './resources/roles.ts';
import { stackOutputs, stackResources, stackSizeProblem } from './resources/stack.ts';
import { roleContext } from './role-context.ts';

const SERVICE_ROLE = 'IamRoleLambdaExecution';

/** Adds mappings, environment and roles to the functions, before the deploy tool compiles them. */
export function extendFunctions(service: FrameworkService, deployment: DurableDeployment): void {
  for (const { functionKey, sqs } of mappings(deployment)) {
    const fn = service.functions[functionKey];
    if (fn !== undefined) fn.events = [...fn.events, { sqs }];
  }
  scheduleTick(service, deployment);
  setEnvironment(service, deployment, workerEnvironment(deployment), starterEnvironment(deployment));
  for (const fn of functionsWithRights(deployment)) {
    const entry = service.functions[fn.functionKey];
    if (entry !== undefined && roleOf(deployment, fn).kind === 'made') entry.role = functionLogicalId(fn.functionKey, 'Role');
  }
}

function scheduleTick({ functions }: FrameworkService, deployment: DurableDeployment): void {
  const fn = functions[deployment.engine?.function.functionKey ?? ''];
  if (fn === undefined) return;
  fn.events = [...fn.events, ...tickEvents(deployment)];
  for (const [setting, ours] of Object.entries(TICK_INVOCATION)) fn[setting] ??= ours;
}

/**
 * Adds variables to the environment of every durable function, and source maps to its NODE_OPTIONS.
 * @param starts variables of the functions that may start runs, whatever else they are
 */
export function setEnvironment(
  service: FrameworkService,
  deployment: DurableDeployment,
  variables: Readonly<Record<string, Value>>,
  starts: Readonly<Record<string, Value>>,
): void {
  const common = entriesOf(service.provider['environment']);
  for (const { functionKey } of durableFunctions(deployment)) {
    const fn = service.functions[functionKey];
    if (fn === undefined) continue;
    const given = fn.environment ?? {};
    const own = functionKey === deployment.engine?.function.functionKey ? engineVariables(variables) : variables;
    fn.environment = { ...given, ...own, NODE_OPTIONS: nodeOptions(given['NODE_OPTIONS'] ?? common['NODE_OPTIONS']) };
  }
  for (const key of deployment.startRuns?.functions ?? []) {
    const fn = service.functions[key];
    if (fn !== undefined) fn.environment = { ...fn.environment, ...starts };
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

/** Adds what serverless.yml cannot express to the compiled mappings and the service's role. */
export function patchEvents(deployment: DurableDeployment, template: Template): void {
  const all = mappings(deployment);
  for (const mapping of all) {
    for (const resource of mappingResources(template, mapping)) patchMapping(resource, mapping);
  }
  if (isLoop(deployment)) allowLoop(deployment, template);
  const statements = serviceRoleList(template);
  if (statements === undefined) return;
  const foreign = all.filter(({ dependsOn }) => dependsOn !== undefined).map(({ queueId }) => queueId);
  withdraw(statements, new Set(foreign));
  statements.push(...serviceRoleStatements(deployment));
}

/** On each function of the circle: Lambda looks at the setting of whichever it is about to invoke. */
function allowLoop(deployment: DurableDeployment, template: Template): void {
  for (const { functionKey } of durableFunctions(deployment)) {
    Object.assign(template.Resources[lambdaLogicalId(functionKey)]?.Properties ?? {}, { RecursiveLoop: 'Allow' });
  }
}

/** The problem with the finished template; undefined where there is none. */
export function templateProblem(deployment: DurableDeployment, template: Template): string | undefined {
  return stackSizeProblem(Object.keys(template.Resources).length, allSteps(deployment).length) ?? policySizeProblem(template);
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

/**
 * Removes rights on the queues of functions that have another role: the deploy tool gives its own role those of every
 * mapping.
 */
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
