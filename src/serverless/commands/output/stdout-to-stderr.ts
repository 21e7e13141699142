/** Sends to stderr whatever this process writes to stdout from now on. */
export function stdoutToStderr(): void {
  const { stdout, stderr } = process;
  stdout.write = stderr.write.bind(stderr);
}
