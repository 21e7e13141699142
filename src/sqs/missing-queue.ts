import { distance } from '../edit-distance.ts';
import { kindOfQueueName } from '../topology/queue-kinds.ts';

/** Where a prefix comes from. */
export type PrefixSource = 'option' | 'environment' | 'default';

/** What is known of a queue that no look-up finds. */
export interface MissingQueue {
  readonly name: string;
  readonly prefix: string;
  readonly prefixSource: PrefixSource;
  /** Whether the results queue of the prefix is there: then prefix, region and account are right. */
  readonly prefixIsThere: boolean;
  /** Names of all queues, where SQS is one outside AWS: on AWS an engine has no right to list them. */
  readonly there: readonly string[] | undefined;
}

/** Names of a list that a message shows. */
const MOST_SHOWN = 10;

/**
 * Why a queue is probably missing: the likeliest cause on the first line, behind it the others, and the queues that are
 * there.
 */
export function whyMissing(missing: MissingQueue): string {
  return [likeliestCause(missing), otherCauses(missing), queuesThere(missing)].filter((line) => line !== '').join('\n');
}

function likeliestCause({ name, prefix, prefixSource, prefixIsThere }: MissingQueue): string {
  if (prefixIsThere && kindOfQueueName(name) === 'start-run') {
    return `queues of the prefix "${prefix}" are there, but no start queue: set custom.durable.startRuns in serverless.yml, and deploy it`;
  }
  if (prefixIsThere) {
    return (
      `queues of the prefix "${prefix}" are there, but none of this step: compare its name with the durableStep (or containerSteps) of ` +
      'serverless.yml, and deploy it'
    );
  }
  return prefixSource === 'default'
    ? `no prefix was given, so it is "${prefix}": give SqsTransport the prefix of serverless.yml, or set DURABLE_PREFIX`
    : `nothing of the prefix "${prefix}" is there: compare prefix and region with serverless.yml`;
}

function otherCauses({ prefixIsThere }: MissingQueue): string {
  const hidden = 'credentials of another account, or without sqs:GetQueueUrl on this queue';
  const remedy = 'autoCreate makes queues that are missing, and taskQueueUrl and resultsQueueUrl take URLs';
  return `Else: ${prefixIsThere ? hidden : `a service that is not deployed, another region, ${hidden}`}. ${remedy}.`;
}

function queuesThere({ name, there }: MissingQueue): string {
  if (there === undefined) return '';
  const kind = kindOfQueueName(name);
  const alike = there.filter((other) => kindOfQueueName(other) === kind).sort((one, other) => distance(one, name) - distance(other, name));
  const [nearest, ...others] = alike;
  if (nearest === undefined) return `This SQS has ${there.length === 0 ? 'no queue at all' : 'no queue of that kind'}.`;
  const more = others.length < MOST_SHOWN ? '' : ' …';
  return `This SQS has ${alike.slice(0, MOST_SHOWN).join(', ')}${more}. Is "${nearest}" meant?`;
}
