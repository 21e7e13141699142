import { readFileSync } from 'node:fs';
import type { Finding } from '../findings.ts';
import { signalOf } from '../workload.ts';
import type { Kill } from './engine-function.ts';
import { HEALING } from './healing.ts';

/**
 * What accounts for a finding of a scenario whose environments are killed; of nothing else:
 * - a step ran twice, and an environment died after its first execution, in an invocation that had to do with its run
 * - a run waits for a signal that an environment had taken from the store when it died, or was about to: the engine
 * takes it before it saves it
 * - a step ran twice that was sent again by `remoteRedispatchMs`, as its result came
 * - the run that was to continue another one was never started: the environment that had ended that one died
 */
export function withCauses(
  findings: readonly Finding[],
  kills: readonly Kill[],
  beganAt: (id: string) => number,
  trace: string,
): Finding[] {
  const lines = readFileSync(trace, 'utf8').split('\n');
  return findings.map((finding) => {
    const runId = finding.id.split(':')[0] ?? '';
    const since = beganAt(finding.id);
    const diedWith = (what: string) => kills.find((kill) => lines.some((line) => isOfInvocation(line, kill) && line.includes(what)));
    if (finding.wrong === 'asleep') {
      const isSaved = lines.some((line) => line.includes(`signal:${signalOf(runId)} completed saveCheckpoint`));
      const take = `${signalOf(runId)} takeBufferedSignal`;
      const kill = isSaved ? undefined : (diedWith(`${take} -> {`) ?? kills.find((one) => diedAsking(lines, one, take)));
      return kill === undefined ? finding : { ...finding, cause: `${kill.environment} was killed with the signal that it had taken` };
    }
    if (finding.wrong === 'lost' && finding.continues !== undefined) {
      const kill = diedWith(`${finding.continues} completed updateRun`);
      return kill === undefined ? finding : { ...finding, cause: `${kill.environment} was killed when it had ended the run before` };
    }
    if (finding.wrong !== 'twice') return finding;
    const kill = kills.find(
      (one) => one.at > since && (one.runIds.includes(runId) || lines.some((line) => isOfInvocation(line, one) && line.includes(runId))),
    );
    if (kill !== undefined) return { ...finding, cause: `${kill.environment} was killed in an invocation of its run` };
    return wasSentAgain(lines, finding.id) ? { ...finding, cause: 'it was sent again by remoteRedispatchMs, as its result came' } : finding;
  });
}

/**
 * Whether the step was sent again by its deadline: the engine saves then that it is out, and tells of no start. Of an
 * undo it does, so there the deadline must have passed.
 * @param id `<step id> <attempt>`
 */
function wasSentAgain(lines: readonly string[], id: string): boolean {
  const [runId, seq] = id.split(/[: ]/);
  const isOf = (line: string, what: string) => line.includes(` ${runId} ${what}`);
  const saved = lines.filter((line) => isOf(line, `${seq} `) && line.includes(' pending saveCheckpoint'));
  const started = lines.filter((line) => isOf(line, `event step.started ${seq}`));
  if (Number(seq) >= 0) return saved.length > started.length;
  const times = saved.map((line) => Number(line.split(' ', 1)[0])).toSorted((one, other) => one - other);
  return times.some((at, index) => at - (times[index - 1] ?? at) >= HEALING.remoteRedispatchMs);
}

/** Whether an environment died before the store had answered for the last time that it took something. */
function diedAsking(lines: readonly string[], kill: Kill, take: string): boolean {
  const ofTake = lines.filter((line) => isOfInvocation(line, kill) && line.includes(take));
  return ofTake.at(-1)?.endsWith('is asked for') ?? false;
}

/** Whether a line is of the invocation that an environment died in. */
function isOfInvocation(line: string, { environment, startedAt, at }: Kill): boolean {
  const [time, name] = line.split(' ', 2);
  return name === environment && Number(time) >= startedAt && Number(time) <= at;
}
