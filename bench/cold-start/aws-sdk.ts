import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { answer } from './answer.ts';

/** The step written by hand on the AWS SDK. */
export async function handler({ Records }: SQSEvent): Promise<SQSBatchResponse> {
  const settled = await Promise.allSettled(Records.map(answer));
  return {
    batchItemFailures: Records.flatMap(({ messageId }, index) =>
      settled[index]?.status === 'fulfilled' ? [] : [{ itemIdentifier: messageId }],
    ),
  };
}
