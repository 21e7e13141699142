/** The oldest Node that this package runs on, here and on Lambda; `engines` in package.json says the same. */
export const MINIMUM_NODE = { major: 22, minor: 12 };

/**
 * The message for a Node that is too old, undefined for one that is not. npm only warns, and an old Node then fails
 * with a `TypeError` that names no reason.
 *
 * @param version as `process.versions.node` gives it
 */
export function nodeProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > MINIMUM_NODE.major || (major === MINIMUM_NODE.major && minor >= MINIMUM_NODE.minor)) return undefined;
  return `durable-sqs-lambda: expected Node ${MINIMUM_NODE.major}.${MINIMUM_NODE.minor} or later, got ${version}; install a later one, or put it first on the PATH`;
}
