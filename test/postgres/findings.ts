import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { StateStore, StepCheckpoint, WorkflowRun } from '@dudousxd/nestjs-durable-core';
import { isRecord } from '../../src/wire/shape.ts';
import { type Execution, readExecutions } from './executions.ts';
import { expectedOf, lastRunIdOf, type Run, signalOf, UNDONE } from './workload.ts';

/** Every way in which a run, or a step, ends otherwise than it should. */
export const WRONGS = ['asleep', 'lost', 'wrong', 'timed out', 'twice'] as const;
export type Wrong = (typeof WRONGS)[number];

export interface Finding {
  readonly wrong: Wrong;
  /** A run id; `<step id> <attempt>` of what ran twice. */
  readonly id: string;
  readonly what: string;
  /** Of a run that was never started: the run that it was to continue. */
  readonly continues?: string;
  /** What accounts for it; absent where nothing does. */
  readonly cause?: string;
}

export interface Evidence {
  readonly executions: string;
  /** When processes were killed, epoch milliseconds. */
  readonly kills: readonly number[];
  /** When the database or SQS was out of reach, epoch milliseconds. */
  readonly outages: readonly number[];
}

/**
 * A process that dies leaves what it was doing at that moment: so long before and after it a loose end may have begun.
 */
const DISTURBED_MS = 2_500;

/** Judges all runs. `open` are those that had not ended when everything was quiet. */
export async function findingsOf(runs: readonly Run[], open: readonly string[], store: StateStore, evidence: Evidence): Promise<Finding[]> {
  const executions = readExecutions(evidence.executions);
  const findings: Finding[] = [];
  const opened = new Set(open);
  for (const runId of open) {
    // A parent waits for its child, which is among them.
    if (open.some((id) => id.startsWith(`${runId}.`))) continue;
    const isJudgedBelow = runs.some((run) => run.runId === runId) && (await store.getRun(runId))?.status === 'failed';
    if (isJudgedBelow) opened.delete(runId);
    else findings.push(await openRun(runId, store, executions, evidence));
  }
  for (const run of runs) {
    const runId = lastRunIdOf(run);
    if (opened.has(run.runId) || opened.has(runId)) continue;
    const ended = await store.getRun(runId);
    const found =
      ended === null
        ? await neverStarted(run, store, evidence)
        : (endedRun(run, ended) ?? (await undoneOtherwise(run, store, executions, evidence)));
    if (found !== undefined) findings.push(found);
  }
  return [...findings, ...twice(executions, evidence)];
}

async function openRun(runId: string, store: StateStore, executions: Map<string, Execution[]>, evidence: Evidence): Promise<Finding> {
  const run = await store.getRun(runId);
  const checkpoints = await store.listCheckpoints(runId);
  const steps = checkpoints.map(({ seq, status, attempts }) => `${seq} ${status}${attempts > 1 ? ` (${attempts})` : ''}`).join(', ');
  const wakes = run?.wakeAt === undefined ? '' : `, wakes in ${Math.round((run.wakeAt - Date.now()) / 1000)} s`;
  const what = `${run?.status}${wakes}; steps: ${steps || 'none'}`;
  const pending = checkpoints.filter(({ kind, status }) => kind === 'remote' && status === 'pending');
  const wrong: Wrong = pending.length > 0 ? 'lost' : 'asleep';
  const causeOfSleep = async () => causeAt(run?.updatedAt.getTime(), evidence) ?? causeAt(await untoldEnd(checkpoints, store), evidence);
  const cause = wrong === 'lost' ? causeOfLoss(pending, executions, evidence) : await causeOfSleep();
  return { wrong, id: runId, what, ...(cause === undefined ? {} : { cause }) };
}

const CHILD = 'signal:child:';

/** When a child ended whose parent was never told: the engine tells it once, after the child's end is written. */
async function untoldEnd(checkpoints: readonly StepCheckpoint[], store: StateStore): Promise<number | undefined> {
  const untold = checkpoints.find(({ name, status }) => name.startsWith(CHILD) && status === 'running');
  return untold && (await store.getRun(untold.name.slice(CHILD.length)))?.updatedAt.getTime();
}

/** A step whose checkpoint says that it was dispatched. */
function causeOfLoss(pending: readonly StepCheckpoint[], executions: Map<string, Execution[]>, evidence: Evidence): string | undefined {
  const causes = pending.map(({ stepId, attempts, enqueuedAt }) => {
    const ran = executions.has(`${stepId} ${attempts}`);
    return ran ? undefined : causeAt(enqueuedAt.getTime(), evidence);
  });
  return causes.every((cause) => cause !== undefined) ? `${causes[0]}, between a checkpoint and its send` : undefined;
}

/** The engine ends a run with `continueAsNew`, and then starts the one that continues it. */
async function neverStarted(run: Run, store: StateStore, { kills }: Evidence): Promise<Finding> {
  const id = lastRunIdOf(run);
  const before = id === run.runId ? null : await store.getRun(run.runId);
  if (before === null) return { wrong: 'lost', id, what: 'it is not in the store' };
  const finding = { wrong: 'lost', id, what: `${run.runId} is ${before.status}, and it was never started`, continues: run.runId } as const;
  const wasCut = isNear(before.updatedAt.getTime(), kills);
  return wasCut ? { ...finding, cause: 'a process was killed when the run before had ended' } : finding;
}

function endedRun(run: Run, { status, error, output }: WorkflowRun): Finding | undefined {
  const runId = lastRunIdOf(run);
  const timedOut = error?.message.includes('no result/heartbeat') === true;
  if (timedOut) return { wrong: 'timed out', id: runId, what: error.message };
  const expected = expectedOf(run);
  if (status !== expected.status) {
    return { wrong: 'wrong', id: runId, what: `expected ${expected.status}, it is ${status}: ${error?.message ?? ''}` };
  }
  const gave = status === 'completed' ? output : error?.message;
  return isDeepStrictEqual(gave, expected.gives) ? undefined : { wrong: 'wrong', id: runId, what: `it gave ${JSON.stringify(gave)}` };
}

/**
 * A step that is undone twice has taken the place of another one, which is not. Nothing accounts for that; for one that
 * is not undone, a process that died between a checkpoint and its send does.
 */
async function undoneOtherwise(
  { kind, runId }: Run,
  store: StateStore,
  executions: Map<string, Execution[]>,
  evidence: Evidence,
): Promise<Finding | undefined> {
  const expected = UNDONE[kind];
  if (expected === undefined) return undefined;
  const checkpoints = (await store.listCheckpoints(runId)).filter(({ kind }) => kind === 'remote');
  const undos = checkpoints.filter(({ name }) => name.startsWith('compensate:'));
  const undone = undos.map(({ input }) => labelOf(input)).toSorted();
  const pending = checkpoints.filter(({ status }) => status === 'pending');
  if (isDeepStrictEqual(undone, expected) && pending.length === 0) return undefined;
  const what = `it undid ${undone.join(', ') || 'nothing'}`;
  const isPart = new Set(undone).size === undone.length && undone.every((label) => expected.includes(label));
  if (!isPart || pending.length === 0) return { wrong: 'wrong', id: runId, what };
  const cause = causeOfLoss(pending, executions, evidence);
  return { wrong: 'lost', id: runId, what, ...(cause === undefined ? {} : { cause }) };
}

/** An undo is given the input and output of its step. */
function labelOf(envelope: unknown): string {
  return isRecord(envelope) && isRecord(envelope['input']) ? String(envelope['input']['label']) : 'nothing';
}

function twice(executions: Map<string, Execution[]>, evidence: Evidence): Finding[] {
  const findings: Finding[] = [];
  for (const [id, [first, second]] of executions) {
    if (first === undefined || second === undefined) continue;
    const disturbedAt = [...evidence.kills, ...evidence.outages].find((at) => at > first.beganAt - DISTURBED_MS && at < second.beganAt);
    const cause = disturbedAt === undefined ? undefined : 'a process was killed, or a server away, between the two';
    findings.push({ wrong: 'twice', id, what: `after ${second.beganAt - first.beganAt} ms`, ...(cause === undefined ? {} : { cause }) });
  }
  return findings;
}

function causeAt(at: number | undefined, { kills, outages }: Evidence): string | undefined {
  return isNear(at, [...kills, ...outages]) ? 'a process was killed, or a server away, at that moment' : undefined;
}

function isNear(at: number | undefined, disturbances: readonly number[]): boolean {
  return disturbances.some((disturbedAt) => at !== undefined && Math.abs(disturbedAt - at) < DISTURBED_MS);
}

/** What the engines noted of a run and of its children, in the order of their clocks. */
export function historyOf(runId: string, trace: string): string[] {
  return readFileSync(trace, 'utf8')
    .split('\n')
    .filter(
      (line) =>
        line.includes(` ${runId} `) ||
        line.includes(` ${runId}.`) ||
        line.includes(` ${runId}:`) ||
        line.includes(`"${runId}"`) ||
        line.includes(` ${signalOf(runId)} `),
    );
}
