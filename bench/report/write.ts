import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { resultsMarkdown } from './markdown.ts';
import type { Results } from './model.ts';
import { barChart } from './svg.ts';

/** Writes `results.json` and everything that is made from it. Charts of an earlier run go. */
export async function writeReports(folder: string, results: Results): Promise<void> {
  const charts = join(folder, 'charts');
  await rm(charts, { recursive: true, force: true });
  await mkdir(charts, { recursive: true });
  await Promise.all([
    writeFile(join(folder, 'results.json'), `${JSON.stringify(results, null, 2)}\n`),
    writeFile(join(folder, 'results.md'), resultsMarkdown(results)),
    ...results.sections.flatMap((section) => section.charts).map((chart) => writeFile(join(charts, `${chart.name}.svg`), barChart(chart))),
  ]);
}
