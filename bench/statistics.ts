/** What some samples say: the middle one, and how far the others are. */
export interface Summary {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** @throws RangeError where there is no sample: a figure of nothing is no figure. */
export function summarize(samples: readonly number[]): Summary {
  const sorted = ascending(samples);
  return { median: middle(sorted), low: sorted[0] ?? Number.NaN, high: sorted.at(-1) ?? Number.NaN };
}

export function median(samples: readonly number[]): number {
  return middle(ascending(samples));
}

/**
 * The smallest sample that at least `share` of all samples do not exceed (nearest rank), so it is always a value that
 * was measured.
 *
 * @param share 0 to 1
 */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = ascending(samples);
  const rank = Math.ceil(sorted.length * share);
  return sorted[Math.max(0, rank - 1)] ?? Number.NaN;
}

/**
 * How many times as large `ours` is as `theirs`: one ratio per round, of what ran side by side. A machine that slows
 * down half way slows both of a pair, so these vary less than the ratio of two medians.
 *
 * @throws RangeError where the rounds do not pair up.
 */
export function pairedRatio(ours: readonly number[], theirs: readonly number[]): Summary {
  if (ours.length !== theirs.length) throw new RangeError(`expected as many rounds of both, got ${ours.length} and ${theirs.length}`);
  return summarize(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)));
}

function ascending(samples: readonly number[]): number[] {
  if (samples.length === 0) throw new RangeError('expected at least one sample, got none');
  return [...samples].sort((a, b) => a - b);
}

function middle(sorted: readonly number[]): number {
  const half = sorted.length / 2;
  const upper = sorted[Math.floor(half)] ?? Number.NaN;
  return Number.isInteger(half) ? ((sorted[half - 1] ?? Number.NaN) + upper) / 2 : upper;
}
