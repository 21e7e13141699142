import { randomUUID } from 'node:crypto';
import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { partitionOf } from '../../../topology/partitions.ts';
import type { Template } from '../../framework.ts';
import { CommandError } from '../command-error.ts';
import { loadSdk } from './load-sdk.ts';

/** @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html */
const MAX_TEMPLATE_BODY_BYTES = 51_200;

type S3Sdk = typeof import('@aws-sdk/client-s3');

export function loadS3Sdk(serviceDir: string, toolFile: string | undefined): S3Sdk | undefined {
  return loadSdk<S3Sdk>((require) => require('@aws-sdk/client-s3'), serviceDir, toolFile);
}

/** Which stack the template is for, and how S3 is reached. */
export interface TemplateSettings {
  readonly stackName: string;
  readonly region: string;
  readonly credentials?: NonNullable<SQSClientConfig['credentials']>;
}

/** How CloudFormation gets a template: in the request, or from S3 where it is too long for that. */
export type TemplateSource = { readonly TemplateBody: string } | { readonly TemplateURL: string };

/** @param bucket where the deploy tool keeps its own templates; undefined: the stack has none */
export async function templateSource(
  template: Template,
  bucket: string | undefined,
  sdk: S3Sdk | undefined,
  { stackName, region, credentials }: TemplateSettings,
): Promise<TemplateSource> {
  const body = JSON.stringify(template);
  if (Buffer.byteLength(body) <= MAX_TEMPLATE_BODY_BYTES) return { TemplateBody: body };
  if (bucket === undefined || sdk === undefined) {
    const missing =
      bucket === undefined ? 'the stack has no output ServerlessDeploymentBucketName' : '"@aws-sdk/client-s3" is not installed';
    throw new CommandError(`the template of stack ${stackName} is too long to be sent in a request, and ${missing}`);
  }
  const client = new sdk.S3Client({ region, ...(credentials === undefined ? {} : { credentials }) });
  try {
    const key = `serverless/${stackName}/durable-adopt-${randomUUID()}.json`;
    await client.send(new sdk.PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentType: 'application/json' }));
    const [, , domain] = partitionOf(region);
    return { TemplateURL: `https://s3.${region}.${domain}/${bucket}/${key}` };
  } finally {
    client.destroy();
  }
}
