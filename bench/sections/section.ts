import type { Progress } from '../progress.ts';
import type { SectionResult } from '../report/model.ts';
import type { Sizes } from '../sizes.ts';

/** What a section is given. */
export interface SectionInput {
  readonly sizes: Sizes;
  /** Figures of sections that ran before. */
  readonly facts: Readonly<Record<string, number>>;
  readonly progress: Progress;
}

export interface Section {
  readonly id: number;
  readonly title: string;
  /** Sections whose figures it reckons with. */
  readonly needs: readonly number[];
  /** Calls of `progress.step`. */
  readonly steps: (sizes: Sizes) => number;
  /**
   * Rejects where something is missing that has to be installed: known before a quarter of an hour of measuring, not
   * after.
   */
  readonly ready?: () => Promise<unknown>;
  readonly run: (input: SectionInput) => Promise<Omit<SectionResult, 'id' | 'title' | 'seconds'>>;
}
