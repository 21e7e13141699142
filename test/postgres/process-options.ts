import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { isRecord } from '../../src/wire/shape.ts';
import type { ProcessOptions } from './messages.ts';
import { STEPS } from './steps.ts';

/** A tasks queue hides a message for six times as long: what a killed worker had comes again soon. */
export const QUEUES = { steps: [...STEPS, 'turns'], functionTimeoutSeconds: 1 } as const;

/** What the parent gave this process. */
export function optionsOfProcess(): ProcessOptions {
  const options: unknown = JSON.parse(process.argv[2] ?? '');
  if (!isProcessOptions(options)) throw new Error('expected the options of a process of this test in the first argument');
  return options;
}

export function clientConfigOf({
  sqsPort,
  name,
}: Pick<ProcessOptions, 'sqsPort' | 'name'>): SQSClientConfig & { readonly endpoint: string } {
  return {
    endpoint: `http://127.0.0.1:${sqsPort}`,
    region: 'us-east-1',
    credentials: { accessKeyId: name, secretAccessKey: 'none' },
  };
}

/** Only the test itself makes them. */
function isProcessOptions(value: unknown): value is ProcessOptions {
  return isRecord(value) && typeof value['sqsPort'] === 'number' && typeof value['executions'] === 'string' && isRecord(value['database']);
}
