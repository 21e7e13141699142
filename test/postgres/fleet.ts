import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isRecord } from '../../src/wire/shape.ts';
import { idOf, type Order, type ProcessOptions } from './messages.ts';

type Role = 'engine' | 'worker';

interface Member {
  readonly role: Role;
  readonly slot: number;
  readonly name: string;
  readonly child: ChildProcess;
  readonly orders: Map<string, Order>;
}

const SCRIPTS: Readonly<Record<Role, string>> = { engine: './engine-process.ts', worker: './step-worker.ts' };
/** An engine whose store refused an order says nothing: it gets the order again. */
const ORDER_AGAIN_AFTER_MS = 3_000;
/** What Kubernetes leaves a pod between SIGTERM and SIGKILL, unless told otherwise. */
export const GRACE_MS = 30_000;

/** The processes of the application: engines and workers. They can be killed, and replaced one by one. */
export class Fleet {
  readonly #options: Omit<ProcessOptions, 'name'>;
  readonly #members = new Set<Member>();
  readonly #given = new Map<string, { readonly order: Order; at: number }>();
  #generation = 0;
  #nextEngine = 0;
  readonly #retry = setInterval(() => this.#giveAgain(), 500);
  /** When a process was killed, epoch milliseconds. */
  readonly kills: number[] = [];
  /** How long each engine took from SIGTERM to its end, milliseconds; `Infinity` where it had to be killed. */
  readonly shutdowns: number[] = [];
  /** Processes that ended and were not told to. */
  readonly crashes: string[] = [];

  constructor(options: Omit<ProcessOptions, 'name'>) {
    this.#options = options;
  }

  async start(role: Role, slot: number): Promise<void> {
    this.#generation += 1;
    const name = `${role}-${slot}.${this.#generation}`;
    const child = fork(fileURLToPath(new URL(SCRIPTS[role], import.meta.url)), [JSON.stringify({ ...this.#options, name })], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const member: Member = { role, slot, name, child, orders: new Map() };
    const ready = once(child, 'message', { signal: AbortSignal.timeout(60_000) });
    child.on('exit', (code, signal) => {
      if (this.#members.delete(member)) this.crashes.push(`${name} ended by itself (${signal ?? code})`);
    });
    await ready;
    this.#members.add(member);
    child.on('message', (message: unknown) => {
      if (isRecord(message) && typeof message['done'] === 'string') this.#given.delete(message['done']);
    });
  }

  /** Gives an order to the engines in turn, until one of them has carried it out. */
  give(order: Order): void {
    this.#given.set(idOf(order), { order, at: Date.now() });
    const engines = [...this.#members].filter(({ role }) => role === 'engine');
    this.#nextEngine += 1;
    const engine = engines[this.#nextEngine % engines.length];
    if (engine?.child.connected) engine.child.send(order, () => undefined);
  }

  /** Gives an order at some time from now to `latestMs`. */
  giveLater(order: Order, latestMs: number): void {
    setTimeout(() => this.give(order), Math.random() * latestMs);
  }

  get openOrders(): number {
    return this.#given.size;
  }

  /** SIGKILL, and a successor at once. */
  async kill(role: Role, slot: number): Promise<void> {
    for (const member of this.#of(role, slot)) {
      this.#members.delete(member);
      this.kills.push(Date.now());
      member.child.kill('SIGKILL');
      await once(member.child, 'exit');
    }
    await this.start(role, slot);
  }

  /**
   * As a rolling restart replaces a pod: the successor first, then SIGTERM, and SIGKILL after Kubernetes' 30 seconds.
   */
  async replace(role: Role, slot: number): Promise<void> {
    const old = this.#of(role, slot);
    await this.start(role, slot);
    await Promise.all(old.map((member) => this.#terminate(member)));
  }

  async stop(): Promise<void> {
    clearInterval(this.#retry);
    await Promise.all([...this.#members].map((member) => this.#terminate(member)));
  }

  async #terminate(member: Member): Promise<void> {
    this.#members.delete(member);
    const startedAt = Date.now();
    const exited = once(member.child, 'exit');
    member.child.kill('SIGTERM');
    let killed = false;
    const timer = setTimeout(() => {
      killed = true;
      this.kills.push(Date.now());
      member.child.kill('SIGKILL');
    }, GRACE_MS);
    await exited;
    clearTimeout(timer);
    if (member.role === 'engine') this.shutdowns.push(killed ? Number.POSITIVE_INFINITY : Date.now() - startedAt);
  }

  #of(role: Role, slot: number): Member[] {
    return [...this.#members].filter((member) => member.role === role && member.slot === slot);
  }

  #giveAgain(): void {
    for (const { order, at } of [...this.#given.values()]) if (Date.now() - at > ORDER_AGAIN_AFTER_MS) this.give(order);
  }
}
