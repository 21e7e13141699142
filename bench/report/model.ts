/** One whole run of the benchmark: what `results.json` holds, and all that the other reports are made from. */
export interface Results {
  /** ISO 8601. */
  readonly takenAt: string;
  readonly mode: 'full' | 'quick';
  readonly machine: Machine;
  /** Package → version. */
  readonly versions: Readonly<Record<string, string>>;
  readonly sections: readonly SectionResult[];
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly os: string;
  readonly node: string;
}

export interface SectionResult {
  readonly id: number;
  readonly title: string;
  /** How it was measured, one sentence each. */
  readonly method: readonly string[];
  readonly tables: readonly Table[];
  readonly charts: readonly Chart[];
  readonly checks: readonly Check[];
  /** Figures that other sections reckon with, by name. */
  readonly facts: Readonly<Record<string, number>>;
  readonly seconds: number;
}

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Chart {
  /** Without ending; the file in `charts/`. */
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly bars: readonly Bar[];
}

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Lowest and highest round. */
  readonly low: number;
  readonly high: number;
  /** Whether it is ours: drawn in the strong colour. */
  readonly ours: boolean;
}

/** A figure and what it must reach. */
export interface Check {
  /** Stable name. */
  readonly id: string;
  readonly what: string;
  readonly measured: number;
  readonly low: number;
  readonly high: number;
  /** `×` for a ratio. */
  readonly unit: string;
  readonly direction: 'at least' | 'at most';
  readonly limit: number;
  /**
   * The bound of a quick run, generous: it is to find what is badly off on a loaded machine. None: a quick run does not
   * check it.
   */
  readonly quickLimit?: number;
}

export function limitOf(check: Check, mode: Results['mode']): number | undefined {
  return mode === 'full' ? check.limit : check.quickLimit;
}

/** Whether the figure is what it must be; undefined where this mode does not ask. */
export function holds(check: Check, mode: Results['mode']): boolean | undefined {
  const limit = limitOf(check, mode);
  if (limit === undefined) return undefined;
  return check.direction === 'at least' ? check.measured >= limit : check.measured <= limit;
}

export function checksOf(results: Results): readonly Check[] {
  return results.sections.flatMap(({ checks }) => checks);
}
