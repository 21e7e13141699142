/**
 * A separate AWS: its regions share no account, no domain and no ARN prefix with those of another partition.
 *
 * A tuple because every worker's bundle carries the table, and it is 230 bytes shorter than as objects.
 */
export type Partition = readonly [
  /** Second part of its ARNs. */
  name: string,
  /** How the names of its regions begin. */
  regionPrefix: string,
  /** What its endpoints end in: `sqs.<region>.<domain>`. */
  domain: string,
];

/** Also the partition of every region that fits no other, so that a region newer than this table works. */
const PUBLIC: Partition = ['aws', '', 'amazonaws.com'];

/**
 * The other partitions. A unit test compares them with the endpoints of the AWS SDK.
 * @see https://docs.aws.amazon.com/general/latest/gr/rande.html
 * @see https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json the table of all AWS SDKs
 */
const OTHERS: readonly Partition[] = [
  ['aws-cn', 'cn-', 'amazonaws.com.cn'],
  ['aws-eusc', 'eusc-', 'amazonaws.eu'],
  ['aws-iso', 'us-iso-', 'c2s.ic.gov'],
  ['aws-iso-b', 'us-isob-', 'sc2s.sgov.gov'],
  ['aws-iso-e', 'eu-isoe-', 'cloud.adc-e.uk'],
  ['aws-iso-f', 'us-isof-', 'csp.hci.ic.gov'],
  ['aws-us-gov', 'us-gov-', 'amazonaws.com'],
];

/** Domains of endpoints that answer over IPv6 too. */
const DUAL_STACK_DOMAINS = [
  'api.aws',
  'api.amazonwebservices.com.cn',
  'api.amazonwebservices.eu',
  'api.aws.ic.gov',
  'api.aws.scloud',
  'api.cloud-aws.adc-e.uk',
  'api.aws.hci.ic.gov',
];

/** The partition that a region belongs to. */
export function partitionOf(region: string): Partition {
  return OTHERS.find(([, regionPrefix]) => region.startsWith(regionPrefix)) ?? PUBLIC;
}

/** Whether a host is one of AWS's own, private endpoints within a VPC among them. */
export function isAwsHost(hostname: string): boolean {
  const domains = [PUBLIC, ...OTHERS].map(([, , domain]) => domain);
  return [...domains, ...DUAL_STACK_DOMAINS].some((domain) => hostname === domain || hostname.endsWith(`.${domain}`));
}
