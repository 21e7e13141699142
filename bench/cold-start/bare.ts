import { createHash, createHmac } from 'node:crypto';
import type { RemoteTask, StepResult } from '@dudousxd/nestjs-durable-core';
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';

const { Agent, request } = process.getBuiltinModule('node:http');
const agent = new Agent({ keepAlive: true });

/**
 * The least that a worker has to do: parse, answer, sign, send over `node:http`. Nothing is checked, caught, logged or
 * tried again.
 */
export async function handler({ Records }: SQSEvent): Promise<SQSBatchResponse> {
  await Promise.all(Records.map(answer));
  return { batchItemFailures: [] };
}

async function answer({ body }: SQSRecord): Promise<void> {
  const { runId, seq, stepId }: RemoteTask = JSON.parse(body);
  const output = { chargeId: `ch_${createHash('sha256').update(stepId).digest('hex').slice(0, 16)}` };
  const result: StepResult = { runId, seq, stepId, status: 'completed', output };
  await send(JSON.stringify({ QueueUrl: environment('DURABLE_RESULTS_QUEUE_URL'), MessageBody: JSON.stringify(result) }));
}

function send(body: string): Promise<void> {
  const url = new URL(environment('AWS_ENDPOINT_URL_SQS'));
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers: signed(url.host, body) }, (response) => {
      response.resume();
      response.once('end', () => (response.statusCode === 200 ? resolve() : reject(new Error(`status ${response.statusCode}`))));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function signed(host: string, body: string) {
  const time = new Date().toISOString().replace(/[:-]|\.\d{3}/g, '');
  const scope = `${time.slice(0, 8)}/${environment('AWS_REGION')}/sqs/aws4_request`;
  const headers = {
    'content-type': 'application/x-amz-json-1.0',
    host,
    'x-amz-date': time,
    'x-amz-security-token': environment('AWS_SESSION_TOKEN'),
    'x-amz-target': 'AmazonSQS.SendMessage',
  };
  const names = Object.keys(headers).join(';');
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  const canonical = ['POST', '/', '', lines.join(''), names, sha256(body)].join('\n');
  const key = scope
    .split('/')
    .reduce<Buffer>((before, part) => hmac(before, part), Buffer.from(`AWS4${environment('AWS_SECRET_ACCESS_KEY')}`));
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')).toString('hex');
  const credential = `${environment('AWS_ACCESS_KEY_ID')}/${scope}`;
  return {
    ...headers,
    'content-length': Buffer.byteLength(body),
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

function environment(name: string): string {
  return process.env[name] ?? '';
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
