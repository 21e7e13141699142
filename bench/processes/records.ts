/** The worker alone: batches through every handler in turn, with no network. */
import { lambdaContext } from 'durable-sqs-lambda/local';
import { deployedHandlers } from '../peers/deployed-handlers.ts';
import { type FakeSender, recordHandlers } from '../peers/record-handlers.ts';
import { taskEvent } from '../peers/sqs-event.ts';
import { type Fields, numberOf } from './fields.ts';
import { serveCommands } from './serve-commands.ts';

let sent = 0;
const sender: FakeSender = {
  async send() {
    sent += 1;
  },
};
const { ours: oursUnbundled, ...peers } = recordHandlers(sender);
const deployed = await deployedHandlers(sender);
const allHandlers = Object.entries({
  ours: deployed['ours'],
  ...peers,
  'ours-unbundled': oursUnbundled,
  'hand-written-lean': deployed['hand-written'],
});

/**
 * Microseconds per record: one figure per handler and round. Handlers take turns, and each round begins with the next
 * one.
 */
async function measure(fields: Fields): Promise<Fields> {
  const only = fields['only'];
  const handlers = allHandlers.filter(([name]) => only === undefined || name === only);
  const batch = numberOf(fields, 'batch');
  const rounds = numberOf(fields, 'rounds');
  const invocations = Math.max(1, Math.round(numberOf(fields, 'recordsPerRound') / batch));
  const event = taskEvent(batch);
  const samples: Record<string, number[]> = Object.fromEntries(handlers.map(([name]) => [name, []]));
  // Below zero: warm-up.
  for (let round = -Math.ceil(rounds / 4); round < rounds; round += 1) {
    for (let turn = 0; turn < handlers.length; turn += 1) {
      const [name, handler] = handlers[(turn + Math.abs(round)) % handlers.length] ?? [];
      if (name === undefined || handler === undefined) continue;
      const sentBefore = sent;
      // Made by Lambda, not by a handler: before the clock starts, or it would hide a part of every difference.
      const contexts = Array.from({ length: invocations }, () => lambdaContext({ functionName: 'bench', timeoutMs: 30_000 }));
      const startedAt = performance.now();
      for (const context of contexts) await handler(event, context);
      const microseconds = (performance.now() - startedAt) * 1000;
      if (sent - sentBefore !== invocations * batch) throw new Error(`${name} sent ${sent - sentBefore} results of ${invocations * batch}`);
      if (round >= 0) samples[name]?.push(microseconds / (invocations * batch));
    }
  }
  return samples;
}

serveCommands({ measure });
