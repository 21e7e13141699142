/** From now on, whatever this process prints to stdout goes to stderr. */
export function stdoutToStderr(): void {
  const { stdout, stderr } = process;
  stdout.write = stderr.write.bind(stderr);
}
