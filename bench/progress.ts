/**
 * What the run is at: one line that is written over on a terminal, a line each where the output goes to a file or a CI
 * log.
 */
export interface Progress {
  /** A part begins: `section 1: at once, round 2/5, published`. */
  step(what: string): void;
  end(): void;
}

export function showProgress(section: string, steps: number, out: NodeJS.WriteStream = process.stderr): Progress {
  const startedAt = performance.now();
  let done = -1;
  return {
    step(what) {
      done += 1;
      const seconds = Math.round((performance.now() - startedAt) / 1000);
      if (!out.isTTY) {
        out.write(`  ${section} ${done + 1}/${steps} ${what} (${seconds} s)\n`);
        return;
      }
      const filled = Math.round((done / steps) * 20);
      const bar = `${'█'.repeat(filled)}${'░'.repeat(Math.max(0, 20 - filled))}`;
      out.write(`\r\u001b[K  ${section} ${bar} ${done}/${steps}  ${what}  ${seconds} s`);
    },
    end() {
      if (out.isTTY) out.write('\r\u001b[K');
    },
  };
}
