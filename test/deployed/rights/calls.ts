import { readFileSync } from 'node:fs';
import type { AwsAddress } from '../server/aws-server.ts';
import type { Holder, Right } from './held-rights.ts';

/** A right, and who may have asked for it. */
interface AskedRight extends Right {
  readonly holder: Pick<Holder, 'kind' | 'name'>;
}

/** Who has called what: a line of the server's book, written once for each such call. */
interface Call extends Right {
  readonly kind: string;
  readonly name: string;
  readonly allowed: boolean;
}

/**
 * Refused for every queue that is not there; and what an engine outside AWS asks then, for a message that names the
 * queues that are.
 */
const LOOK_UPS = ['sqs:GetQueueUrl', 'sqs:ListQueues'];

/** What roles and users were refused so far, look-ups aside. */
export function refusals({ callsFile }: AwsAddress, names: readonly string[]): string[] {
  const refused = calls(callsFile).filter(({ name, action, allowed }) => !allowed && names.includes(name) && !LOOK_UPS.includes(action));
  return refused.map(({ name, action, resource }) => `${name}: ${action} ${resource}`);
}

/** Whether a right was asked for by its holder since the server started, and what the answer was. */
export function wasAsked({ holder, action, resource }: AskedRight, { callsFile }: AwsAddress, answer: 'allowed' | 'refused'): boolean {
  return calls(callsFile).some(
    (call) =>
      call.allowed === (answer === 'allowed') &&
      call.kind === holder.kind &&
      call.name === holder.name &&
      call.action === action &&
      covers(resource, call.resource),
  );
}

function calls(callsFile: string): Call[] {
  return readFileSync(callsFile, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

function covers(pattern: string, arn: string): boolean {
  return pattern.endsWith('*') ? arn.startsWith(pattern.slice(0, -1)) : arn === pattern;
}
