import { readdirSync, readFileSync } from 'node:fs';

/** Process ids of the functions of a stack that have an environment now, by what the server's own command lines say. */
export function functionProcesses(stackName: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => commandLine(pid).includes(`ministack-lambda-${stackName}-`))
    .map(Number);
}

/** Kills one of them, as an environment that runs out of memory is killed. Says whether there was one. */
export function killOne(stackName: string, random: () => number): boolean {
  const pids = functionProcesses(stackName);
  const pid = pids[Math.floor(random() * pids.length)];
  if (pid === undefined) return false;
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}

/** Empty for a process that has ended meanwhile. */
function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
