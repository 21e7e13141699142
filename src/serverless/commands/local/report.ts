import type { InvocationReport } from '../../../local/mapping-options.ts';
import type { ProcessEnd } from '../../../local/process/function-process.ts';
import type { LogFields, Logger } from '../../../logger.ts';
import type { CommandContext } from '../context.ts';
import { flagOption } from '../options.ts';
import { counted } from '../output/text.ts';
import { outcomeText } from './outcome-text.ts';
import type { StepOutcome } from './step-outcomes.ts';

/** The queue whose records an invocation got. */
export interface InvocationSource {
  readonly functionKey: string;
  /** Name of the step; of a dead-letter queue, that too. */
  readonly source: string;
  readonly ofDeadLetters: boolean;
}

/** What an engine and workers in containers must know. */
export interface ReadyFacts {
  readonly endpoint: string;
  /** Queue URLs by name. */
  readonly urls: ReadonlyMap<string, string>;
  readonly environment: readonly string[];
  /** Names of the steps that workers of the user's own serve. */
  readonly containerSteps: readonly string[];
}

/** The output of `sls durable local`: lines for people, or with `--json` one object per line. */
export interface LocalReport {
  ready(facts: ReadyFacts): void;
  invoked(source: InvocationSource, report: InvocationReport, steps: readonly StepOutcome[]): void;
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
  return {
    ready({ endpoint, urls, environment, containerSteps }) {
      const lines = [
        `\nSQS is at ${endpoint}. For the shell of an engine${containerSteps.length === 0 ? '' : ' or a worker'} on this machine:\n`,
        ...environment.map((line) => `  ${line}`),
        '\nqueues:',
        ...[...urls].map(([name, url]) => `  ${name}  ${url}`),
        ...(containerSteps.length === 0 ? [] : [`\nwait for a worker of yours (containerSteps): ${containerSteps.join(', ')}`]),
        '\nready; Ctrl-C stops it\n',
      ];
      tell('ready', { endpoint, queues: Object.fromEntries(urls), environment, containerSteps }, lines.join('\n'));
    },
    invoked({ functionKey, source, ofDeadLetters }, { error, ...report }, steps) {
      const reason = report.reason === undefined ? '' : ` (${report.reason})`;
      const head = `${functionKey}  ${source}  ${counted(report.records, 'record')}  ${Math.round(report.durationMs)} ms`;
      tell('invoked', { function: functionKey, source, ...report, steps }, `${head}  ${outcomeText(steps, ofDeadLetters)}${reason}`);
      // Lambda prints what a handler throws, too.
      if (error instanceof Error && error.stack !== undefined) context.writeError(`${error.stack}\n`);
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
