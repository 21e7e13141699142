import { failureReason, type HandlerOutcome } from '../../../local/lambda-runtime.ts';
import type { InvocationReport } from '../../../local/mapping-options.ts';
import type { ProcessEnd } from '../../../local/process/function-process.ts';
import type { LogFields, Logger } from '../../../logger.ts';
import type { CommandContext } from '../context.ts';
import { flagOption } from '../options.ts';
import { counted } from '../output/text.ts';
import type { Brings } from './mapped-queues.ts';
import { outcomeText } from './outcome-text.ts';
import type { StepOutcome } from './step-outcomes.ts';

/** The queue whose records an invocation got. */
export interface InvocationSource {
  readonly functionKey: string;
  /** Name of the step; of a dead-letter queue, that too. Of an engine's queue, what is in it. */
  readonly source: string;
  readonly brings: Brings;
}

/** What an engine and workers in containers must know. */
export interface ReadyFacts {
  readonly endpoint: string;
  /** Queue URLs by name. */
  readonly urls: ReadonlyMap<string, string>;
  readonly environment: readonly string[];
  /** Names of the steps that workers of the user's own serve. */
  readonly containerSteps: readonly string[];
  /** The function that is the engine; undefined where the engine is a process of the user's own. */
  readonly engine: string | undefined;
  /** Functions that start runs and have no durable event: nothing here invokes them. */
  readonly starters: readonly string[];
}

/** The output of `sls durable local`: lines for people, or with `--json` one object per line. */
export interface LocalReport {
  ready(facts: ReadyFacts): void;
  invoked(source: InvocationSource, report: InvocationReport, steps: readonly StepOutcome[]): void;
  /** A tick of an engine's function has ended. Milliseconds. */
  ticked(functionKey: string, outcome: HandlerOutcome, times: { readonly durationMs: number; readonly timeoutMs: number }): void;
  loaded(functionKey: string, first: boolean): void;
  /** New code does not build or load. @param keeps whether older code stays in use */
  broken(functionKey: string, problem: string, keeps: boolean): void;
  /** Code and serverless.yml disagree. */
  mismatch(functionKey: string, problem: string): void;
  /** A process of a function ended between two invocations. */
  exited(functionKey: string, end: ProcessEnd): void;
  /** A mapping that serverless.yml disables was not started. */
  off(functionKey: string, source: string): void;
  configChanged(file: string): void;
  warn(line: string): void;
  stopping(): void;
  /** Writes the warnings of a mapping, with the names of function and source that the other lines have. */
  logger(functionKey: string, source: string): Logger;
}

export function localReport(context: CommandContext): LocalReport {
  const json = flagOption(context.options, 'json');
  const tell = (event: string, facts: object, line: string) =>
    context.write(json ? `${JSON.stringify({ event, ...facts })}\n` : `${line}\n`);
  /** What is wrong: to stderr for people, an object like all others for programs. */
  const complain = (event: string, facts: object, text: string) => {
    if (json) tell(event, facts, '');
    else context.writeError(`${text}\n`);
  };
  /** Lambda prints what a handler throws, too. */
  const showStack = (error: unknown) => {
    if (error instanceof Error && error.stack !== undefined) context.writeError(`${error.stack}\n`);
  };
  return {
    ready(given) {
      const { endpoint, urls, environment, containerSteps, engine, starters } = given;
      const lines = [
        `\nSQS is at ${endpoint}. ${shellOf(given)}:\n`,
        ...environment.map((line) => `  ${line}`),
        '\nqueues:',
        ...[...urls].map(([name, url]) => `  ${name}  ${url}`),
        ...(containerSteps.length === 0 ? [] : [`\nwait for a worker of yours (containerSteps): ${containerSteps.join(', ')}`]),
        ...starters.map(
          (name) => `\n${name} only starts runs, and nothing invokes it here. In that shell: npx sls invoke local -f ${name}`,
        ),
        '\nready; Ctrl-C stops it\n',
      ];
      tell('ready', { endpoint, queues: Object.fromEntries(urls), environment, containerSteps, engine, starters }, lines.join('\n'));
    },
    invoked({ functionKey, source, brings }, { error, ...report }, steps) {
      const reason = report.reason === undefined ? '' : ` (${report.reason})`;
      const head = `${functionKey}  ${source}  ${counted(report.records, 'record')}  ${Math.round(report.durationMs)} ms`;
      tell('invoked', { function: functionKey, source, ...report, steps }, `${head}  ${outcomeText(steps, brings)}${reason}`);
      showStack(error);
    },
    ticked(functionKey, outcome, { durationMs, timeoutMs }) {
      const reason = outcome.kind === 'returned' ? undefined : failureReason(outcome, timeoutMs);
      const took = `${functionKey}  tick  ${Math.round(durationMs)} ms`;
      const facts = { function: functionKey, outcome: reason === undefined ? 'success' : 'failure', durationMs, reason };
      tell('ticked', facts, reason === undefined ? `${took}  ok` : `${took}  failed; the next one does the same (${reason})`);
      if ('error' in outcome) showStack(outcome.error);
    },
    loaded: (functionKey, first) =>
      tell(first ? 'loaded' : 'reloaded', { function: functionKey }, `${functionKey}  ${first ? 'loaded' : 'reloaded'}`),
    broken(functionKey, problem, keeps) {
      const then = keeps ? 'the last version that loaded stays in use' : 'it receives nothing until this is fixed';
      complain('broken', { function: functionKey, problem, keeps }, `${functionKey}  does not load; ${then}\n${problem}`);
    },
    mismatch: (functionKey, problem) => complain('mismatch', { function: functionKey, problem }, `${functionKey}  ${problem}`),
    exited(functionKey, { reason, detail }) {
      const text = `${functionKey}  its process ended between invocations; the next starts another (${reason})`;
      complain('exited', { function: functionKey, reason }, detail === undefined ? text : `${text}\n${detail}`);
    },
    off: (functionKey, source) =>
      tell(
        'off',
        { function: functionKey, source },
        `${functionKey}  ${source}  off (enabled: false in serverless.yml): its messages wait`,
      ),
    configChanged: (file) =>
      complain('config-changed', { file }, `${file} has changed: this service runs by what it said before. Ctrl-C, and start it again`),
    warn: (line) => context.writeError(`${line}\n`),
    stopping: () => tell('stopping', {}, 'stopping: messages that were received are processed first'),
    logger(functionKey, source) {
      const warn = (message: string, fields: LogFields) => {
        // `invoked` has reported it.
        if (message === 'invocation failed' || message === 'doubtful response') return;
        context.writeError(`${functionKey}  ${source}  ${message}${fields['reason'] === undefined ? '' : `: ${fields['reason']}`}\n`);
      };
      return { debug() {}, info() {}, warn, error: warn };
    },
  };
}

/** Whose shell needs the lines that follow. */
function shellOf({ containerSteps, engine }: ReadyFacts): string {
  const worker = containerSteps.length === 0 ? '' : ' or a worker';
  if (engine === undefined) return `For the shell of an engine${worker} on this machine`;
  return `The engine is the function ${engine}. For a shell that starts runs${worker === '' ? '' : ', or of a worker,'} on this machine`;
}
