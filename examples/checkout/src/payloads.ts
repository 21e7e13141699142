import { s3PayloadStore } from 'durable-sqs-lambda';

/** Bodies that fill more than one billing unit of SQS, 64 KiB, go through the bucket of DURABLE_PAYLOAD_BUCKET. */
export const payloadStore = s3PayloadStore({ thresholdBytes: 65_536 });
