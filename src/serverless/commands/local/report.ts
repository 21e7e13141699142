import type { InvocationReport } from '../../../local/mapping-options.ts';
import type { LogFields, Logger } from '../../../logger.ts';
import type { CommandContext } from '../context.ts';
import { flagOption } from '../options.ts';
import { counted } from '../output/text.ts';

/** The output of `sls durable local`: lines for people, or with `--json` one object per line. */
export interface LocalReport {
  ready(facts: { readonly endpoint: string; readonly urls: ReadonlyMap<string, string>; readonly environment: readonly string[] }): void;
  invoked(functionKey: string, source: string, report: InvocationReport): void;
  loaded(functionKey: string, first: boolean): void;
  broken(functionKey: string, problem: string, keeps: boolean): void;
  clash(variable: string): void;
  /** A mapping that serverless.yml disables was not started. */
  off(functionKey: string, source: string): void;
  warn(line: string): void;
  stopping(): void;
  /** Writes the warnings of a mapping, with the names of function and source that the other lines have. */
  logger(functionKey: string, source: string): Logger;
}

export function localReport(context: CommandContext): LocalReport {
  const json = flagOption(context.options, 'json');
  const tell = (event: string, facts: object, line: string) =>
    context.write(json ? `${JSON.stringify({ event, ...facts })}\n` : `${line}\n`);
  return {
    ready({ endpoint, urls, environment }) {
      const lines = [
        `\nSQS is at ${endpoint}. For the shell of an engine on this machine:\n`,
        ...environment.map((line) => `  ${line}`),
        '\nqueues:',
        ...[...urls].map(([name, url]) => `  ${name}  ${url}`),
        '\nready; Ctrl-C stops it\n',
      ];
      tell('ready', { endpoint, queues: Object.fromEntries(urls), environment }, lines.join('\n'));
    },
    invoked(functionKey, source, { error, ...report }) {
      const failed = report.failed === 0 ? 'ok' : `${report.failed} failed: redelivered after the visibility timeout`;
      const reason = report.reason === undefined ? '' : ` (${report.reason})`;
      const line = `${functionKey}  ${source}  ${counted(report.records, 'record')}  ${Math.round(report.durationMs)} ms  ${failed}${reason}`;
      tell('invoked', { function: functionKey, source, ...report }, line);
      // Lambda prints what a handler throws, too.
      if (error !== undefined) context.writeError(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    },
    loaded: (functionKey, first) =>
      tell(first ? 'loaded' : 'reloaded', { function: functionKey }, `${functionKey}  ${first ? 'loaded' : 'reloaded'}`),
    broken(functionKey, problem, keeps) {
      const then = keeps ? 'the last version that loaded stays in use' : 'it receives nothing until this is fixed';
      if (json) tell('broken', { function: functionKey, problem, keeps }, '');
      else context.writeError(`${functionKey}  does not load; ${then}\n${problem}\n`);
    },
    clash: (variable) =>
      context.writeError(
        `${variable}: functions give it different values, but share one process here. Each sees its own value while it loads; code that reads it later sees the last one.\n`,
      ),
    off: (functionKey, source) =>
      tell(
        'off',
        { function: functionKey, source },
        `${functionKey}  ${source}  off (enabled: false in serverless.yml): its messages wait`,
      ),
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
