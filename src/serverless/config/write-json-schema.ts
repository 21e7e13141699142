import { writeFileSync } from 'node:fs';
import { serverlessJsonSchema } from './json-schema.ts';

/** Part of `npm run build`: the JSON schema that the package ships. */
writeFileSync(
  new URL('../../../dist/serverless-schema.json', import.meta.url),
  `${JSON.stringify(serverlessJsonSchema(), undefined, 2)}\n`,
);
