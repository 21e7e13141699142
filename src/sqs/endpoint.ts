import { regionOfHost, sqsUrl } from '../topology/queue-address.ts';

/** Where requests go, and the region they are signed for. All pure: the environment comes in as a parameter. */

/** An address that requests are sent to. */
export interface SqsEndpoint {
  readonly url: URL;
  /** The region in the credential scope of the signature. */
  readonly region: string;
}

/** What decides where a request goes. */
export interface EndpointChoice {
  /** An endpoint that was asked for; wins over the host of every queue URL. */
  readonly endpoint?: string | undefined;
  /** For hosts that name no region, and for calls without a queue URL. */
  readonly region: string;
}

/**
 * The address of one request: the endpoint that was asked for, else the host of the queue URL, which also covers FIPS,
 * China and private endpoints, else SQS's own in the region. A host that names its region is signed for that one: SQS
 * takes no other.
 */
export function endpointOf(queueUrl: string | undefined, { endpoint, region }: EndpointChoice): SqsEndpoint {
  const url = endpoint !== undefined ? new URL(endpoint) : queueUrl !== undefined ? new URL('/', queueUrl) : new URL(sqsUrl(region));
  return { url, region: regionOfHost(url.hostname) ?? region };
}
