import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import type { Context, SQSEvent } from 'aws-lambda';
import { answer } from './answer.ts';

const processor = new BatchProcessor(EventType.SQS);

/** The step on Powertools' batch processor and the AWS SDK. */
export const handler = (event: SQSEvent, context: Context) => processPartialResponse(event, answer, processor, { context });
