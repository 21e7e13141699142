import { DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { AttachUserPolicyCommand, CreateAccessKeyCommand, CreateUserCommand } from '@aws-sdk/client-iam';
import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  QueueDoesNotExist,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { vi } from 'vitest';
import type { Credentials } from './server/aws-server.ts';
import type { Clients } from './server/clients.ts';

/** Outputs of a stack, by key. */
export async function outputsOf({ cloudFormation }: Clients, stackName: string): Promise<Readonly<Record<string, string>>> {
  const { Stacks } = await cloudFormation.send(new DescribeStacksCommand({ StackName: stackName }));
  return Object.fromEntries((Stacks?.[0]?.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey ?? '', OutputValue ?? '']));
}

/** A text that must be there. */
export function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`expected ${what}, got none`);
  return value;
}

/** Makes a user that holds nothing but the given managed policies, and gives its access key. */
export async function createUser({ iam }: Clients, userName: string, policyArns: readonly string[]): Promise<Credentials> {
  await iam.send(new CreateUserCommand({ UserName: userName }));
  for (const PolicyArn of policyArns) await iam.send(new AttachUserPolicyCommand({ UserName: userName, PolicyArn }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: userName }));
  return {
    accessKeyId: required(AccessKey?.AccessKeyId, 'an access key'),
    secretAccessKey: required(AccessKey?.SecretAccessKey, 'a secret key'),
  };
}

/** URL of a queue, or undefined where there is none. */
export async function queueUrlOf({ sqs }: Clients, name: string): Promise<string | undefined> {
  try {
    return (await sqs.send(new GetQueueUrlCommand({ QueueName: name }))).QueueUrl;
  } catch (error) {
    if (error instanceof QueueDoesNotExist) return undefined;
    throw error;
  }
}

/** Names of the queues that begin with a prefix, sorted. */
export async function queueNames({ sqs }: Clients, prefix: string): Promise<string[]> {
  const { QueueUrls } = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: prefix }));
  return (QueueUrls ?? []).map((url) => url.slice(url.lastIndexOf('/') + 1)).sort();
}

export interface Depth {
  readonly visible: number;
  readonly inFlight: number;
}

export async function depthOf(clients: Clients, name: string): Promise<Depth> {
  const QueueUrl = required(await queueUrlOf(clients, name), `a queue ${name}`);
  const { Attributes } = await clients.sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl,
      AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
    }),
  );
  return {
    visible: Number(Attributes?.['ApproximateNumberOfMessages']),
    inFlight: Number(Attributes?.['ApproximateNumberOfMessagesNotVisible']),
  };
}

/** Waits until a queue holds what it should. */
export function untilDepth(clients: Clients, name: string, wanted: Partial<Depth>, timeoutMs = 60_000): Promise<void> {
  return vi.waitFor(
    async () => {
      const depth = await depthOf(clients, name);
      const differs = Object.entries(wanted).some(([key, value]) => depth[key as keyof Depth] !== value);
      if (differs) throw new Error(`expected ${name} to hold ${JSON.stringify(wanted)}, got ${JSON.stringify(depth)}`);
    },
    { timeout: timeoutMs, interval: 100 },
  );
}

export async function sendTo(clients: Clients, name: string, body: string): Promise<void> {
  const QueueUrl = required(await queueUrlOf(clients, name), `a queue ${name}`);
  await clients.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: body }));
}
