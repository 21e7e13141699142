import type { StateStore } from '@dudousxd/nestjs-durable-core';

const NOTED: readonly string[] = [
  'updateRun',
  'saveCheckpoint',
  'tryLockRun',
  'releaseRunLock',
  'takeSignalWaiter',
  'takeBufferedSignal',
  'putSignalWaiter',
];

/** What is gone where its answer does not come is noted when it is asked for, too. */
const TAKES: readonly string[] = ['takeBufferedSignal'];

/** A store that notes what is written of a run, when it has landed: for the history of a run that went wrong. */
export function traced(store: StateStore, note: (line: string) => void): StateStore {
  return new Proxy(store, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== 'function') return member;
      if (!NOTED.includes(String(property))) return (...args: unknown[]) => Reflect.apply(member, target, args);
      return async (...args: unknown[]) => {
        const startedAt = Date.now();
        const what = `${describe(args)} ${String(property)}`;
        if (TAKES.includes(String(property))) note(`${what} is asked for`);
        try {
          const result: unknown = await Reflect.apply(member, target, args);
          note(`${what}${result === undefined ? '' : ` -> ${JSON.stringify(result)}`} (${Date.now() - startedAt} ms)`);
          return result;
        } catch (error) {
          note(`${what} rejects: ${String(error)} (${Date.now() - startedAt} ms)`);
          throw error;
        }
      };
    },
  });
}

/** Run id first, then what of the rest tells the state. */
function describe([subject, patch]: readonly unknown[]): string {
  if (typeof subject === 'string') {
    const fields = typeof patch === 'object' && patch !== null ? patch : {};
    const status = 'status' in fields ? ` ${String(fields.status)}` : '';
    const wakeAt = 'wakeAt' in fields && typeof fields.wakeAt === 'number' ? ` wakes in ${fields.wakeAt - Date.now()} ms` : '';
    return `${subject}${status}${wakeAt}`;
  }
  if (typeof subject !== 'object' || subject === null || !('runId' in subject)) return '?';
  const position = 'seq' in subject ? ` ${String(subject.seq)}` : '';
  const name = 'name' in subject ? ` ${String(subject.name)}` : '';
  const status = 'status' in subject ? ` ${String(subject.status)}` : '';
  return `${String(subject.runId)}${position}${name}${status}`;
}
