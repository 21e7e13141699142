/** A line through samples, and whether it rises more than their noise. */
export interface Trend {
  /** Rise over the whole time of the samples, in their unit. */
  readonly rise: number;
  readonly rises: boolean;
}

/** Three standard errors: one series in about 700 that is flat looks as if it rose. */
const CERTAIN = 3;

/**
 * Least squares over evenly spaced samples.
 * @param tolerance a rise up to this share of the mean, or up to `least`, is nobody's leak: caches and pools fill once
 */
export function trend(samples: readonly number[], tolerance: number, least: number): Trend {
  const count = samples.length;
  if (count < 3) return { rise: 0, rises: false };
  const mean = samples.reduce((sum, value) => sum + value, 0) / count;
  const middle = (count - 1) / 2;
  const spread = samples.reduce((sum, _value, index) => sum + (index - middle) ** 2, 0);
  const slope = samples.reduce((sum, value, index) => sum + (index - middle) * (value - mean), 0) / spread;
  const residual = samples.reduce((sum, value, index) => sum + (value - mean - slope * (index - middle)) ** 2, 0);
  const error = Math.sqrt(residual / (count - 2) / spread);
  const rise = slope * (count - 1);
  return { rise, rises: slope > CERTAIN * error && rise > Math.max(mean * tolerance, least) };
}
