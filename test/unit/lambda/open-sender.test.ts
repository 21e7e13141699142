import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openSender, prepareSender, signedSettings } from '../../../src/lambda/open-sender.ts';
import { stubbedClient } from '../../support/stub-request-handler.ts';

const LAMBDA = { AWS_REGION: 'eu-west-1', AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret' };
const keys = { accessKeyId: 'a', secretAccessKey: 's' };

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the sender of our own', () => {
  it.each<[string, SQSClientConfig, NodeJS.ProcessEnv, unknown]>([
    ['what Lambda sets', {}, LAMBDA, {}],
    ['a region', { region: 'us-east-1' }, { ...LAMBDA, AWS_REGION: '' }, { region: 'us-east-1' }],
    ['an endpoint', { endpoint: 'http://127.0.0.1:1' }, LAMBDA, { endpoint: 'http://127.0.0.1:1' }],
    ['fixed credentials', { region: 'us-east-1', credentials: keys }, {}, { region: 'us-east-1', credentials: keys }],
  ])('serves %s', (_what, clientConfig, env, expected) => {
    expect(signedSettings({ clientConfig }, env)).toEqual(expected);
  });

  it.each<[string, SQSClientConfig, NodeJS.ProcessEnv]>([
    ['no credentials in the environment', {}, { AWS_REGION: 'eu-west-1' }],
    ['half of them', {}, { ...LAMBDA, AWS_SECRET_ACCESS_KEY: '' }],
    ['credentials of a container', {}, { ...LAMBDA, AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1' }],
    ['a profile', {}, { ...LAMBDA, AWS_PROFILE: 'dev' }],
    ['no region', {}, { ...LAMBDA, AWS_REGION: '' }],
    ['FIPS endpoints', {}, { ...LAMBDA, AWS_USE_FIPS_ENDPOINT: 'true' }],
    ['dual-stack endpoints', {}, { ...LAMBDA, AWS_USE_DUALSTACK_ENDPOINT: 'true' }],
    ['a region that is looked up', { region: async () => 'us-east-1' }, LAMBDA],
    ['credentials that are looked up', { credentials: async () => keys }, LAMBDA],
    ['credentials that expire', { credentials: { ...keys, expiration: new Date() } }, LAMBDA],
    ['anything else in the configuration', { maxAttempts: 5 }, LAMBDA],
  ])('gives way to the SDK for %s', (_what, clientConfig, env) => {
    expect(signedSettings({ clientConfig }, env)).toBeUndefined();
  });

  it('stays unused if a client is given', async () => {
    const { client, requests } = stubbedClient(() => ({ body: { QueueUrl: 'https://sqs.eu-west-1.amazonaws.com/1/q' } }));
    expect(signedSettings({ client }, LAMBDA)).toBeUndefined();
    const sender = await openSender({ client }, LAMBDA);
    expect(await sender.findQueueUrl('q')).toBe('https://sqs.eu-west-1.amazonaws.com/1/q');
    expect(requests).toHaveLength(1);
  });
});

describe('what is loaded ahead', () => {
  it('amounts to nothing outside of a Lambda runtime, and to nothing that the SDK would load by itself', () => {
    const load = vi.spyOn(process, 'getBuiltinModule');
    prepareSender({}, LAMBDA);
    prepareSender({ clientConfig: { maxAttempts: 1 } }, { ...LAMBDA, AWS_LAMBDA_RUNTIME_API: '127.0.0.1:9001' });
    expect(load).not.toHaveBeenCalled();
  });

  it.each([
    [undefined, ['node:https', 'node:tls']],
    ['https://sqs.eu-west-1.amazonaws.com/1/q', ['node:https', 'node:tls']],
    ['http://127.0.0.1:9324/1/q', ['node:http']],
  ])('covers what requests to %s need', (resultsQueueUrl, modules) => {
    const load = vi.spyOn(process, 'getBuiltinModule');
    prepareSender({ resultsQueueUrl }, { ...LAMBDA, AWS_LAMBDA_RUNTIME_API: '127.0.0.1:9001' });
    expect(load.mock.calls.map(([name]) => name)).toEqual(modules);
  });
});
