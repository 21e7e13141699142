import { ConfigurationError } from '../../../src/errors.ts';
import { readDurableService } from '../../../src/serverless/read-service.ts';
import type { RoleContext } from '../../../src/serverless/resources/roles.ts';

interface Parts {
  /** `custom.durable`. */
  readonly durable?: unknown;
  /** The `durableStep` of the one function, `charge`. */
  readonly step?: unknown;
  /** More of that function. */
  readonly fn?: object;
  /** All functions, instead of that one. */
  readonly functions?: object;
}

/** A serverless.yml with its variables resolved, as the plugin hands it to the reader. */
export function serviceOf({ durable, step, fn = {}, functions }: Parts): unknown {
  return {
    provider: { name: 'aws', runtime: 'nodejs24.x', timeout: 30 },
    ...(durable === undefined ? {} : { custom: { durable } }),
    functions: functions ?? { charge: { ...functionWith({ durableStep: step }), ...fn } },
  };
}

export function functionWith(...events: readonly object[]): object {
  return { handler: 'charge.handler', events };
}

/** The mistakes that a service is refused for, one line each. */
export function mistakesIn(service: unknown): string[] {
  try {
    readDurableService(service);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.message.split('\n  - ').slice(1);
  }
  return [];
}

/** What the template holds of a function on its own, for the role that the plugin makes for it. */
export function bareFunction(functionName: string, more: Partial<RoleContext> = {}): RoleContext {
  return {
    functionName,
    polled: [],
    vpc: false,
    tracing: false,
    statements: [],
    managedPolicies: [],
    permissionsBoundary: undefined,
    path: undefined,
    tags: [],
    ...more,
  };
}

/** The ARN of a resource, as a template says it. */
export function arn(logicalId: string): object {
  return { 'Fn::GetAtt': [logicalId, 'Arn'] };
}

/** A statement of a policy. */
export function allowed(Action: string[], ...Resource: unknown[]): object {
  return { Effect: 'Allow', Action, Resource };
}
