/** The little of CloudFormation that we write. */
export type Value = string | number | boolean | readonly Value[] | { readonly [key: string]: Value };

export interface Resource {
  readonly Type: string;
  readonly DependsOn?: readonly string[];
  readonly DeletionPolicy?: 'RetainExceptOnCreate';
  readonly UpdateReplacePolicy?: 'Retain';
  readonly Properties: Readonly<Record<string, Value>>;
}

export type Resources = Readonly<Record<string, Resource>>;

export type Outputs = Readonly<Record<string, { readonly Description: string; readonly Value: Value }>>;

export interface Statement {
  readonly [key: string]: Value;
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: readonly string[];
  readonly Resource: readonly Value[];
  readonly Condition?: Value;
}

/**
 * What outlives its stack: it may hold the only copy of a message. Not where the deployment that creates it fails:
 * nothing is in it yet, and the next deployment would fail because it exists.
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
 */
export const RETAINED = { DeletionPolicy: 'RetainExceptOnCreate', UpdateReplacePolicy: 'Retain' } as const;

export function ref(logicalId: string): Value {
  return { Ref: logicalId };
}

export function attribute(logicalId: string, name: string): Value {
  return { 'Fn::GetAtt': [logicalId, name] };
}

export function arnOf(logicalId: string): Value {
  return attribute(logicalId, 'Arn');
}

export function sub(template: string): Value {
  return { 'Fn::Sub': template };
}

/** A right; none where there is nothing to have it on. */
export function allow(actions: readonly string[], resources: readonly Value[], condition?: Value): readonly Statement[] {
  if (resources.length === 0) return [];
  return [{ Effect: 'Allow', Action: actions, Resource: resources, ...(condition === undefined ? {} : { Condition: condition }) }];
}

export function policyDocument(statements: readonly Value[]): Value {
  return { Version: '2012-10-17', Statement: statements };
}

/**
 * Statements with the same actions and condition as one, every resource once: a role's policies are limited in size.
 */
export function mergeStatements(statements: readonly Statement[]): readonly Statement[] {
  const groups = Map.groupBy(statements, ({ Effect, Action, Condition }) => JSON.stringify([Effect, Action, Condition]));
  return [...groups.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    const resources = [first, ...others].flatMap(({ Resource }) => Resource);
    const distinct = new Map(resources.map((resource) => [JSON.stringify(resource), resource]));
    return [{ ...first, Resource: [...distinct.values()] }];
  });
}

/** What came from YAML is JSON. */
export function isValue(given: unknown): given is Value {
  return given !== undefined && given !== null;
}
