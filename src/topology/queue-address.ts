import { partitionOf } from './partitions.ts';

/** What the ARN and the URL of a queue say of it. */
export interface QueueAddress {
  readonly region: string;
  /** Id of the AWS account; an SQS on a laptop may have a word there. */
  readonly account: string;
  readonly name: string;
}

/**
 * A region as one label of a host name. Whatever is more (`x@host/`, `x.host`) would choose the host of a signed
 * request, and with it who is shown the session token. Not narrower: an SQS on a laptop has regions such as
 * `elasticmq`, and the AWS SDK draws the same line.
 */
const LABEL = '[A-Za-z0-9-]{1,63}';
const REGION_LABEL = new RegExp(`^${LABEL}$`);

/** The ARN of a queue. Its partition only has to look like one: the region says which domain a request goes to. */
const QUEUE_ARN = new RegExp(`^arn:aws[a-z-]*:sqs:(${LABEL}):([\\w-]+):([\\w.-]+)$`);

/** The region in the host of an endpoint; every region has this form, and nothing else in such a host does. */
const REGION = '([a-z]{2,4}(?:-[a-z]+)+-\\d{1,2})';

/**
 * Hosts of SQS that name their region: today's (`sqs.eu-west-1.amazonaws.com`, with `sqs-fips`, in other partitions,
 * behind a private endpoint as `vpce-….sqs.eu-west-1.vpce.amazonaws.com`) and the one before it
 * (`eu-west-1.queue.amazonaws.com`).
 * @see https://docs.aws.amazon.com/general/latest/gr/sqs-service.html
 */
const HOST_WITH_REGION = new RegExp(`^(?:[^.]+\\.)?sqs(?:-fips)?\\.${REGION}\\.|^${REGION}\\.queue\\.`);

/** What an ARN says of its queue, or undefined where it is not the ARN of a queue. */
export function queueOfArn(arn: string | undefined): QueueAddress | undefined {
  const [, region = '', account = '', name = ''] = QUEUE_ARN.exec(arn ?? '') ?? [];
  return name === '' ? undefined : { region, account, name };
}

/** URL of the queue that an ARN stands for: a record carries only the ARN, and a look-up would need one more right. */
export function queueUrlOfArn(arn: string | undefined): string | undefined {
  const queue = queueOfArn(arn);
  return queue && `${sqsUrl(queue.region)}${queue.account}/${queue.name}`;
}

export function queueArn({ region, account, name }: QueueAddress): string {
  const [partition] = partitionOf(region);
  return `arn:${partition}:sqs:${region}:${account}:${name}`;
}

/**
 * SQS's own address in a region, with a slash at its end.
 * @throws TypeError where the region could not be a part of a host name
 */
export function sqsUrl(region: string): string {
  if (!REGION_LABEL.test(region)) throw new TypeError(`expected a region such as eu-west-1, got "${region}"`);
  const [, , domain] = partitionOf(region);
  return `https://sqs.${region}.${domain}/`;
}

/** The region that a host of SQS stands in, or undefined where the host does not say. */
export function regionOfHost(hostname: string): string | undefined {
  // The oldest host of all, which has no region in its name.
  if (hostname === 'queue.amazonaws.com') return 'us-east-1';
  const [, today, older] = HOST_WITH_REGION.exec(hostname) ?? [];
  return today ?? older;
}
