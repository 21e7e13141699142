/** A function that does nothing: what Node and the runtime loop take alone. */
export async function handler() {
  return { batchItemFailures: [] };
}
