import type { InvocationReport } from '../../../local/mapping-options.ts';
import type { LogFields, Logger } from '../../../logger.ts';
import type { CommandContext } from '../context.ts';
import { flagOption } from '../options.ts';
import { counted } from '../output/table.ts';

/** What `sls durable local` tells: lines for people, or with `--json` one object per line. */
export interface LocalReport {
  ready(facts: { readonly endpoint: string; readonly urls: ReadonlyMap<string, string>; readonly environment: readonly string[] }): void;
  invoked(functionKey: string, source: string, report: InvocationReport): void;
  loaded(functionKey: string, first: boolean): void;
  broken(functionKey: string, problem: string, keeps: boolean): void;
  clash(variable: string): void;
  /** A mapping that serverless.yml disables is not started. */
  off(functionKey: string, source: string): void;
  warn(line: string): void;
  stopping(): void;
  /** What a mapping says of itself, under the names that the other lines use. */
  logger(functionKey: string, source: string): Logger;
}

export function localReport(context: CommandContext): LocalReport {
  const json = flagOption(context.options, 'json');
  const tell = (event: string, facts: object, line: string) =>
    context.write(json ? `${JSON.stringify({ event, ...facts })}\n` : `${line}\n`);
  return {
    ready({ endpoint, urls, environment }) {
      const lines = [
        `\nSQS is at ${endpoint}. For an engine on this machine:\n`,
        ...environment.map((line) => `  ${line}`),
        '\nqueues:',
        ...[...urls].map(([name, url]) => `  ${name}  ${url}`),
        '\nready; Ctrl-C ends it\n',
      ];
      tell('ready', { endpoint, queues: Object.fromEntries(urls), environment }, lines.join('\n'));
    },
    invoked(functionKey, source, { error, ...report }) {
      const failed = report.failed === 0 ? 'ok' : `${report.failed} failed: delivered again after the visibility timeout`;
      const reason = report.reason === undefined ? '' : ` (${report.reason})`;
      const line = `${functionKey}  ${source}  ${counted(report.records, 'record')}  ${Math.round(report.durationMs)} ms  ${failed}${reason}`;
      tell('invoked', { function: functionKey, source, ...report }, line);
      // Lambda prints what a handler throws; on the developer's own machine so do we.
      if (error !== undefined) context.writeError(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    },
    loaded: (functionKey, first) =>
      tell(first ? 'loaded' : 'reloaded', { function: functionKey }, `${functionKey}  ${first ? 'loaded' : 'reloaded'}`),
    broken(functionKey, problem, keeps) {
      const then = keeps ? 'the last version that worked goes on' : 'it reads nothing until this is mended';
      if (json) tell('broken', { function: functionKey, problem, keeps }, '');
      else context.writeError(`${functionKey}  does not load; ${then}\n${problem}\n`);
    },
    clash: (variable) =>
      context.writeError(
        `${variable}: functions give it different values, and here they share one process. Each sees its own while it is loaded; code that reads it later sees the last.\n`,
      ),
    off: (functionKey, source) =>
      tell('off', { function: functionKey, source }, `${functionKey}  ${source}  off: enabled: false in serverless.yml; its messages wait`),
    warn: (line) => context.writeError(`${line}\n`),
    stopping: () => tell('stopping', {}, 'ending: what was received is worked on'),
    logger(functionKey, source) {
      const warn = (message: string, fields: LogFields) => {
        // Told by `invoked` already.
        if (message === 'invocation failed' || message === 'doubtful response') return;
        context.writeError(`${functionKey}  ${source}  ${message}${fields['reason'] === undefined ? '' : `: ${fields['reason']}`}\n`);
      };
      return { debug() {}, info() {}, warn, error: warn };
    },
  };
}
