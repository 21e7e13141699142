import { entriesOf } from '../config/section.ts';
import type { Template, TemplateResource } from '../framework.ts';
import { ENGINE_POLICY } from './logical-ids.ts';

/**
 * All inline policies of a role together, white space left out.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
 */
export const MAX_ROLE_POLICY_LENGTH = 10_240;
/** A managed policy. @see the same */
export const MAX_MANAGED_POLICY_LENGTH = 6_144;
/** The longest that an ARN of an SQS queue has before its name. */
const QUEUE_ARN_START = 'arn:aws-us-gov:sqs:ap-southeast-1:123456789012:';

/** What is wrong with the length of a policy, if anything: AWS would refuse it in the middle of a deployment. */
export function policySizeProblem({ Resources }: Template): string | undefined {
  for (const [role, policies] of policiesByRole(Resources)) {
    const length = lengthOf(policies, Resources);
    if (length > MAX_ROLE_POLICY_LENGTH) {
      return (
        `resources: expected at most ${MAX_ROLE_POLICY_LENGTH} characters of policies in one role (IAM's limit), got about ${length} in ${role}; ` +
        'set custom.durable.perFunctionRoles: true, or move steps to another service that shares the results queue'
      );
    }
  }
  const length = lengthOf(Resources[ENGINE_POLICY]?.Properties?.['PolicyDocument'], Resources);
  if (length > MAX_MANAGED_POLICY_LENGTH) {
    return (
      `resources: expected at most ${MAX_MANAGED_POLICY_LENGTH} characters in the managed policy of the engine (IAM's limit), got about ${length}; ` +
      'move steps to another service that shares the results queue, or choose a shorter custom.durable.prefix'
    );
  }
  return undefined;
}

/**
 * All inline policies of each role, by its logical id or its name: those it holds, and those that are put on it from
 * outside.
 */
function policiesByRole(resources: Readonly<Record<string, TemplateResource>>): ReadonlyMap<string, readonly unknown[]> {
  const all = Object.entries(resources).flatMap(([id, { Type, Properties }]): { role: string; policies: unknown }[] => {
    if (Type === 'AWS::IAM::Role') return [{ role: id, policies: Properties?.['Policies'] }];
    const roles: unknown = Type === 'AWS::IAM::Policy' ? Properties?.['Roles'] : [];
    if (!Array.isArray(roles)) return [];
    return roles.map((role: unknown) => ({ role: String(entriesOf(role)['Ref'] ?? role), policies: Properties?.['PolicyDocument'] }));
  });
  return new Map([...Map.groupBy(all, ({ role }) => role)].map(([role, entries]) => [role, entries.map(({ policies }) => policies ?? [])]));
}

function lengthOf(policies: unknown, resources: Readonly<Record<string, TemplateResource>>): number {
  const resolved = JSON.stringify(policies ?? [], (_, value: unknown) => {
    if (typeof value !== 'object' || value === null || !('Fn::GetAtt' in value)) return value;
    const attribute: unknown = value['Fn::GetAtt'];
    const id: unknown = Array.isArray(attribute) ? attribute[0] : undefined;
    const name = typeof id === 'string' ? resources[id]?.Properties?.['QueueName'] : undefined;
    return `${QUEUE_ARN_START}${String(name ?? '')}`;
  });
  return resolved.replace(/\s/g, '').length;
}
