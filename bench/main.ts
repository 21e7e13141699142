/**
 * `npm run bench`: all sections, one after the other, and the reports of what they measured. Exits 1 where a bound does
 * not hold.
 */
import { fileURLToPath } from 'node:url';
import { type Arguments, readArguments, USAGE } from './arguments.ts';
import { showProgress } from './progress.ts';
import { machine, versions } from './report/machine.ts';
import { checksOf, holds, type Results, type SectionResult } from './report/model.ts';
import { checkText, sectionText } from './report/terminal.ts';
import { writeReports } from './report/write.ts';
import { coldStart } from './sections/cold-start.ts';
import { cost } from './sections/cost.ts';
import { engineFunction } from './sections/engine-function.ts';
import { growth } from './sections/growth.ts';
import { polling } from './sections/polling.ts';
import { postgres } from './sections/postgres.ts';
import { records } from './sections/records.ts';
import type { Section } from './sections/section.ts';
import { throughput } from './sections/throughput.ts';
import { turns } from './sections/turns.ts';
import { FULL, QUICK } from './sizes.ts';

const SECTIONS: readonly Section[] = [throughput, polling, records, coldStart, growth, cost, postgres, turns, engineFunction];

async function main(): Promise<number> {
  const args = readArguments(
    process.argv.slice(2),
    SECTIONS.map(({ id }) => id),
  );
  if (args.help) {
    console.log(USAGE);
    return 0;
  }
  const results: Results = {
    takenAt: new Date().toISOString(),
    mode: args.quick ? 'quick' : 'full',
    machine: machine(),
    versions: await versions(),
    sections: await runSections(chosen(args), args),
  };
  const folder = outputFolder(args);
  if (folder !== undefined) {
    await writeReports(folder, results);
    console.log(`written to ${folder}`);
  }
  return verdict(results);
}

async function runSections(sections: readonly Section[], { quick }: Arguments): Promise<SectionResult[]> {
  const sizes = quick ? QUICK : FULL;
  for (const { ready } of sections) await ready?.();
  const done: SectionResult[] = [];
  let facts: Record<string, number> = {};
  for (const { id, title, steps, run } of sections) {
    const progress = showProgress(`section ${id}`, steps(sizes));
    const startedAt = performance.now();
    const result: SectionResult = {
      id,
      title,
      ...(await run({ sizes, facts, progress })),
      seconds: (performance.now() - startedAt) / 1000,
    };
    progress.end();
    done.push(result);
    facts = { ...facts, ...result.facts };
    console.log(`${sectionText(result, quick ? 'quick' : 'full')}`);
  }
  return done;
}

function chosen({ only }: Arguments): readonly Section[] {
  if (only === undefined) return SECTIONS;
  const wanted = new Set(SECTIONS.filter(({ id }) => only.includes(id)).flatMap(({ id, needs }) => [id, ...needs]));
  return SECTIONS.filter(({ id }) => wanted.has(id));
}

/** The committed results are those of a whole run at full size, and of nothing else. */
function outputFolder({ quick, only, out }: Arguments): string | undefined {
  if (out !== undefined) return out;
  return quick || only !== undefined ? undefined : fileURLToPath(new URL('.', import.meta.url));
}

function verdict(results: Results): number {
  const off = checksOf(results).filter((check) => holds(check, results.mode) === false);
  if (off.length === 0) {
    console.log('every bound holds');
    return 0;
  }
  console.log(
    `${off.length} of ${checksOf(results).length} bounds do not hold:\n${off.map((check) => `  ${checkText(check, results.mode)}`).join('\n')}`,
  );
  return 1;
}

// What a signal ends stops its servers, too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  },
);
