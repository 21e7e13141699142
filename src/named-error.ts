/** An error that is not ours to class: of the network, of AWS, of a limit. Whoever handles it goes by its name. */
export function namedError(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}
