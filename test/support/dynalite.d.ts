declare module 'dynalite' {
  import type { Server } from 'node:http';

  const dynalite: (options: { readonly createTableMs?: number }) => Server;

  // biome-ignore lint/style/noDefaultExport: that is what the package has
  export { dynalite as default };
}
