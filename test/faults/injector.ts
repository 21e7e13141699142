import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { DeliveryFaults, isOfDeliveries } from './delivery-faults.ts';
import { type Fault, type PlannedFault, planFault } from './fault-plan.ts';
import type { Ledger } from './ledger.ts';
import { hideFor, ReceivedMessages } from './received-messages.ts';
import { onRefused } from './refused-connections.ts';
import { errorAnswer, messagesOf, readCall, type SqsCall, withFailed } from './sqs-wire.ts';
import { type Answer, textOf, Upstream } from './upstream.ts';

export interface InjectorOptions {
  /** Port of the SQS server. */
  readonly upstreamPort: number;
  /** Share of requests that go wrong, 0 to 1. */
  readonly rate: number;
  readonly random: () => number;
  readonly ledger: Ledger;
  /** Most seconds for which a receive hides messages. @default what the caller asks for */
  readonly maxVisibilitySeconds?: number;
  /** Asked before each call is carried out: whether its caller's process dies with it, before SQS has it or after. */
  readonly fate?: (call: SqsCall) => 'dies before' | 'dies after' | undefined;
  /** Whether the call's connection is reset before SQS has it, whatever is drawn for it. */
  readonly cutOff?: (call: SqsCall) => boolean;
}

/** For how long a message stays hidden whose receive was lost: the test need not wait out what the caller asked for. */
const LOST_FOR_SECONDS = 3;
const SHORT_HOLD_MS = 1_500;
/**
 * A connection that is closed so soon after an answer may have been closed by a caller that had just given up, and read
 * nothing of it. On a busy machine the one thread of both stands still for half a second.
 */
const GIVEN_UP_WITHIN_MS = 1_000;

const KEPT_FROM_SQS: ReadonlySet<Fault> = new Set(['reset before', 'hang', 'HTTP 500', 'HTTP 503', 'throttled']);

/** An HTTP proxy in front of SQS, on 127.0.0.1, that does to requests what networks and SQS do on bad days. */
export class Injector {
  readonly #options: InjectorOptions;
  readonly #upstream: Upstream;
  readonly #deliveries: DeliveryFaults;
  readonly #server: Server;
  readonly #dead = new Set<string>();
  readonly #received = new ReceivedMessages();
  readonly #calmed = new AbortController();
  /** By connection: the call that was answered last, as long as no other has come on it. */
  readonly #answered = new WeakMap<Socket, { readonly call: SqsCall; readonly at: number }>();
  #hurried = false;
  #rate: number;
  #port = 0;

  constructor(options: InjectorOptions) {
    this.#options = options;
    this.#rate = options.rate;
    this.#upstream = new Upstream(options.upstreamPort);
    this.#deliveries = new DeliveryFaults(options.random, options.ledger, ({ ReceiptHandle }, { body }) => {
      // One that came again meanwhile has another receipt.
      hideFor(LOST_FOR_SECONDS, ReceiptHandle, String(body['QueueUrl']), this.#upstream).catch(() => undefined);
    });
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on('connection', (socket: Socket) => {
      socket.once('close', () => {
        const last = this.#answered.get(socket);
        if (last !== undefined && Date.now() - last.at < GIVEN_UP_WITHIN_MS) this.#options.ledger.unanswered(last.call);
      });
    });
    this.#server.keepAliveTimeout = 60_000;
  }

  async start(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address !== null && typeof address === 'object') this.#port = address.port;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** For one process of the test: the injector knows it by its access key id. */
  clientConfig(caller: string, config: SQSClientConfig = {}) {
    const credentials = { accessKeyId: caller, secretAccessKey: 'local' };
    return { endpoint: this.endpoint, region: 'us-east-1', credentials, ...config };
  }

  /**
   * The process is gone: nothing that it still sends arrives, and nothing comes back to it. What it had received soon
   * comes again.
   */
  kill(caller: string): void {
    if (this.#dead.has(caller)) return;
    this.#dead.add(caller);
    void this.#received.giveBack(caller, LOST_FOR_SECONDS, this.#upstream);
  }

  isDead(caller: string): boolean {
    return this.#dead.has(caller);
  }

  /** From now on nothing hangs for longer than a second and a half. */
  hurry(): void {
    this.#hurried = true;
  }

  /** From now on nothing goes wrong, so that the end can be looked at. */
  calm(): void {
    this.#rate = 0;
    this.#calmed.abort();
  }

  /** Nobody listens for a moment: connections are cut, new ones refused. */
  async refuseFor(ms: number): Promise<void> {
    const stopCounting = onRefused(this.#port, () => this.#options.ledger.mishap('connections refused'));
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
    await sleep(ms);
    await this.start();
    stopCounting();
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    this.#upstream.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined);
    this.#answered.delete(request.socket);
    try {
      const text = await textOf(request);
      await this.#carryOut(readCall(request.headers, text), text, request, response);
    } catch {
      // The caller has hung up, or SQS has been stopped.
      response.socket?.destroy();
    }
  }

  async #carryOut(call: SqsCall, text: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { random, ledger, fate, cutOff } = this.#options;
    const drawn = planFault(call, this.#rate, random);
    const planned: PlannedFault | undefined = cutOff?.(call) ? { fault: 'reset before', holdMs: 0 } : drawn;
    const death = this.isDead(call.caller) ? 'dies before' : fate?.(call);
    if (death !== undefined) this.kill(call.caller);
    if (death === 'dies before') return cut(response);
    ledger.request(call.action);
    if (planned !== undefined && death === undefined && !isOfDeliveries(planned.fault)) ledger.fault(planned.fault);

    if (planned !== undefined && death === undefined && (await this.#keptFromSqs(call, planned, response))) return;
    const kept = planned?.fault === 'Failed[] entries' ? someOf(call, random) : [];
    if (kept.length > 0) ledger.notSent(call, kept);
    const answer = await this.#forward(call, this.#shorter(call, without(text, call, kept), planned), request, response, planned);
    if (answer.status === 200) ledger.accepted(call, kept);
    if (answer.status === 200 && call.action.startsWith('Delete')) this.#received.deleted(call, kept);
    const whole = kept.length === 0 ? answer : { ...answer, body: withFailed(answer.body, kept, 'InternalError') };
    if (death === 'dies after' || planned?.fault === 'reset after' || planned?.fault === 'answer withheld') {
      // Written down first: the caller may draw its conclusions while the answer is held.
      ledger.unanswered(call);
      if (planned?.fault === 'answer withheld') await this.#held(planned, response);
      return cut(response);
    }
    const body =
      call.action === 'ReceiveMessage' && answer.status === 200 ? this.#deliveries.answer(call, whole.body, planned?.fault) : whole.body;
    if (call.action === 'ReceiveMessage') {
      ledger.delivered(call, messagesOf(body));
      this.#received.add(call, messagesOf(body));
    }
    // To a caller that has hung up, Node calls an answer written all the same.
    const hungUp = response.closed || response.destroyed;
    response.writeHead(whole.status, { ...whole.headers, 'content-length': Buffer.byteLength(body) });
    response.end(body);
    await ended(response);
    if (hungUp || !response.writableFinished) ledger.unanswered(call);
    else this.#answered.set(request.socket, { call, at: Date.now() });
  }

  #held({ holdMs }: PlannedFault, response: ServerResponse): Promise<void> {
    return held(this.#hurried ? Math.min(holdMs, SHORT_HOLD_MS) : holdMs, response, this.#calmed.signal);
  }

  #shorter(call: SqsCall, text: string, planned: PlannedFault | undefined): string {
    if (call.action !== 'ReceiveMessage') return text;
    const { maxVisibilitySeconds = Number.POSITIVE_INFINITY } = this.#options;
    const lost = planned?.fault === 'reset after' || planned?.fault === 'answer withheld';
    const most = Math.min(maxVisibilitySeconds, lost ? LOST_FOR_SECONDS : Number.POSITIVE_INFINITY);
    const asked = call.body['VisibilityTimeout'];
    // A receive that asks for nothing has the queue's own.
    if (!Number.isFinite(most) || (typeof asked === 'number' && asked <= most)) return text;
    return JSON.stringify({ ...call.body, VisibilityTimeout: most });
  }

  /** Faults that happen before SQS; true where the request is over. */
  async #keptFromSqs(call: SqsCall, planned: PlannedFault, response: ServerResponse): Promise<boolean> {
    const { fault } = planned;
    const { ledger, random } = this.#options;
    if (KEPT_FROM_SQS.has(fault)) ledger.notSent(call);
    switch (fault) {
      case 'hang':
        await this.#held(planned, response);
        cut(response);
        break;
      case 'reset before':
        cut(response);
        break;
      case 'HTTP 503':
        // What a load balancer answers is no JSON.
        response.writeHead(503, { 'content-type': 'text/html' });
        response.end('<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>');
        break;
      case 'HTTP 500':
        answerWith(response, errorAnswer(500, 'InternalFailure'));
        break;
      case 'throttled':
        // Both spellings are seen on AWS.
        answerWith(response, random() < 0.5 ? errorAnswer(400, 'ThrottlingException') : errorAnswer(403, 'RequestThrottled'));
        break;
      default:
        return false;
    }
    return true;
  }

  async #forward(call: SqsCall, text: string, request: IncomingMessage, response: ServerResponse, planned?: PlannedFault): Promise<Answer> {
    const gone = new AbortController();
    // A long poll whose caller has hung up is not answered, as on SQS; everything else is carried out all the same.
    if (call.action === 'ReceiveMessage') response.on('close', () => gone.abort());
    const empty: Answer = { status: 200, headers: { 'content-type': 'application/x-amz-json-1.0' }, body: '{}' };
    if (text === '') return empty;
    const answer = await this.#upstream.send(request.headers, text, gone.signal);
    if (planned?.fault === 'sent twice') {
      this.#options.ledger.sentTwice(call);
      await this.#upstream.send(request.headers, text);
    }
    if (call.action === 'ReceiveMessage') this.#options.ledger.receipts(messagesOf(answer.body));
    return answer;
  }
}

/** Ids of about half of the entries, one at least. */
function someOf({ entries }: SqsCall, random: () => number): string[] {
  const ids = entries.flatMap(({ id }) => id ?? []);
  const some = ids.filter(() => random() < 0.5);
  return some.length > 0 ? some : ids.slice(0, 1);
}

/** The request without some entries; empty where none is left. */
function without(text: string, { body }: SqsCall, kept: readonly string[]): string {
  const { Entries } = body;
  if (kept.length === 0 || !Array.isArray(Entries)) return text;
  const left: unknown[] = Entries.filter((entry: { readonly Id?: string }) => !kept.includes(entry.Id ?? ''));
  return left.length === 0 ? '' : JSON.stringify({ ...body, Entries: left });
}

function answerWith(response: ServerResponse, { status, headers, body }: ReturnType<typeof errorAnswer>): void {
  response.writeHead(status, headers);
  response.end(body);
}

function cut(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}

/** Waits, but not once the caller has hung up or the signal has come. */
async function held(ms: number, response: ServerResponse, signal: AbortSignal): Promise<void> {
  await Promise.race([sleep(ms, undefined, { signal, ref: false }).catch(() => undefined), ended(response)]);
}

function ended(response: ServerResponse): Promise<void> {
  if (response.closed || response.destroyed) return Promise.resolve();
  return new Promise((resolve) => response.once('close', () => resolve()));
}
