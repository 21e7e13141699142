const MINIMUM = { major: 22, minor: 12 };

/**
 * What to say where Node is too old for this package: npm only warns of it, and what comes then is a `TypeError` from somewhere deep.
 * Undefined where it is recent enough.
 *
 * @param version as `process.versions.node` gives it
 */
export function nodeProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > MINIMUM.major || (major === MINIMUM.major && minor >= MINIMUM.minor)) return undefined;
  return `durable-sqs-lambda: expected Node ${MINIMUM.major}.${MINIMUM.minor} or later, got ${version}; install a later one, or put it first on the PATH`;
}
