import { effectivePrefix } from './queue-names.ts';

/** The options that make the prefix of queue names. */
export interface PrefixOptions {
  readonly prefix?: string | undefined;
  readonly namespace?: string | undefined;
}

/**
 * The prefix of all queue names, by options, else by the environment: engine, worker and local programs that share an
 * environment agree on it. A variable that is empty is one that is not set.
 */
export function prefixOf({ prefix, namespace }: PrefixOptions, env: NodeJS.ProcessEnv): string {
  return effectivePrefix(prefix ?? (env['DURABLE_PREFIX'] || undefined), namespace ?? env['DURABLE_NAMESPACE']);
}
