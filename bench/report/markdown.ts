import { figure, withUnit } from './format.ts';
import { type Check, checksOf, holds, limitOf, type Results, type SectionResult, type Table } from './model.ts';

/** `results.md`, from `results.json` alone. */
export function resultsMarkdown(results: Results): string {
  return [
    '# Benchmark results',
    '',
    `Written by \`npm run bench\`${results.mode === 'quick' ? ' in its quick mode' : ''}; do not edit. All figures are of one run on one machine.`,
    '',
    ...machineLines(results),
    '',
    '## Targets',
    '',
    ...targetTable(checksOf(results), results.mode),
    '',
    ...results.sections.flatMap(sectionLines),
  ].join('\n');
}

function machineLines({ takenAt, machine, versions }: Results): string[] {
  const { cpu, cores, memoryGb, os, node } = machine;
  return [
    `- ${takenAt}`,
    `- ${cpu}, ${cores} cores, ${figure(memoryGb)} GB memory, ${os}, Node ${node}`,
    `- ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`,
  ];
}

function targetTable(checks: readonly Check[], mode: Results['mode']): string[] {
  return markdownTable({
    title: '',
    columns: ['what', 'measured', 'rounds', 'target', ''],
    rows: checks.map((check) => {
      const limit = limitOf(check, mode) ?? check.limit;
      const held = holds(check, mode);
      return [
        check.what,
        withUnit(check.measured, check.unit),
        check.low === check.high ? '' : `${figure(check.low)} – ${figure(check.high)}`,
        `${check.direction} ${withUnit(limit, check.unit)}`,
        held === undefined ? 'not checked' : held ? 'reached' : '**missed**',
      ];
    }),
  });
}

function sectionLines({ id, title, method, tables, charts, seconds }: SectionResult): string[] {
  return [
    `## ${id}. ${title}`,
    '',
    ...method.map((sentence) => `- ${sentence}`),
    `- Took ${figure(seconds)} s; alone: \`npm run bench -- --only ${id}\`.`,
    '',
    ...charts.flatMap((chart) => [`![${chart.title}](charts/${chart.name}.svg)`, '']),
    ...tables.flatMap((table) => [`**${table.title}**`, '', ...markdownTable(table), '']),
  ];
}

function markdownTable({ columns, rows }: Table): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(columns), `| ${columns.map((_, index) => (index === 0 ? '---' : '---:')).join(' | ')} |`, ...rows.map(line)];
}
