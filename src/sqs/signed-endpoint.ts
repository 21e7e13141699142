/** Where requests go, and the region they are signed for. All pure: the environment comes in as a parameter. */

/** An address that requests are sent to. */
export interface SqsEndpoint {
  readonly url: URL;
  /** The region in the credential scope of the signature. */
  readonly region: string;
}

const REGION = '([a-z]{2,4}(?:-[a-z]+)+-\\d{1,2})';

/**
 * Hosts of SQS that name their region: today's (`sqs.eu-west-1.amazonaws.com`, with `sqs-fips`, in other partitions, behind a private
 * endpoint as `vpce-….sqs.eu-west-1.vpce.amazonaws.com`) and the one before it (`eu-west-1.queue.amazonaws.com`).
 * @see https://docs.aws.amazon.com/general/latest/gr/sqs-service.html
 */
const HOSTS_WITH_REGION = [new RegExp(`^(?:[^.]+\\.)?sqs(?:-fips)?\\.${REGION}\\.`), new RegExp(`^${REGION}\\.queue\\.`)];

/** The region that a host of SQS stands in, or undefined where the host does not say. */
export function regionOfHost(hostname: string): string | undefined {
  // The oldest host of all, which has no region in its name.
  if (hostname === 'queue.amazonaws.com') return 'us-east-1';
  for (const pattern of HOSTS_WITH_REGION) {
    const region = pattern.exec(hostname)?.[1];
    if (region !== undefined) return region;
  }
  return undefined;
}

/**
 * Domains of the partitions whose regions do not end in `amazonaws.com`, by the region's first part.
 * @see https://docs.aws.amazon.com/general/latest/gr/rande.html
 */
const DOMAINS: readonly (readonly [prefix: string, domain: string])[] = [
  ['cn-', 'amazonaws.com.cn'],
  ['eusc-', 'amazonaws.eu'],
  ['us-iso-', 'c2s.ic.gov'],
  ['us-isob-', 'sc2s.sgov.gov'],
  ['eu-isoe-', 'cloud.adc-e.uk'],
  ['us-isof-', 'csp.hci.ic.gov'],
];

/** SQS's own address in a region, for a call that has no queue URL yet. */
export function endpointOfRegion(region: string): SqsEndpoint {
  const domain = DOMAINS.find(([prefix]) => region.startsWith(prefix))?.[1] ?? 'amazonaws.com';
  return { url: new URL(`https://sqs.${region}.${domain}/`), region };
}

/** What decides where a request goes. */
export interface EndpointChoice {
  /** An endpoint that was asked for; wins over the host of every queue URL. */
  readonly endpoint?: string | undefined;
  /** For hosts that name no region, and for calls without a queue URL. */
  readonly region: string;
}

/**
 * The address of one request: the endpoint that was asked for, else the host of the queue URL, which also covers FIPS, China and
 * private endpoints, else SQS's own in the region. A host that names its region is signed for that one: SQS takes no other.
 */
export function endpointOf(queueUrl: string | undefined, { endpoint, region }: EndpointChoice): SqsEndpoint {
  if (endpoint === undefined && queueUrl === undefined) return endpointOfRegion(region);
  const url = endpoint === undefined ? new URL('/', queueUrl) : new URL(endpoint);
  return { url, region: regionOfHost(url.hostname) ?? region };
}
