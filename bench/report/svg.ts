import { withUnit } from './format.ts';
import type { Bar, Chart } from './model.ts';

const WIDTH = 720;
const LABELS = 230;
const VALUES = 130;
const BAR = 22;
const GAP = 12;
const TOP = 46;

/**
 * Horizontal bars with a whisker from the lowest to the highest round.
 *
 * Readable on light and dark pages: a file that is shown as an image knows the reader's scheme by its own media query.
 */
export function barChart({ title, unit, bars }: Chart): string {
  const height = TOP + bars.length * (BAR + GAP) + 6;
  const largest = Math.max(...bars.map(({ value, high }) => Math.max(value, high)));
  const scale = largest > 0 ? (WIDTH - LABELS - VALUES) / largest : 0;
  const summary = bars.map(({ label, value }) => `${label}: ${withUnit(value, unit)}`).join('; ');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="t d">`,
    `<title id="t">${escaped(title)}</title>`,
    `<desc id="d">${escaped(summary)}</desc>`,
    `<style>${STYLE}</style>`,
    `<text class="title" x="0" y="20">${escaped(title)}</text>`,
    ...bars.map((bar, index) => barGroup(bar, TOP + index * (BAR + GAP), scale, unit)),
    '</svg>',
    '',
  ].join('\n');
}

const STYLE = [
  'text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2328}',
  '.title{font-size:15px;font-weight:600}.label{text-anchor:end}',
  '.ours{fill:#0969da}.peer{fill:#8c959f}.spread{stroke:#1f2328;stroke-width:1.5}',
  '@media(prefers-color-scheme:dark){text{fill:#e6edf3}.ours{fill:#4493f8}.peer{fill:#6e7681}.spread{stroke:#e6edf3}}',
].join('');

function barGroup({ label, value, low, high, ours }: Bar, y: number, scale: number, unit: string): string {
  const length = Math.max(1, value * scale);
  const middle = y + BAR / 2;
  const end = LABELS + Math.max(length, high * scale);
  const whisker =
    low === high
      ? ''
      : `<line class="spread" x1="${at(LABELS + low * scale)}" y1="${middle}" x2="${at(LABELS + high * scale)}" y2="${middle}"/>`;
  return [
    `<text class="label" x="${LABELS - 10}" y="${middle + 5}">${escaped(label)}</text>`,
    `<rect class="${ours ? 'ours' : 'peer'}" x="${LABELS}" y="${y}" width="${at(length)}" height="${BAR}" rx="3"/>`,
    whisker,
    `<text x="${at(end + 10)}" y="${middle + 5}">${escaped(withUnit(value, unit))}</text>`,
  ].join('');
}

function at(position: number): string {
  return position.toFixed(1);
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
