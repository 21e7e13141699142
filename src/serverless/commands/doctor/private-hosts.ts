/** An address of a function's environment that nothing outside of its network reaches. */
export interface PrivateHost {
  readonly variable: string;
  readonly host: string;
}

/** Of RFC 1918, and the machine itself. */
const PRIVATE = /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|127\.|localhost$|\[?::1\]?$)/;
/** What the values of a variable that is a host, or a list of hosts with ports, look like. */
const HOSTS = /^[\w.:[\],-]+$/;

/**
 * Private addresses in an environment: in the URLs that it holds, and in values that are hosts. Only what is certain: a
 * name may resolve to anything.
 */
export function privateHosts(environment: Readonly<Record<string, unknown>>): PrivateHost[] {
  return Object.entries(environment).flatMap(([variable, value]) => {
    if (typeof value !== 'string') return [];
    return hostsIn(value)
      .filter((host) => PRIVATE.test(host))
      .map((host) => ({ variable, host }));
  });
}

function hostsIn(value: string): string[] {
  if (URL.canParse(value) && value.includes('://')) return [new URL(value).hostname];
  return HOSTS.test(value) ? value.split(',').map((host) => host.replace(/:\d+$/, '')) : [];
}
