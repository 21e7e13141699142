import { checkReceived, checkSent } from '../../src/sqs/checksums.ts';
import { endpointOf } from '../../src/sqs/endpoint.ts';
import type { HttpAnswer, HttpLimits, HttpPost } from '../../src/sqs/http-connections.ts';
import { openSqs } from '../../src/sqs/open-sqs.ts';
import { signedOperations } from '../../src/sqs/signed-operations.ts';
import type { SqsOperations } from '../../src/sqs/sqs-operations.ts';
import { systemTiming } from '../../src/time.ts';
import { type Respond, type SdkRequest, stubbedClient } from './stub-request-handler.ts';

export const REGION = 'eu-west-1';
export const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' };

export interface Stand {
  readonly operations: SqsOperations;
  /** What SQS was asked, in order. */
  readonly requests: readonly SdkRequest[];
}

/**
 * Each implementation of `SqsOperations`, by name: its requests end in `respond` instead of the network. Neither tries
 * again.
 */
export const IMPLEMENTATIONS: readonly [name: string, open: (respond: Respond) => Stand][] = [
  ['over the AWS SDK', overSdk],
  ['by signed requests', bySignedRequests],
];

function overSdk(respond: Respond): Stand {
  const { client, requests } = stubbedClient(respond);
  return { operations: openSqs({ client }), requests };
}

function bySignedRequests(respond: Respond): Stand {
  const requests: SdkRequest[] = [];
  const post = async ({ url, headers, body }: HttpPost, { signal }: HttpLimits): Promise<HttpAnswer> => {
    const operation = (headers['x-amz-target'] ?? '').replace('AmazonSQS.', '');
    const request = { operation, input: JSON.parse(body), hostname: url.hostname, requestTimeout: undefined, abortSignal: signal };
    requests.push(request);
    const answer = await respond(request);
    if (answer instanceof Error) throw answer;
    const { status = 200, body: answered = {}, headers: more = {}, queryError } = answer;
    return {
      status,
      headers: { ...more, ...(queryError === undefined ? {} : { 'x-amzn-query-error': `${queryError};Sender` }) },
      body: typeof answered === 'string' ? answered : JSON.stringify(answered),
    };
  };
  let now = 0;
  const operations = signedOperations({
    credentials: () => CREDENTIALS,
    endpoint: (queueUrl) => endpointOf(queueUrl, { region: REGION }),
    region: async () => REGION,
    checks: { SendMessageBatch: checkSent, ReceiveMessage: checkReceived },
    connections: { post, destroy: () => undefined },
    // So late that no further try begins.
    timing: { ...systemTiming, now: () => (now += 60_000) },
    env: {},
  });
  return { operations, requests };
}
