/** Where the queues of a partition are. @see https://docs.aws.amazon.com/general/latest/gr/sqs-service.html */
const DNS_SUFFIXES: Readonly<Record<string, string>> = {
  'aws-cn': 'amazonaws.com.cn',
  'aws-iso': 'c2s.ic.gov',
  'aws-iso-b': 'sc2s.sgov.gov',
  'aws-eusc': 'amazonaws.eu',
};

/** Name of the queue that an ARN stands for, or undefined where it is no ARN of a queue. */
export function queueNameOfArn(arn: string | undefined): string | undefined {
  return parts(arn)?.name;
}

/** URL of the queue that an ARN stands for: a record says its ARN only, and a look-up would need one more right. */
export function queueUrlOfArn(arn: string | undefined): string | undefined {
  const found = parts(arn);
  if (found === undefined) return undefined;
  const { partition, region, account, name } = found;
  return `https://sqs.${region}.${DNS_SUFFIXES[partition] ?? 'amazonaws.com'}/${account}/${name}`;
}

function parts(arn: string | undefined) {
  const [, partition, region, account, name] = /^arn:([^:]+):sqs:([^:]+):([^:]+):([^:]+)$/.exec(arn ?? '') ?? [];
  if (partition === undefined || region === undefined || account === undefined || name === undefined) return undefined;
  return { partition, region, account, name };
}
