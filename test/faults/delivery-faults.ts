import type { Fault } from './fault-plan.ts';
import type { Ledger } from './ledger.ts';
import { deliveredAgain, messagesOf, type SqsCall, type SqsMessage } from './sqs-wire.ts';

/** Messages that can be delivered once more, per queue. */
const REMEMBERED = 50;
/** Kept back for a later answer at most this long: well within any visibility timeout of the test. */
const KEPT_BACK_MS = 1_000;

/** Counted where they come about: most answers have no message to deliver twice, or no second one to change places with. */
export function isOfDeliveries(fault: Fault): boolean {
  return fault === 'delivered twice' || fault === 'reordered';
}

/** What a standard queue may do to deliveries: the same message twice, and any order. */
export class DeliveryFaults {
  readonly #random: () => number;
  readonly #ledger: Ledger;
  readonly #seen = new Map<string, SqsMessage[]>();
  readonly #keptBack = new Map<string, { readonly message: SqsMessage; readonly since: number }[]>();

  constructor(random: () => number, ledger: Ledger) {
    this.#random = random;
    this.#ledger = ledger;
  }

  /** The body of an answer to `ReceiveMessage`, faulty or not. */
  answer(call: SqsCall, text: string, fault: Fault | undefined): string {
    const { queue, body } = call;
    const fresh = messagesOf(text);
    const room = Number(body['MaxNumberOfMessages'] ?? 1);
    let messages = this.#keptBackFor(queue, fresh, room);
    if (fault === 'reordered') messages = this.#reordered(queue, messages);
    if (fault === 'delivered twice') messages = this.#withRepeat(call, messages, room);
    const seen = [...(this.#seen.get(queue) ?? []), ...fresh];
    this.#seen.set(queue, seen.slice(-REMEMBERED));
    return messages === fresh ? text : JSON.stringify(messages.length === 0 ? {} : { Messages: messages });
  }

  #keptBackFor(queue: string, fresh: SqsMessage[], room: number): SqsMessage[] {
    const kept = this.#keptBack.get(queue) ?? [];
    if (kept.length === 0 || fresh.length >= room) return fresh;
    const young = kept.filter(({ since }) => Date.now() - since < KEPT_BACK_MS).slice(0, room - fresh.length);
    this.#keptBack.set(queue, []);
    return [...fresh, ...young.map(({ message }) => message)];
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
