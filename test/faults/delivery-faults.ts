import type { Fault } from './fault-plan.ts';
import type { Ledger } from './ledger.ts';
import { deliveredAgain, messagesOf, type SqsCall, type SqsMessage } from './sqs-wire.ts';

/** Messages that can be delivered once more, per queue. */
const REMEMBERED = 50;
/** Kept back for a later answer at most this long: well within any visibility timeout of the test. */
const KEPT_BACK_MS = 1_000;

/**
 * Counted where they come about: most answers have no message to deliver twice, or no second one to change places with.
 */
export function isOfDeliveries(fault: Fault): boolean {
  return fault === 'delivered twice' || fault === 'reordered';
}

/** What a standard queue may do to deliveries: the same message twice, and any order. */
export class DeliveryFaults {
  readonly #random: () => number;
  readonly #ledger: Ledger;
  readonly #giveBack: (message: SqsMessage, call: SqsCall) => void;
  readonly #seen = new Map<string, SqsMessage[]>();
  readonly #keptBack = new Map<string, { readonly message: SqsMessage; readonly since: number }[]>();

  /** @param giveBack told of a message that was kept back for too long: nobody has it, so SQS is to deliver it again */
  constructor(random: () => number, ledger: Ledger, giveBack: (message: SqsMessage, call: SqsCall) => void) {
    this.#random = random;
    this.#ledger = ledger;
    this.#giveBack = giveBack;
  }

  /** The body of an answer to `ReceiveMessage`, faulty or not. */
  answer(call: SqsCall, text: string, fault: Fault | undefined): string {
    const { queue, body } = call;
    const fresh = messagesOf(text);
    const room = Number(body['MaxNumberOfMessages'] ?? 1);
    let messages = this.#withKeptBack(call, fresh, room);
    if (fault === 'reordered') messages = this.#reordered(queue, messages);
    if (fault === 'delivered twice') messages = this.#withRepeat(call, messages, room);
    const seen = [...(this.#seen.get(queue) ?? []), ...fresh];
    this.#seen.set(queue, seen.slice(-REMEMBERED));
    return messages === fresh ? text : JSON.stringify(messages.length === 0 ? {} : { Messages: messages });
  }

  #withKeptBack(call: SqsCall, fresh: SqsMessage[], room: number): SqsMessage[] {
    const kept = this.#keptBack.get(call.queue) ?? [];
    if (kept.length === 0) return fresh;
    const isYoung = ({ since }: { readonly since: number }) => Date.now() - since < KEPT_BACK_MS;
    for (const { message } of kept.filter((one) => !isYoung(one))) this.#giveBack(message, call);
    const young = kept.filter(isYoung);
    const now = young.splice(0, Math.max(0, room - fresh.length));
    this.#keptBack.set(call.queue, young);
    return now.length === 0 ? fresh : [...fresh, ...now.map(({ message }) => message)];
  }

  #reordered(queue: string, messages: readonly SqsMessage[]): SqsMessage[] {
    const shuffled = [...messages].map((message) => ({ message, at: this.#random() })).sort((a, b) => a.at - b.at);
    const [first, ...rest] = shuffled.map(({ message }) => message);
    if (first === undefined || rest.length === 0) return first === undefined ? [] : [first];
    this.#ledger.fault('reordered');
    this.#keptBack.set(queue, [...(this.#keptBack.get(queue) ?? []), { message: first, since: Date.now() }]);
    return rest;
  }

  #withRepeat(call: SqsCall, messages: SqsMessage[], room: number): SqsMessage[] {
    const present = new Set(messages.map(({ MessageId }) => MessageId));
    const known = (this.#seen.get(call.queue) ?? []).filter(({ MessageId }) => !present.has(MessageId));
    const again = known[Math.floor(this.#random() * known.length)];
    if (again === undefined || messages.length >= room) return messages;
    this.#ledger.fault('delivered twice');
    this.#ledger.deliveredTwice(call, again);
    return [...messages, deliveredAgain(again)];
  }
}
