import { readFileSync } from 'node:fs';
import type { Finding } from '../findings.ts';
import type { Kill } from './engine-function.ts';

/**
 * What ran twice has its cause where an environment died after its first execution, in the midst of an invocation that had to do with its
 * run. No other finding has one: what a death leaves behind is to come right.
 */
export function withCauses(
  findings: readonly Finding[],
  kills: readonly Kill[],
  beganAt: (id: string) => number,
  trace: string,
): Finding[] {
  return findings.map((finding) => {
    if (finding.wrong !== 'twice') return finding;
    const runId = finding.id.split(':')[0] ?? '';
    const since = beganAt(finding.id);
    const kill = kills.find((one) => one.at > since && (one.runIds.includes(runId) || touched(runId, one, trace)));
    return kill === undefined ? finding : { ...finding, cause: `${kill.environment} was killed in an invocation of its run` };
  });
}

/** Whether an environment wrote anything of a run in the invocation that it died in. */
function touched(runId: string, { environment, startedAt, at }: Kill, trace: string): boolean {
  return readFileSync(trace, 'utf8')
    .split('\n')
    .some((line) => {
      const [time, name] = line.split(' ', 2);
      const isOfInvocation = name === environment && Number(time) >= startedAt && Number(time) <= at;
      return isOfInvocation && line.includes(runId);
    });
}
