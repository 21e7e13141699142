import { randomUUID } from 'node:crypto';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { ConfigurationError } from '../errors.ts';
import { aClientConfig, anInteger, checkOptions, type OptionRule } from '../options.ts';
import { MAX_MESSAGE_BYTES } from '../wire/limits.ts';
import { DEFAULT_KEY_PREFIX, KEY_PREFIX, payloadKey } from './payload-key.ts';
import type { PayloadPointer, PayloadStore } from './payload-store.ts';
import { loadS3, type S3Module } from './s3-module.ts';
import { S3_CALL_TIMEOUT_MS, s3Api } from './s3-objects.ts';

export interface S3PayloadStoreOptions {
  /** Name of the bucket that bodies are written to. @default the environment variable DURABLE_PAYLOAD_BUCKET */
  readonly bucket?: string | undefined;
  /**
   * AWS account that owns the bucket. S3 then refuses to read or write a bucket of that name which is somebody else's.
   * @default the environment variable DURABLE_PAYLOAD_BUCKET_OWNER
   */
  readonly bucketOwner?: string | undefined;
  /**
   * Beginning of the keys of the objects; what a lifecycle rule and an IAM policy can name.
   * @default the environment variable DURABLE_PAYLOAD_KEY_PREFIX, else 'durable/'
   */
  readonly keyPrefix?: string | undefined;
  /**
   * Bodies above so many bytes (attributes counted in) are stored: 1 to 1,048,576.
   * @default 262,144, as in the extended clients for Java and Python: it fits queues that were made before SQS took 1
   * MiB
   */
  readonly thresholdBytes?: number | undefined;
  /** An `S3Client` of `@aws-sdk/client-s3`; stays the caller's. */
  readonly client?: S3ClientLike | undefined;
  /** Configuration of a client of our own, made when the first body is stored or read. @default the SDK's defaults */
  readonly clientConfig?: S3ClientSettings | undefined;
}

/** What tells an S3 client: `@aws-sdk/client-s3` is optional, so no type of its is named here. */
export interface S3ClientLike {
  readonly config: object;
  send(...args: never[]): unknown;
}

/**
 * Settings that the SDK's clients have in common, and the one that S3 servers other than AWS need. For all others, give
 * a `client`.
 */
export interface S3ClientSettings
  extends Pick<SQSClientConfig, 'region' | 'credentials' | 'endpoint' | 'maxAttempts' | 'requestHandler' | 'useFipsEndpoint'> {
  /** The bucket in the path of the URL, not in its host. @default false */
  readonly forcePathStyle?: boolean | undefined;
}

const OWNER = 's3PayloadStore';
const BUCKET_VARIABLE = 'DURABLE_PAYLOAD_BUCKET';
const BUCKET_OWNER_VARIABLE = 'DURABLE_PAYLOAD_BUCKET_OWNER';
const KEY_PREFIX_VARIABLE = 'DURABLE_PAYLOAD_KEY_PREFIX';
const DEFAULT_THRESHOLD_BYTES = 262_144;

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; an ARN of an access point is taken
 * too
 */
const BUCKET_NAME = /^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9]|arn:[a-z0-9-]+:s3[A-Za-z0-9:/._-]*)$/;

const RULES: Readonly<Record<keyof S3PayloadStoreOptions, OptionRule>> = {
  bucket: { expected: 'the name of an S3 bucket', accepts: isBucketName },
  bucketOwner: { expected: 'the id of an AWS account, twelve digits', accepts: isAccountId },
  keyPrefix: {
    expected:
      "a beginning of S3 keys such as 'durable/': at most 256 of A-Z a-z 0-9 ! _ . * ' ( ) / -, no slash in front, no segment . or ..",
    accepts: (value) => typeof value === 'string' && KEY_PREFIX.test(value),
  },
  thresholdBytes: anInteger(1, MAX_MESSAGE_BYTES),
  client: { expected: 'an S3Client', accepts: isS3Client },
  clientConfig: aClientConfig,
};

/**
 * Keeps bodies that are too large for a message in S3, in the format of the Amazon SQS Extended Client Library.
 *
 * Needs the package `@aws-sdk/client-s3`, which is loaded when the first body is stored or read and not before. Nothing
 * is ever deleted: leave that to a lifecycle rule of the bucket, at 29 days or more (a message can be 14 days old when
 * it is parked, and stay parked for 14). With FIFO tasks queues, at 33: there a dead letter is kept for 14 days from
 * when it became one.
 * @throws ConfigurationError
 */
export function s3PayloadStore(options: S3PayloadStoreOptions = {}): PayloadStore {
  checkOptions(OWNER, options, RULES);
  const { thresholdBytes = DEFAULT_THRESHOLD_BYTES, client, clientConfig } = options;
  if (client !== undefined && clientConfig !== undefined) {
    throw new ConfigurationError(`${OWNER}: expected client or clientConfig, got both; a client already has its configuration`);
  }
  const bucket = options.bucket ?? bucketOfEnvironment(process.env);
  const bucketOwner = options.bucketOwner ?? optionOfEnvironment('bucketOwner', BUCKET_OWNER_VARIABLE, process.env);
  const keyPrefix = options.keyPrefix ?? optionOfEnvironment('keyPrefix', KEY_PREFIX_VARIABLE, process.env) ?? DEFAULT_KEY_PREFIX;
  /** A pointer of another program may name another bucket, whose owner is not known. */
  const objectOf = (pointer: PayloadPointer) => (pointer.bucket === bucket ? { ...pointer, bucketOwner } : pointer);

  let opened: ReturnType<typeof open> | undefined;
  const open = async () => {
    const s3 = await loadS3();
    return s3Api(s3, s3ClientOf(s3, client, clientConfig), S3_CALL_TIMEOUT_MS);
  };
  const api = () => {
    opened ??= open();
    return opened;
  };
  return {
    thresholdBytes,
    async put(body, about) {
      const pointer = { bucket, key: payloadKey(about, randomUUID(), keyPrefix) };
      await (await api()).write(objectOf(pointer), body);
      return pointer;
    },
    async get(pointer) {
      return (await api()).read(objectOf(pointer));
    },
  };
}

function s3ClientOf(s3: S3Module, client: S3ClientLike | undefined, config: S3ClientSettings | undefined): S3Client {
  if (isS3Client(client)) return client;
  // `undefined` of an optional setting reads to the SDK as a setting.
  const given = Object.entries({ ...config }).filter(([, value]) => value !== undefined);
  return new s3.S3Client(Object.fromEntries(given));
}

function bucketOfEnvironment(env: NodeJS.ProcessEnv): string {
  const name = env[BUCKET_VARIABLE];
  if (isBucketName(name)) return name;
  throw new ConfigurationError(
    name === undefined || name === ''
      ? `${OWNER}: expected the option bucket or the environment variable ${BUCKET_VARIABLE}, got neither`
      : `${OWNER}: expected ${BUCKET_VARIABLE} to be the name of an S3 bucket, got ${JSON.stringify(name)}`,
  );
}

/** An option as an environment variable gives it; an empty one gives nothing. */
function optionOfEnvironment(option: keyof typeof RULES, variable: string, env: NodeJS.ProcessEnv): string | undefined {
  const value = env[variable] || undefined;
  const { expected, accepts } = RULES[option];
  if (value === undefined || accepts(value)) return value;
  throw new ConfigurationError(`${OWNER}: expected ${variable} to be ${expected}, got ${JSON.stringify(value)}`);
}

function isAccountId(value: unknown): boolean {
  return typeof value === 'string' && /^\d{12}$/.test(value);
}

function isBucketName(value: unknown): value is string {
  return typeof value === 'string' && BUCKET_NAME.test(value);
}

function isS3Client(value: unknown): value is S3Client {
  return typeof value === 'object' && value !== null && 'send' in value && typeof value.send === 'function' && 'config' in value;
}
